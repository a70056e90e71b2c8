package runtime

import (
	"context"
	"time"
)

// Spec is what the workers of one revision of a function have in common. It is not changed after its first use.
type Spec struct {
	Key      string // identity of the revision; workers are shared only under the same key
	Function string // identity of the function over all of its revisions, for Retire
	Name     string
	Version  string // "$LATEST"
	LogGroup string // "/aws/lambda/NAME"
	Account  string
	Region   string
	Runtime  string // "python3.12"
	MemoryMB int
	Timeout  time.Duration
	// LegacyTimeout: a timeout is answered in the form of AWS's older runtimes, {"errorMessage": "DATE ID Task timed out ..."}.
	LegacyTimeout bool

	// Prepare makes the function's code ready to run and says how to start it. It runs once for each worker; an error
	// fails the invocation that waits for the worker and is returned by Invoke as it is.
	Prepare func(ctx context.Context) (*Command, error)
}

// Command is how to start a worker. The pool adds AWS_LAMBDA_RUNTIME_API and AWS_LAMBDA_LOG_STREAM_NAME to Env.
type Command struct {
	Path string
	Args []string // without the program itself
	Dir  string
	Env  []string
}

// Invocation is one event for a function.
type Invocation struct {
	RequestID     string
	ARN           string // as the function was invoked, with a qualifier if one was given
	Payload       []byte // JSON
	ClientContext string // JSON text, "" for none
	TraceID       string
	Tail          bool // collect the log tail
}

// Result is what became of an invocation.
type Result struct {
	Payload       []byte
	FunctionError string // "" or "Unhandled"
	Tail          []byte // last 4 KB of the log, if asked for
}

// LogSink takes the lines that functions and the pool write, in order for each stream. It must not block.
type LogSink interface {
	WriteLog(spec *Spec, stream string, at time.Time, line string)
}

// Modules finds what AWS's runtimes carry and a function's package does not contain. Module returns the directory to
// search, or an error whose text tells the user what to install.
type Modules interface {
	Module(ctx context.Context, spec *Spec, name string) (dir string, err error)
}
