package states

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"iter"
	"sync"

	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// sealedStore is the engine's store: what executions of machines with a customer managed key say (pieces, history, the
// arguments of tasks that are sent, the record of an Express execution) is encrypted on its way in and opened on its way
// out. The engine knows nothing of it. Which executions these are follows from their meta row, which stays readable, and
// from the keys of revisions, which are known before the engine can step an execution (learn).
//
// Tasks in the outbox are not opened when they are scanned, so that a server starts whatever the state of its keys:
// unlock opens one before it is sent.
type sealedStore struct {
	store.Store
	env *service.Env

	mu   sync.RWMutex
	keys map[string]*service.Protection // definition -> how its executions are kept; only those with a key
	seen map[string]*service.Protection // execution -> the same; nil: without a key
}

func newSealedStore(env *service.Env) *sealedStore {
	return &sealedStore{Store: env.Store, env: env, keys: map[string]*service.Protection{}, seen: map[string]*service.Protection{}}
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
	s.mu.RLock()
	p, known := s.seen[arn]
	s.mu.RUnlock()
	if known {
		return p, nil
	}
	b, err := rd.Get(append(store.K(store.TableExecution, arn), 'm'))
	if err != nil || len(b) == 0 {
		return nil, err
	}
	var meta struct {
		Definition string `json:"d"`
	}
	if err := json.Unmarshal(b[1:], &meta); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.seen) >= seenMost {
		clear(s.seen)
	}
	p = s.keys[meta.Definition]
	s.seen[arn] = p
	return p, nil
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
		x.s.mu.RLock()
		p := x.s.keys[record.Definition]
		x.s.mu.RUnlock()
		if p != nil {
			return x.s.seal(p, v)
		}
	}
	return v, nil
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
