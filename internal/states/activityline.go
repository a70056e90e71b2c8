package states

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"maps"
	"slices"
	"sync"

	"github.com/newel-run/newel/internal/store"
)

// lines are the beginnings of the queues that are polled, by activity ARN.
type lines struct {
	mu sync.Mutex
	by map[string]*line
}

// line is the beginning of an activity's queue in memory: tasks in the order of their numbers. What is in it is in the store.
// After a restart a task may be in it that has been claimed: its claim is refused then.
type line struct {
	arn     string
	loading sync.Mutex // held while it is read from the store

	mu       sync.Mutex
	tasks    []queuedTask
	bytes    int
	whole    bool                // the store has nothing that is not in tasks or in out
	reading  bool                // from the store
	during   []queuedTask        // added meanwhile
	missed   bool                // more was added than that
	out      map[uint64]struct{} // taken, and not removed from the store yet
	rows     []uint64            // to be removed from the store
	removing bool
}

type queuedTask struct {
	number uint64
	task   *waitingTask
	size   int
}

// lineTasks and lineBytes bound a line; what is beyond them lies in the store.
const (
	lineTasks = 1000
	lineBytes = 1 << 20
)

func (s *lines) of(arn string) *line {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.by[arn]
	if l == nil {
		l = &line{arn: arn, out: map[uint64]struct{}{}}
		if s.by == nil {
			s.by = map[string]*line{}
		}
		s.by[arn] = l
	}
	return l
}

// polled reports whether the activity is known to exist because its queue is in memory as a whole.
func (s *lines) polled(arn string) bool {
	s.mu.Lock()
	l := s.by[arn]
	s.mu.Unlock()
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.whole
}

// close forgets the line of an activity that is deleted.
func (s *lines) close(arn string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.by, arn)
}

// add appends a task that has come into the store, if there are polls for it to be ready for.
func (s *lines) add(arn string, number uint64, task *waitingTask, size int) {
	s.mu.Lock()
	l := s.by[arn]
	s.mu.Unlock()
	if l != nil {
		l.add(queuedTask{number, task, size})
	}
}

func (l *line) add(t queuedTask) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.whole && l.fits(t.size):
		l.insert(t)
	case l.reading && len(l.during) < lineTasks/8 && t.size <= lineBytes/64:
		l.during = append(l.during, t)
	default:
		l.whole, l.missed = false, true
	}
}

// fits reports whether there is room for a task of a size; one fits always.
func (l *line) fits(size int) bool {
	return len(l.tasks) == 0 || len(l.tasks) < lineTasks && l.bytes+size <= lineBytes
}

// insert keeps the order of numbers: transactions become durable together, and who is told first is not settled.
func (l *line) insert(t queuedTask) {
	i := len(l.tasks)
	for i > 0 && l.tasks[i-1].number > t.number {
		i--
	}
	l.tasks = slices.Insert(l.tasks, i, t)
	l.bytes += t.size
}

// first takes the first task out, or answers nil if none waits.
func (l *line) first(ctx context.Context, s *Service, p store.Partition) (*queuedTask, error) {
	t, whole := l.take()
	if t != nil || whole {
		return t, nil
	}
	l.loading.Lock()
	defer l.loading.Unlock()
	if t, whole = l.take(); t != nil || whole { // somebody else has loaded it
		return t, nil
	}
	if err := l.load(ctx, s, p); err != nil {
		return nil, err
	}
	t, _ = l.take()
	return t, nil
}

func (l *line) take() (t *queuedTask, whole bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.tasks) == 0 {
		return nil, l.whole
	}
	first := l.tasks[0]
	l.tasks[0] = queuedTask{}
	l.tasks = l.tasks[1:]
	l.bytes -= first.size
	l.out[first.number] = struct{}{}
	return &first, l.whole
}

// load reads the beginning of the queue from the store.
func (l *line) load(ctx context.Context, s *Service, p store.Partition) error {
	l.mu.Lock()
	l.reading, l.missed = true, false
	out := maps.Clone(l.out) // those whose rows the store may still show
	l.mu.Unlock()
	read, more, err := l.read(ctx, s, p, out)
	l.mu.Lock()
	defer l.mu.Unlock()
	during := l.during
	l.reading, l.during = false, nil
	if err != nil {
		return err
	}
	seen := uint64(0) // up to which the store has been read
	for _, t := range read {
		l.insert(t)
		seen = t.number
	}
	for _, t := range during {
		if t.number > seen {
			l.insert(t)
		}
	}
	l.whole = !more && !l.missed
	return nil
}

// read reads the tasks at the beginning of the queue that are not out; more are there if there was no room for all.
func (l *line) read(ctx context.Context, s *Service, p store.Partition, out map[uint64]struct{}) (read []queuedTask, more bool, err error) {
	err = s.env.Store.View(ctx, p, func(rd store.Reader) error {
		read, more = nil, false
		if a, err := readActivity(rd, l.arn); err != nil || a == nil {
			if err == nil {
				err = noActivity(l.arn)
			}
			return err
		}
		size := 0
		for k, v := range rd.Scan(waitingKey(l.arn), waitingKey(l.arn).End(), false) {
			if len(read) > 0 && (len(read) >= lineTasks || size+len(v) > lineBytes) {
				more = true
				break
			}
			number := binary.BigEndian.Uint64(k[len(k)-8:])
			if _, taken := out[number]; taken {
				continue
			}
			t := queuedTask{number, &waitingTask{}, len(v)}
			if err := json.Unmarshal(v, t.task); err != nil {
				return err
			}
			read, size = append(read, t), size+len(v)
		}
		return nil
	})
	return read, more, err
}

// giveBack puts a task that could not be claimed into its place again.
func (l *line) giveBack(t *queuedTask) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.out, t.number)
	l.insert(*t)
}

// remove removes the row of a claimed task from the store, together with those that are claimed meanwhile. Nobody waits for it.
func (l *line) remove(s *Service, p store.Partition, number uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rows = append(l.rows, number)
	if l.removing {
		return
	}
	l.removing = true
	s.removals.Go(func() { l.removeAll(s, p) })
}

func (l *line) removeAll(s *Service, p store.Partition) {
	for {
		l.mu.Lock()
		rows := l.rows
		l.rows = nil
		if len(rows) == 0 {
			l.removing = false
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
		err := s.env.Store.Update(store.Finishing(context.Background()), p, func(tx store.Tx) error {
			for _, n := range rows {
				tx.Delete(waitingKey(l.arn).U64(n))
			}
			return nil
		})
		if err != nil { // a later poll finds that they are claimed
			s.env.Log.Warn("claimed tasks stay in their activity's queue", "activity", l.arn, "error", err)
		}
		l.mu.Lock()
		for _, n := range rows {
			delete(l.out, n)
		}
		l.mu.Unlock()
	}
}
