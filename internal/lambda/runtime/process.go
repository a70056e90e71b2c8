package runtime

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	goruntime "runtime"
	"strconv"
	"sync"
	"syscall"
)

// starter starts processes on one thread of its own that lives as long as the pool: Linux sends the parent-death signal
// when the thread that forked ends, which Go's other threads may do at any time.
type starter struct {
	once sync.Once
	todo chan func()
	done chan struct{}
}

func newStarter() *starter {
	s := &starter{todo: make(chan func()), done: make(chan struct{})}
	go func() {
		goruntime.LockOSThread()
		for f := range s.todo {
			f()
		}
		close(s.done)
	}()
	return s
}

// start starts a command in a process group of its own, with the read end of a control pipe as file 3: the pipe ends
// when the server does, however it ends.
func (s *starter) start(cmd *exec.Cmd) error {
	control, err := controlPipe()
	if err != nil {
		return err
	}
	cmd.ExtraFiles = []*os.File{control}
	cmd.SysProcAttr = attributes()
	out := make(chan error, 1)
	s.todo <- func() { out <- cmd.Start() }
	return <-out
}

func (s *starter) close() {
	s.once.Do(func() { close(s.todo) })
	<-s.done
}

func killGroup(pid int) { syscall.Kill(-pid, syscall.SIGKILL) }

// memoryUsedMB is the peak resident memory of a process, where the system says so cheaply; else 0.
func memoryUsedMB(p *os.Process) int {
	if p == nil {
		return 0
	}
	return procMB(fmt.Sprintf("/proc/%d/status", p.Pid), "VmHWM:")
}

// machineMemoryMB is the machine's memory, where the system says so in /proc; else 0.
func machineMemoryMB() int { return procMB("/proc/meminfo", "MemTotal:") }

// procMB reads a number of kB from a file of Linux's /proc and rounds it up to MB.
func procMB(file, name string) int {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	_, rest, ok := bytes.Cut(b, []byte(name))
	f := bytes.Fields(rest)
	if !ok || len(f) == 0 {
		return 0
	}
	kb, err := strconv.Atoi(string(f[0]))
	if err != nil {
		return 0
	}
	return (kb + 1023) / 1024
}
