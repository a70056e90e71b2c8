package bench

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// FillOptions say how many finished executions to look among.
type FillOptions struct {
	Binary     string // the newel binary that is measured; required
	Dir        string // where the data directory goes; a temporary directory if empty
	Executions int
	// Open starts a server of this process on a data directory.
	Open  func(ctx context.Context, data string) (Store, error)
	Out   io.Writer
	Flags []string // further flags of serve
}

// Store is a server of this process. Fill writes executions of a state machine that begin and end at once.
type Store interface {
	URL() string
	Fill(ctx context.Context, machineARN, input string, names []string) error
	Close(ctx context.Context) error
}

// looks is how many executions are described, and their histories read, one after the other.
const looks = 5000

// fillBatch is how many executions are written at a time, as one transaction a partition.
const fillBatch = 25_600

// Fill writes finished executions of ten Pass states through the engine's store calls, without HTTP, into a new data
// directory, which it removes at the end. Then it reads random ones over HTTP from a server on that data.
func Fill(ctx context.Context, o FillOptions) error {
	dir, err := os.MkdirTemp(o.Dir, "newel-fill-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	r := &run{Options: Options{Binary: o.Binary, Out: o.Out, Flags: o.Flags}, dir: dir}
	data := filepath.Join(dir, "data")
	start := time.Now()
	machine, settling, err := o.fill(ctx, r, data)
	if err != nil {
		return err
	}
	took := time.Since(start) - settling
	r.say("%s: %d finished executions written in %s, %.0f/s; %.2f GiB on disk, compacted after %s more", start.UTC().Format("2006-01-02"),
		o.Executions, took.Round(time.Second), float64(o.Executions)/took.Seconds(), gib(sizeOf(data)), settling.Round(time.Second))
	s, ready, err := startServer(ctx, r, data)
	if err != nil {
		return err
	}
	defer s.kill()
	time.Sleep(settle)
	r.say("start to ready %s; %s later %.0f MiB resident", ready.Round(time.Millisecond), settle, mib(s.use().rss))
	for _, q := range []struct {
		operation string
		in        object
	}{{"DescribeExecution", object{}}, {"GetExecutionHistory", object{"maxResults": 100}}} {
		text, err := lookAround(ctx, s, q.operation, q.in, machine, o.Executions)
		if err != nil {
			return err
		}
		r.say("  %-20s %s, at %d random executions, one client", q.operation, text, looks)
	}
	r.say("%.0f MiB resident afterwards", mib(s.use().rss))
	return nil
}

// fill writes executions and returns the ARN of their machine, and how long the store went on compacting then.
func (o *FillOptions) fill(ctx context.Context, r *run, data string) (machine string, settling time.Duration, err error) {
	n, err := o.Open(ctx, data)
	if err != nil {
		return "", 0, err
	}
	defer func() {
		if closed := n.Close(ctx); err == nil {
			err = closed
		}
	}()
	s := newClient(n.URL())
	if machine, err = s.createMachine(ctx, "STANDARD", "ten", steps(10, pass)); err != nil {
		return "", 0, err
	}
	names := make([]string, 0, fillBatch)
	told := time.Now()
	for i := 0; i < o.Executions; i += len(names) {
		names = names[:0]
		for k := i; k < min(i+fillBatch, o.Executions); k++ {
			names = append(names, nameOf(k))
		}
		if err := n.Fill(ctx, machine, input, names); err != nil {
			return "", 0, err
		}
		if time.Since(told) > 30*time.Second {
			told = time.Now()
			r.say("  %d written", i+len(names))
		}
	}
	began := time.Now()
	for size, same := int64(0), 0; same < 3; same++ {
		if now := sizeOf(data); now != size {
			size, same = now, 0
		}
		time.Sleep(time.Second)
	}
	return machine, time.Since(began), nil
}

// nameOf is the name of an execution, a UUID made of its number.
func nameOf(i int) string {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], uint64(i))
	var b [16]byte
	rand.NewChaCha8(seed).Read(b[:])
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// lookAround makes a call about random executions and says how long that took.
func lookAround(ctx context.Context, s *server, operation string, in object, machine string, executions int) (string, error) {
	prefix := strings.Replace(machine, ":stateMachine:", ":execution:", 1) + ":"
	took := make([]time.Duration, 0, looks)
	for range looks {
		in["executionArn"] = prefix + nameOf(rand.IntN(executions))
		start := time.Now()
		if err := s.call(ctx, "states", operation, in, nil); err != nil {
			return "", err
		}
		took = append(took, time.Since(start))
	}
	return quantiles(took), nil
}
