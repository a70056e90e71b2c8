package runtime

import (
	"os"
	"sync"
)

// control is the pipe that every worker inherits the read end of and nobody ever writes to. The write end is closed by
// the end of the server's process alone.
var control struct {
	once sync.Once
	r, w *os.File
	err  error
}

func controlPipe() (*os.File, error) {
	control.once.Do(func() { control.r, control.w, control.err = os.Pipe() })
	return control.r, control.err
}
