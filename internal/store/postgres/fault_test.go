package postgres_test

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/postgres"
)

func open(t *testing.T, url string, o postgres.Options) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func increment(tx store.Tx) error {
	v, err := tx.Get([]byte("n"))
	n := uint64(0)
	if len(v) == 8 {
		n = binary.BigEndian.Uint64(v)
	}
	tx.Set([]byte("n"), binary.BigEndian.AppendUint64(nil, n+1))
	return err
}

func counter(t *testing.T, s store.Store, p store.Partition) (n uint64) {
	t.Helper()
	err := s.View(t.Context(), p, func(r store.Reader) error {
		v, err := r.Get([]byte("n"))
		if len(v) == 8 {
			n = binary.BigEndian.Uint64(v)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func read(t *testing.T, s store.Store) error {
	return s.View(t.Context(), 1, func(r store.Reader) error { _, err := r.Get([]byte("n")); return err })
}

// exactlyOnce increments counters while disturb runs: each acknowledged increment must have happened, each refused one not.
func exactlyOnce(t *testing.T, s *postgres.Store, disturb func()) {
	t.Helper()
	var done [4]atomic.Uint64
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			p := w % len(done)
			for ctx.Err() == nil {
				switch err := s.Update(context.Background(), store.Partition(p), increment); {
				case err == nil:
					done[p].Add(1)
				case !errors.Is(err, store.ErrUnavailable):
					t.Errorf("update: %v", err)
					return
				}
			}
		})
	}
	disturb()
	cancel()
	wg.Wait()
	for p := range done {
		if n := counter(t, s, store.Partition(p)); n != done[p].Load() || n == 0 {
			t.Errorf("partition %d: the counter is %d after %d acknowledged increments", p, n, done[p].Load())
		}
	}
	if err := s.Err(); err != nil {
		t.Error(err)
	}
}

// Connections that the database ends, at whatever moment, cost nothing but time.
func TestTerminatedConnections(t *testing.T) {
	for _, isolation := range []string{"read committed", "serializable"} {
		t.Run(isolation, func(t *testing.T) {
			d := newDatabase(t)
			name := "newel-" + d.schema
			url := d.url("") + "&application_name=" + name + "&default_transaction_isolation=" + strings.ReplaceAll(isolation, " ", "%20")
			s := open(t, url, quick)
			exactlyOnce(t, s, func() {
				conn := d.connect()
				defer conn.Close(context.Background())
				for range 40 {
					before := counter(t, s, 0)
					_, err := conn.Exec(context.Background(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1", name)
					if err != nil {
						t.Error(err)
						return
					}
					waitFor(t, func() bool { return current(s, 0) > before })
				}
			})
		})
	}
}

// current is a partition's counter if it can be read at present.
func current(s store.Store, p store.Partition) (n uint64) {
	_ = s.View(context.Background(), p, func(r store.Reader) error {
		v, err := r.Get([]byte("n"))
		if len(v) == 8 {
			n = binary.BigEndian.Uint64(v)
		}
		return err
	})
	return n
}

// waitFor asks until something is so; a test that waits in vain is ended by the test's own time limit.
func waitFor(t *testing.T, so func() bool) {
	t.Helper()
	for !so() && !t.Failed() {
		time.Sleep(time.Millisecond)
	}
}

// A commit that the database has made but could not answer counts once.
func TestUnansweredCommit(t *testing.T) {
	d, p := newDatabase(t), newProxy(t)
	s := open(t, d.url(p.address()), quick)
	if err := s.Update(t.Context(), 1, increment); err != nil {
		t.Fatal(err)
	}
	conn := d.connect()
	defer conn.Close(context.Background())
	commits := func() (n int) {
		if err := conn.QueryRow(context.Background(), "SELECT commit_number FROM newel_lease").Scan(&n); err != nil {
			t.Error(err)
		}
		return n
	}
	before := commits()
	updated := make(chan error, 1)
	go func() {
		updated <- s.Update(t.Context(), 1, func(tx store.Tx) error {
			err := increment(tx)
			p.swallowAnswers() // all has been read
			return err
		})
	}()
	waitFor(t, func() bool { return commits() > before })
	select {
	case err := <-updated:
		t.Fatalf("acknowledged without an answer: %v", err)
	default:
	}
	p.cut()
	p.restore()
	if err := <-updated; err != nil {
		t.Fatal(err)
	}
	if n := counter(t, s, 1); n != 2 || commits() != before+1 {
		t.Errorf("the counter is %d, want 2; %d commits, want %d", n, commits(), before+1)
	}
}

// A commit that is ended before it is made is made again.
func TestTerminatedCommit(t *testing.T) {
	d := newDatabase(t)
	s := open(t, d.url(""), quick)
	release := d.holdCommits()
	updated := make(chan error, 1)
	go func() { updated <- s.Update(t.Context(), 1, increment) }()
	conn := d.connect()
	defer conn.Close(context.Background())
	waitFor(t, func() bool { // until the commit waits for the row, and was ended there
		var ended int
		err := conn.QueryRow(context.Background(), `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE application_name = 'newel' AND wait_event_type = 'Lock' AND query LIKE '%fence%' AND pg_backend_pid() <> pid`).Scan(&ended)
		if err != nil {
			t.Error(err)
		}
		return ended > 0
	})
	release()
	if err := <-updated; err != nil {
		t.Fatal(err)
	}
	if n := counter(t, s, 1); n != 1 {
		t.Errorf("the counter is %d, want 1", n)
	}
}

// While the database is away new work is refused, finishing work waits, and all goes on by itself afterwards.
func TestAway(t *testing.T) {
	d, p := newDatabase(t), newProxy(t)
	o := quick
	o.Patience = 50 * time.Millisecond
	s := open(t, d.url(p.address()), o)
	p.cut()
	for _, call := range []func() error{
		func() error { return s.Update(t.Context(), 1, increment) },
		func() error { return read(t, s) },
	} {
		if err := call(); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("new work: %v, want ErrUnavailable", err)
		}
	}
	finishing := make(chan error, 1)
	go func() { finishing <- s.Update(store.Finishing(t.Context()), 2, increment) }()
	ctx, cancel := context.WithCancel(t.Context())
	given := make(chan error, 1)
	go func() { given <- s.Update(store.Finishing(ctx), 3, increment) }()
	cancel()
	if err := <-given; !errors.Is(err, context.Canceled) {
		t.Errorf("a call that is given up: %v", err)
	}
	p.restore()
	if err := <-finishing; err != nil {
		t.Errorf("finishing work: %v", err)
	}
	waitFor(t, func() bool { return s.Update(t.Context(), 1, increment) == nil })
	for partition, want := range map[store.Partition]uint64{1: 1, 2: 1, 3: 0} {
		if n := counter(t, s, partition); n != want {
			t.Errorf("partition %d: %d, want %d", partition, n, want)
		}
	}
}

// An owner that was away for longer than its lease finds another one and changes nothing.
func TestFenced(t *testing.T) {
	d, p := newDatabase(t), newProxy(t)
	o := quick
	o.Patience = 50 * time.Millisecond
	first := open(t, d.url(p.address()), o)
	if err := first.Update(t.Context(), 1, increment); err != nil {
		t.Fatal(err)
	}
	p.cut()
	waitFor(t, func() bool { return errors.Is(read(t, first), store.ErrUnavailable) })
	late := make(chan error, 1)
	go func() {
		late <- first.Update(store.Finishing(t.Context()), 1, func(tx store.Tx) error { tx.Set([]byte("late"), nil); return nil })
	}()
	second := open(t, d.url(""), quick) // when the lease has expired
	if err := second.Update(t.Context(), 1, increment); err != nil {
		t.Fatal(err)
	}
	p.restore()
	if err := <-late; !errors.Is(err, store.ErrFenced) {
		t.Errorf("the first owner's update: %v, want ErrFenced", err)
	}
	<-first.Failed()
	if err := first.Err(); !errors.Is(err, store.ErrFenced) || !errors.Is(err, store.ErrFailed) {
		t.Errorf("the first owner: %v", err)
	}
	t.Logf("message: %v", first.Err())
	err := second.View(t.Context(), 1, func(r store.Reader) error {
		v, err := r.Get([]byte("late"))
		if v != nil {
			t.Error("the first owner has written after it was fenced")
		}
		return err
	})
	if n := counter(t, second, 1); n != 2 || err != nil {
		t.Errorf("%d increments, want 2: %v", n, err)
	}
}

// An idle owner finds out too.
func TestFencedWhileIdle(t *testing.T) {
	d := newDatabase(t)
	s := open(t, d.url(""), quick)
	d.exec("UPDATE newel_lease SET owner = 'somebody', epoch = epoch + 1")
	<-s.Failed()
	if err := s.Err(); !errors.Is(err, store.ErrFenced) {
		t.Error(err)
	}
}

// A commit whose answer was lost, and then the lease, is in doubt: it must not be reported as not made.
func TestInDoubt(t *testing.T) {
	d := newDatabase(t)
	s := open(t, d.url(""), quick)
	release := d.holdCommits()
	updated := make(chan error, 1)
	go func() { updated <- s.Update(t.Context(), 1, increment) }()
	taker := d.connect()
	defer taker.Close(context.Background())
	waitFor(t, func() bool {
		var waiting int
		if err := taker.QueryRow(context.Background(), `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE application_name = 'newel' AND wait_event_type = 'Lock' AND query LIKE '%fence%' AND pg_backend_pid() <> pid`).Scan(&waiting); err != nil {
			t.Error(err)
		}
		return waiting > 0
	})
	taken := make(chan error, 1)
	go func() { // waits for the row, as the commit's second attempt does behind it or before it
		_, err := taker.Exec(context.Background(), "UPDATE newel_lease SET owner = 'somebody', epoch = epoch + 1")
		taken <- err
	}()
	other := d.connect()
	defer other.Close(context.Background())
	waitFor(t, func() bool {
		var waiting int
		if err := other.QueryRow(context.Background(), `SELECT count(*) FROM pg_stat_activity
			WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE newel_lease SET owner = ''somebody''%'`).Scan(&waiting); err != nil {
			t.Error(err)
		}
		return waiting > 0
	})
	release()
	if err := <-taken; err != nil {
		t.Fatal(err)
	}
	err := <-updated
	if err != nil && (!errors.Is(err, store.ErrFailed) || errors.Is(err, store.ErrFenced)) {
		t.Errorf("the commit in doubt: %v, want ErrFailed and not ErrFenced", err)
	}
	<-s.Failed()
}

// A database without space refuses new work, and what was accepted is done when there is space again.
func TestNoSpace(t *testing.T) {
	d := newDatabase(t)
	s := open(t, d.url(""), quick)
	d.exec(`CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no space' USING ERRCODE = '53100'; END $$`,
		`CREATE TRIGGER full_disk BEFORE INSERT ON newel_row EXECUTE FUNCTION full_disk()`)
	var accepted, refused atomic.Uint64
	var calls sync.WaitGroup
	waitFor(t, func() bool { // those that come before the store has met the full disk wait for space
		calls.Go(func() {
			switch err := s.Update(t.Context(), 1, increment); {
			case err == nil:
				accepted.Add(1)
			case errors.Is(err, store.ErrFull):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
		return refused.Load() > 0
	})
	d.exec(`DROP TRIGGER full_disk ON newel_row`)
	calls.Wait()
	if err := s.Update(t.Context(), 1, increment); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	if n := counter(t, s, 1); n != accepted.Load()+1 || n < 2 {
		t.Errorf("the counter is %d after %d accepted increments and one more", n, accepted.Load())
	}
}

// A restart of the database under load costs nothing but time. NEWEL_TEST_POSTGRES_RESTART is a command that crashes the
// database and starts it again.
func TestRestart(t *testing.T) {
	command := os.Getenv("NEWEL_TEST_POSTGRES_RESTART")
	if command == "" {
		t.Skip("SKIPPED: NEWEL_TEST_POSTGRES_RESTART is no command that restarts the database")
	}
	s := open(t, newDatabase(t).url(""), postgres.Options{Partitions: 16, Patience: time.Minute})
	exactlyOnce(t, s, func() {
		for range 3 {
			before := current(s, 0)
			waitFor(t, func() bool { return current(s, 0) > before+50 })
			if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		}
	})
}

func TestRefusals(t *testing.T) {
	d := newDatabase(t)
	s := open(t, d.url(""), quick)
	err := s.Update(t.Context(), 1, func(tx store.Tx) error { tx.Set(make([]byte, 5000), nil); return nil })
	if err == nil || !strings.Contains(err.Error(), "2600") {
		t.Errorf("a key that no index takes: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	d.exec("UPDATE newel_store SET format = 99")
	if _, err := d.open(quick); !errors.Is(err, store.ErrFormat) {
		t.Errorf("a newer format: %v", err)
	}
	for _, bad := range []string{"postgres://127.0.0.1:1/none?password=secret", "postgres://u:secret@127.0.0.1:bad/none"} {
		o := quick
		o.Patience = time.Millisecond
		_, err := postgres.Open(t.Context(), bad, o)
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v", err)
		}
		t.Logf("message: %v", err)
	}
	if text := postgres.Describe("postgres://u:secret@db.example:5433/newel"); text != "newel at db.example:5433" {
		t.Error(text)
	}
}

// A transaction that only reads may find its rows in memory: of an owner whose lease is over they are not given out.
func TestFencedReader(t *testing.T) {
	d, p := newDatabase(t), newProxy(t)
	first := open(t, d.url(p.address()), quick)
	if err := first.Update(t.Context(), 1, increment); err != nil {
		t.Fatal(err)
	}
	p.cut()
	second := open(t, d.url(""), quick)
	if err := second.Update(t.Context(), 1, increment); err != nil {
		t.Fatal(err)
	}
	p.restore()
	err := first.Update(store.Finishing(t.Context()), 1, func(tx store.Tx) error { _, err := tx.Get([]byte("n")); return err })
	if !errors.Is(err, store.ErrFenced) {
		t.Errorf("a read of the former owner: %v, want ErrFenced", err)
	}
}

// A View that may be repeated reads what it can from memory, and all of it as of one moment.
func TestRepeatableView(t *testing.T) {
	d, p := newDatabase(t), newProxy(t)
	s := open(t, d.url(p.address()), postgres.Options{Partitions: 16})
	set := func(v string) {
		t.Helper()
		err := s.Update(t.Context(), 1, func(tx store.Tx) error {
			tx.Set([]byte("a"), []byte(v))
			tx.Set([]byte("b"), []byte(v))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	get := func(r store.Reader, key string) string {
		v, _ := r.Get([]byte(key))
		return string(v)
	}
	set("old")
	ctx := store.Repeatable(t.Context())
	runs, got := 0, ""
	err := s.View(ctx, 1, func(r store.Reader) error {
		got = get(r, "a")
		if runs++; runs == 1 {
			set("new") // between the two reads
		}
		got += " " + get(r, "b")
		return nil
	})
	if err != nil || got != "new new" {
		t.Errorf("%q, %v: half of the View is of another moment", got, err)
	}
	err = s.View(ctx, 1, func(r store.Reader) error { // what is not in memory
		got = get(r, "a") + " " + get(r, "absent")
		for k := range r.Scan(nil, nil, false) {
			got += " " + string(k)
		}
		return nil
	})
	if err != nil || got != "new  a b" {
		t.Errorf("%q, %v", got, err)
	}
	p.cut()
	runs = 0
	err = s.View(ctx, 1, func(r store.Reader) error { runs++; got = get(r, "a"); return nil })
	if err != nil || got != "new" || runs != 1 {
		t.Errorf("without the database: %q, %v, %d runs", got, err, runs)
	}
	p.restore()
}

// Close does not wait for a database that does not come back, and says that it is not known what became of the last commit.
func TestCloseWhileAway(t *testing.T) {
	d, p := newDatabase(t), newProxy(t)
	o := quick
	o.Patience = 50 * time.Millisecond
	s := open(t, d.url(p.address()), o)
	p.cut()
	waitFor(t, func() bool { return errors.Is(read(t, s), store.ErrUnavailable) })
	updated := make(chan error, 1)
	go func() {
		updated <- s.Update(store.Finishing(t.Context()), 1, func(tx store.Tx) error { tx.Set([]byte("k"), nil); return nil })
	}()
	reading := make(chan error, 1)
	go func() { reading <- s.Update(store.Finishing(t.Context()), 2, increment) }()
	ran := func() bool { return s.Update(t.Context(), 3, increment) != nil } // others run meanwhile
	waitFor(t, ran)
	if err := s.Close(); err != nil && !errors.Is(err, store.ErrFailed) {
		t.Errorf("close: %v", err)
	}
	for name, ended := range map[string]chan error{"a commit": updated, "a read": reading} {
		if err := <-ended; !errors.Is(err, store.ErrFailed) && !errors.Is(err, store.ErrClosed) && !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
