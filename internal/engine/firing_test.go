package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/memory"
	"github.com/newel-run/newel/machine"
)

// slowDisk takes a second for each commit, which others share, and longer for those of executions whose name says so.
type slowDisk struct {
	store.Store
	held chan struct{} // closed when those are done
}

func (s *slowDisk) Update(ctx context.Context, p store.Partition, fn func(store.Tx) error) error {
	slow := false
	err := s.Store.Update(ctx, p, func(tx store.Tx) error { return fn(&watchedTx{tx, &slow}) })
	time.Sleep(time.Second)
	if slow {
		<-s.held
	}
	return err
}

// watchedTx notes whether it writes a row of an execution whose name has "slow" in it.
type watchedTx struct {
	store.Tx
	slow *bool
}

func (t *watchedTx) Set(key, value []byte) {
	*t.slow = *t.slow || bytes.Contains(key, []byte("slow"))
	t.Tx.Set(key, value)
}

// untilNextDay waits for a moment.
const untilNextDay = `{"StartAt":"W","States":{"W":{"Type":"Wait","Timestamp":"2000-01-02T00:00:00Z","End":true}}}`

// nextDay is that moment: synctest's time begins a day before.
var nextDay = time.Date(2000, 1, 2, 0, 0, 0, 0, time.UTC)

func startAll(t *testing.T, e *engine.Engine, names ...string) {
	t.Helper()
	var wg sync.WaitGroup
	for _, name := range names {
		wg.Go(func() {
			if _, err := e.StartExecution(t.Context(), input(name, `{}`)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func ended(t *testing.T, e *engine.Engine, names []string) (n int) {
	t.Helper()
	for _, name := range names {
		d, err := e.Describe(t.Context(), input(name, `{}`).ARN)
		if err != nil {
			t.Fatal(err)
		}
		if d.Root.Status() == machine.Succeeded {
			n++
		}
	}
	return n
}

func numbered(name string, n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprint(name, i))
	}
	return names
}

// TestTimersOfOneMomentShareSyncs: what is due at the same moment on one partition is applied at the same time, in windows,
// and not one commit after the other.
func TestTimersOfOneMomentShareSyncs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := engine.New(engine.Config{Store: &slowDisk{Store: memory.New(memory.Options{Partitions: 1})}, Definitions: definitions{"d": compile(t, untilNextDay)}})
		if err := e.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		names := numbered("x", 300)
		startAll(t, e, names...)
		time.Sleep(time.Until(nextDay) + 20*time.Second) // 300 commits take 300 s, one after the other
		synctest.Wait()
		if n := ended(t, e, names); n != len(names) {
			t.Errorf("%d of %d executions have ended 20 s after their time", n, len(names))
		}
	})
}

// TestATimerThatTakesLongHoldsUpNoOther: while the timers of some executions are not done, those of all others of the
// partition are applied, and those that become due later too.
func TestATimerThatTakesLongHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &slowDisk{Store: memory.New(memory.Options{Partitions: 1}), held: make(chan struct{})}
		e := engine.New(engine.Config{Store: disk, Definitions: definitions{"d": compile(t, untilNextDay)}})
		if err := e.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		slow, quick := numbered("slow", 20), numbered("x", 200)
		var starting sync.WaitGroup
		starting.Go(func() { startAll(t, e, slow...) })
		startAll(t, e, quick...)
		synctest.Wait()
		close(disk.held)
		starting.Wait()
		disk.held = make(chan struct{})
		time.Sleep(time.Until(nextDay) + time.Minute)
		synctest.Wait()
		if n := ended(t, e, quick); n != len(quick) {
			t.Errorf("%d of %d executions have ended a minute after their time", n, len(quick))
		}
		startAll(t, e, "late") // its moment is over
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := ended(t, e, []string{"late"}); n != 1 {
			t.Error("a timer that came later is not applied")
		}
		close(disk.held)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := ended(t, e, slow); n != len(slow) {
			t.Errorf("%d of %d executions that took long have ended", n, len(slow))
		}
	})
}

// TestTimersOfAnExecutionKeepTheirOrder: timers of one execution that are found due together, after a restart, are applied in
// the order of their times.
func TestTimersOfAnExecutionKeepTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const branches = 100
		var text bytes.Buffer
		text.WriteString(`{"StartAt":"P","States":{"P":{"Type":"Parallel","End":true,"Branches":[`)
		for i := range branches {
			if i > 0 {
				text.WriteByte(',')
			}
			seconds := 60 + i*37%branches
			fmt.Fprintf(&text, `{"StartAt":"W%d","States":{"W%d":{"Type":"Wait","Seconds":%d,"End":true}}}`, seconds, seconds, seconds)
		}
		text.WriteString(`]}}}`)
		disk := &slowDisk{Store: memory.New(memory.Options{Partitions: 1})}
		config := engine.Config{Store: disk, Definitions: definitions{"d": compile(t, text.String())}}
		e := engine.New(config)
		if err := e.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		startAll(t, e, "one")
		e.Close()
		time.Sleep(time.Hour)
		e = engine.New(config)
		if err := e.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		events, _, err := e.History(t.Context(), input("one", `{}`).ARN, engine.HistoryQuery{Max: 10_000})
		if err != nil {
			t.Fatal(err)
		}
		var over []string
		for _, ev := range events {
			if ev.Type == machine.EventWaitStateExited {
				over = append(over, ev.Name)
			}
		}
		if len(over) != branches {
			t.Errorf("%d of %d waits are over", len(over), branches)
		}
		for i, name := range over {
			if name != fmt.Sprint("W", 60+i) {
				t.Errorf("wait %d to be over is %s", i, name)
			}
		}
	})
}
