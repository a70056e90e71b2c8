package statuschange

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/memory"
	"github.com/newel-run/newel/machine"
)

// world is an engine with an emitter, before a bus that the test plays.
type world struct {
	t       *testing.T
	store   store.Store
	engine  *engine.Engine
	emitter *Emitter

	mu   sync.Mutex
	lost bool               // the bus takes events and its answers are lost
	seen map[aws.Token]bool // the bus is idempotent, as services are
	bus  []map[string]any   // details of the events
	want func(account string) bool
}

func (w *world) open() {
	env := &service.Env{Store: w.store, Now: time.Now, Log: slog.New(slog.DiscardHandler), Caller: aws.CallerFunc(w.call)}
	w.emitter = New(env, func(account, _, _, _ string) bool { return w.want(account) })
	w.engine = engine.New(engine.Config{Store: w.store, Definitions: definitions{}, Changed: func(c *engine.Change) engine.Write { return w.emitter.Changed(c, nil) }})
	if err := w.emitter.Start(context.Background()); err != nil {
		w.t.Fatal(err)
	}
	if err := w.engine.Start(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) close() {
	w.engine.Close()
	w.emitter.Close()
}

func (w *world) call(_ context.Context, r *aws.Request) (*aws.Output, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	token := r.Token
	token.Low = 0
	if !w.seen[token] {
		w.seen[token] = true
		var in struct{ Entries []struct{ Detail string } }
		detail := map[string]any{}
		if err := json.Unmarshal(r.Input, &in); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(in.Entries[0].Detail), &detail); err != nil {
			return nil, err
		}
		w.bus = append(w.bus, detail)
	}
	if w.lost {
		return nil, io.ErrUnexpectedEOF
	}
	return service.Answer(nil), nil
}

// definitions are texts that are their own ids.
type definitions struct{}

func (definitions) Definition(_ context.Context, id string) (*asl.Definition, error) {
	d, problems := asl.Compile([]byte(id), asl.Options{})
	if d == nil {
		panic(problems)
	}
	return d, nil
}

func (w *world) start(account, name, definition, input string) {
	w.t.Helper()
	_, err := w.engine.StartExecution(context.Background(), engine.StartInput{Definition: definition, Start: machine.Start{
		ARN: "arn:aws:states:us-east-1:" + account + ":execution:m:" + name, Name: name, MachineARN: "arn:aws:states:us-east-1:" + account + ":stateMachine:m",
		MachineName: "m", Region: "us-east-1", Input: value.TextString(input)}})
	if err != nil {
		w.t.Fatal(err)
	}
}

const (
	passes = `{"StartAt":"A","States":{"A":{"Type":"Pass","Result":{"o":1},"End":true}}}`
	waits  = `{"StartAt":"A","States":{"A":{"Type":"Wait","Seconds":60,"Next":"B"},"B":{"Type":"Fail","Error":"E","Cause":"C"}}}`
)

func TestOnceOverACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, store: memory.New(memory.Options{Partitions: 4, RunTwice: true}), seen: map[aws.Token]bool{}, lost: true,
			want: func(account string) bool { return account == "000000000000" }}
		w.open()
		w.start("000000000000", "p", passes, `{"i":1.0}`)
		w.start("000000000000", "w", waits, `{}`)
		w.start("111111111111", "unheard", passes, `{}`)
		time.Sleep(10 * time.Second)
		w.close() // no event was answered: all are still owed
		w.mu.Lock()
		w.lost = false
		w.mu.Unlock()
		w.open()
		defer w.close()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		got := map[string][]string{}
		for _, d := range w.bus {
			got[d["name"].(string)] = append(got[d["name"].(string)], d["status"].(string))
		}
		if strings.Join(got["p"], " ") != "RUNNING SUCCEEDED" || strings.Join(got["w"], " ") != "RUNNING FAILED" || len(got) != 2 {
			t.Fatalf("events %v", got)
		}
		last := w.bus[len(w.bus)-1]
		if last["error"] != "E" || last["cause"] != "C" || last["redriveStatus"] != "REDRIVABLE" || last["output"] != nil || last["outputDetails"] != nil {
			t.Errorf("the failure's event %v", last)
		}
	})
}

func TestLargePayloadsAreLeftOut(t *testing.T) {
	large := value.Of(strings.Repeat("x", 130<<10))
	var d struct {
		Input, Output               *string
		InputDetails, OutputDetails included
	}
	if err := json.Unmarshal(detail(&engine.Change{Status: machine.Succeeded, Input: large, Output: large}), &d); err != nil {
		t.Fatal(err)
	}
	if d.Input == nil || !d.InputDetails.Included || d.Output != nil || d.OutputDetails.Included {
		t.Errorf("input %v, output %v", d.InputDetails, d.OutputDetails)
	}
}
