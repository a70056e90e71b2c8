package states

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"iter"
	"sync"

	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// sealedStore is the store of the engine and of map runs: what executions of machines with a customer managed key say
// (pieces, history, the arguments of tasks that are sent, the record of an Express execution, a map run's input, items
// and results) is encrypted on its way in and opened on its way out. Neither knows anything of it. Which executions these are follows from their meta row, which stays readable, and
// from the keys of revisions, which are known before the engine can step an execution (learn).
//
// Tasks in the outbox are not opened when they are scanned, so that a server starts whatever the state of its keys:
// unlock opens one before it is sent.
type sealedStore struct {
	store.Store
	env *service.Env

	mu   sync.RWMutex
	keys map[string]*service.Protection // definition -> how its executions are kept; only those with a key
	seen map[string]*service.Protection // execution or map run -> the same; nil: without a key
}

func newSealedStore(env *service.Env) *sealedStore {
	return &sealedStore{Store: env.Store, env: env, keys: map[string]*service.Protection{}, seen: map[string]*service.Protection{}}
}

// changed gives engine.Config.Changed what it does not know: how the execution's data is kept.
func (s *sealedStore) changed(tell func(*engine.Change, *service.Protection) engine.Write) func(*engine.Change) engine.Write {
	if tell == nil {
		return nil
	}
	return func(c *engine.Change) engine.Write { return tell(c, s.key(c.Definition)) }
}

// key is how the executions of a definition are kept; nil for one without a key.
func (s *sealedStore) key(definition string) *service.Protection {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.keys[definition]
}

// seenMost bounds the executions that are remembered.
const seenMost = 4096

// learn notes the key of a definition. It is called before the definition's executions are stepped.
func (s *sealedStore) learn(definition string, p *service.Protection) {
	if p == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[definition] = p
}

// Update implements store.Store.
func (s *sealedStore) Update(ctx context.Context, p store.Partition, fn func(store.Tx) error) error {
	return s.env.WithKeys(ctx, func() error {
		return s.Store.Update(ctx, p, func(tx store.Tx) error {
			x := &sealedTx{sealedReader{s: s, Reader: tx}, tx}
			err := fn(x)
			if x.err != nil {
				return x.err
			}
			return err
		})
	})
}

// View implements store.Store.
func (s *sealedStore) View(ctx context.Context, p store.Partition, fn func(store.Reader) error) error {
	return s.env.WithKeys(ctx, func() error {
		return s.Store.View(ctx, p, func(rd store.Reader) error {
			r := &sealedReader{s: s, Reader: rd}
			err := fn(r)
			if r.err != nil {
				return r.err
			}
			return err
		})
	})
}

// sealedMark begins a sealed value; every record's own first byte is its version, a small number. The account, region
// and machine follow, with their lengths before them: the context that opens it.
const sealedMark = 0xff

func (s *sealedStore) seal(p *service.Protection, v []byte) ([]byte, error) {
	sealed, err := s.env.Seal(p, v)
	if err != nil {
		return nil, err
	}
	b := []byte{sealedMark}
	for _, part := range []string{p.Account, p.Region, p.Context[machineContext]} {
		b = append(binary.AppendUvarint(b, uint64(len(part))), part...)
	}
	return append(b, sealed...), nil
}

func (s *sealedStore) open(v []byte) ([]byte, error) {
	if len(v) == 0 || v[0] != sealedMark {
		return v, nil
	}
	var parts [3]string
	rest := v[1:]
	for i := range parts {
		n, used := binary.Uvarint(rest)
		if used <= 0 || uint64(len(rest)-used) < n {
			return nil, store.ErrCorrupt
		}
		parts[i], rest = string(rest[used:used+int(n)]), rest[used+int(n):]
	}
	return s.env.Open(&service.Protection{Account: parts[0], Region: parts[1], Context: map[string]string{machineContext: parts[2]}}, rest)
}

// of is how the execution in a key's row is kept; nil for one without a key.
func (s *sealedStore) of(rd store.Reader, arn string) (*service.Protection, error) {
	if p, known := s.known(arn); known {
		return p, nil
	}
	definition, err := definitionOf(rd, arn)
	if err != nil || definition == "" {
		return nil, err
	}
	return s.note(arn, definition), nil
}

// definitionOf reads the id of an execution's definition from its meta row, "" if there is no execution.
func definitionOf(rd store.Reader, arn string) (string, error) {
	b, err := rd.Get(append(store.K(store.TableExecution, arn), 'm'))
	if err != nil || len(b) == 0 {
		return "", err
	}
	var meta struct {
		Definition string `json:"d"`
	}
	err = json.Unmarshal(b[1:], &meta)
	return meta.Definition, err
}

// ofRun is how a map run is kept, by its record: the one that is being written, or that which is there.
func (s *sealedStore) ofRun(rd store.Reader, uuid string, record []byte) (*service.Protection, error) {
	if p, known := s.known(uuid); known {
		return p, nil
	}
	if record == nil {
		var err error
		if record, err = rd.Get(store.K(store.TableMapRun, "run", uuid)); err != nil || len(record) == 0 {
			return nil, err
		}
	}
	var run struct {
		Definition string `json:"definition"`
	}
	if err := json.Unmarshal(record[1:], &run); err != nil {
		return nil, err
	}
	return s.note(uuid, run.Definition), nil
}

func (s *sealedStore) known(name string) (*service.Protection, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p, known := s.seen[name]
	return p, known
}

func (s *sealedStore) note(name, definition string) *service.Protection {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.seen) >= seenMost {
		clear(s.seen)
	}
	p := s.keys[definition]
	s.seen[name] = p
	return p
}

// idle reports that no definition with a key has been seen: nothing is to be encrypted.
func (s *sealedStore) idle() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.keys) == 0
}

// unlock opens a task's arguments.
func (s *sealedStore) unlock(ctx context.Context, arguments []byte) (out []byte, err error) {
	err = s.env.WithKeys(ctx, func() error {
		out, err = s.open(arguments)
		return err
	})
	return out, err
}

type sealedReader struct {
	store.Reader
	s   *sealedStore
	err error
}

// Get implements store.Reader.
func (r *sealedReader) Get(key []byte) ([]byte, error) {
	v, err := r.Reader.Get(key)
	if err != nil || len(v) == 0 || v[0] != sealedMark {
		return v, err
	}
	if v, err = r.s.open(v); err != nil {
		r.err = err
	}
	return v, err
}

// Scan implements store.Reader.
// Missing is store.Missing.
func (r *sealedReader) Missing(key []byte) (bool, error) { return store.Missing(r.Reader, key) }

func (r *sealedReader) Scan(lo, hi []byte, reverse bool) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		for k, v := range r.Reader.Scan(lo, hi, reverse) {
			v, err := r.s.open(v)
			if err != nil {
				r.err = err
				return
			}
			if !yield(k, v) {
				return
			}
		}
	}
}

type sealedTx struct {
	sealedReader
	tx store.Tx
}

func (x *sealedTx) Delete(key []byte)         { x.tx.Delete(key) }
func (x *sealedTx) DeleteRange(lo, hi []byte) { x.tx.DeleteRange(lo, hi) }

// Set implements store.Tx.
func (x *sealedTx) Set(key, v []byte) {
	if x.s.idle() {
		x.tx.Set(key, v)
		return
	}
	v, err := x.sealed(key, v)
	if err != nil {
		x.err = err
		return
	}
	x.tx.Set(key, v)
}

// sealed is a value as it is stored.
func (x *sealedTx) sealed(key, v []byte) ([]byte, error) {
	arn, rest, ok := store.CutStr(key[1:])
	if !ok || arn == "" || len(v) == 0 {
		return v, nil
	}
	switch key[0] {
	case store.TableExecution, store.TableHistory, store.TableOutbox:
		if key[0] == store.TableExecution && len(rest) == 1 && rest[0] == 'm' {
			return v, nil
		}
		p, err := x.s.of(x.tx, arn)
		if err != nil || p == nil {
			return v, err
		}
		if key[0] == store.TableOutbox {
			return x.sealArguments(p, v)
		}
		return x.s.seal(p, v)
	case store.TableExpress:
		var record struct {
			Definition string `json:"d"`
		}
		if err := json.Unmarshal(v[1:], &record); err != nil {
			return nil, err
		}
		if p := x.s.key(record.Definition); p != nil {
			return x.s.seal(p, v)
		}
	case store.TableMapRun:
		return x.sealedRun(arn, rest, v)
	}
	return v, nil
}

// sealedRun is a value of a map run's rows: those that hold data are encrypted. The run's record is written before the
// others.
func (x *sealedTx) sealedRun(kind string, rest, v []byte) ([]byte, error) {
	var record []byte
	switch kind {
	case "run":
		record = v
	case "progress", "child", "page":
	default:
		return v, nil
	}
	uuid, _, ok := store.CutStr(rest)
	if !ok {
		return nil, store.ErrCorrupt
	}
	p, err := x.s.ofRun(x, uuid, record)
	if err != nil || p == nil {
		return v, err
	}
	return x.s.seal(p, v)
}

// sealArguments encrypts what follows the head of an outbox entry: version, the head's length, the head.
func (x *sealedTx) sealArguments(p *service.Protection, v []byte) ([]byte, error) {
	n, used := binary.Uvarint(v[1:])
	if used <= 0 || uint64(len(v)-1-used) < n {
		return nil, store.ErrCorrupt
	}
	head := 1 + used + int(n)
	sealed, err := x.s.seal(p, v[head:])
	if err != nil {
		return nil, err
	}
	return append(append([]byte(nil), v[:head]...), sealed...), nil
}
