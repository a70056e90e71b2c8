package service

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"sync"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/store"
)

// kept knows, in memory, under which tokens there may be answers in the store: most tokens are new, and to look for what is not
// there costs more than the rest of a small operation.
type kept struct {
	mu      sync.Mutex
	sources map[source]*seen
}

type source struct {
	partition store.Partition
	name      string
}

// seen is what one partition keeps for one source of tokens. It is used inside the partition's transactions only. numbers has
// every answer in the store, and may have some whose transaction came to nothing; low may be ahead of the store's for
// the same reason.
type seen struct {
	loaded  bool
	low     uint64 // answers below it are removed or about to be
	numbers map[uint64]struct{}
}

// of is what a partition keeps for a token's source, read from the store when it is first asked for; nil without a token.
func (k *kept) of(tx store.Tx, p store.Partition, t aws.Token) (*seen, error) {
	if t.Seq == 0 {
		return nil, nil
	}
	k.mu.Lock()
	if k.sources == nil {
		k.sources = map[source]*seen{}
	}
	s := k.sources[source{p, t.Source}]
	if s == nil {
		s = &seen{}
		k.sources[source{p, t.Source}] = s
	}
	k.mu.Unlock()
	if s.loaded {
		return s, nil
	}
	b, err := tx.Get(onceKey(t, 0))
	if err != nil {
		return nil, err
	}
	s.low, s.numbers = 1, map[uint64]struct{}{}
	if b != nil {
		s.low = binary.BigEndian.Uint64(b)
	}
	all := store.K(store.TableOnce, t.Source)
	for key := range tx.Scan(onceKey(t, s.low), all.End(), false) {
		s.numbers[binary.BigEndian.Uint64(key[len(key)-8:])] = struct{}{}
	}
	s.loaded = true
	return s, nil
}

// recall returns the answer that was kept under a token, nil if there is none.
func (s *Service) recall(tx store.Tx, seen *seen, t aws.Token) (any, error) {
	if seen == nil {
		return nil, nil
	}
	if _, maybe := seen.numbers[t.Seq]; !maybe {
		return nil, nil
	}
	b, err := tx.Get(onceKey(t, t.Seq))
	if err != nil || b == nil {
		return nil, err
	}
	if b, err = s.openAnswer(b); err != nil {
		return nil, err
	}
	return json.RawMessage(bytes.Clone(b)), nil
}

// remember keeps an answer under its token, and forgets those that are no longer needed.
func (s *Service) remember(tx store.Tx, seen *seen, c *Context, out any) error {
	if seen == nil {
		return nil
	}
	b, err := Marshal(out)
	if err == nil {
		b, err = s.sealAnswer(c.Protection, b)
	}
	if err != nil {
		return err
	}
	tx.Set(onceKey(c.Token, c.Token.Seq), b)
	seen.numbers[c.Token.Seq] = struct{}{}
	seen.forget(tx, c.Token)
	return nil
}

// forgetAfter is how many answers that nobody asks for any more may pile up before they are removed together.
const forgetAfter = 256

// forget removes the answers below the source's low mark. They are deleted one by one: a store that appends keeps a range
// deletion in every reader's way.
func (s *seen) forget(tx store.Tx, t aws.Token) {
	if t.Low < s.low+forgetAfter {
		return
	}
	for n := range s.numbers {
		if n < t.Low {
			tx.Delete(onceKey(t, n))
			delete(s.numbers, n)
		}
	}
	s.low = t.Low
	tx.Set(onceKey(t, 0), binary.BigEndian.AppendUint64(nil, t.Low))
}

func onceKey(t aws.Token, seq uint64) store.Key { return store.K(store.TableOnce, t.Source).U64(seq) }

// sealedAnswer begins an answer that is kept encrypted, where JSON begins with a bracket: the length of the protection
// as JSON, the protection, the sealed answer.
const sealedAnswer = 0xff

func (s *Service) sealAnswer(p *Protection, answer []byte) ([]byte, error) {
	if p == nil {
		return answer, nil
	}
	sealed, err := s.Env.Seal(p, answer)
	if err != nil {
		return nil, err
	}
	head, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	b := binary.AppendUvarint([]byte{sealedAnswer}, uint64(len(head)))
	return append(append(b, head...), sealed...), nil
}

func (s *Service) openAnswer(b []byte) ([]byte, error) {
	if b[0] != sealedAnswer {
		return b, nil
	}
	n, used := binary.Uvarint(b[1:])
	if used <= 0 || uint64(len(b)-1-used) < n {
		return nil, store.ErrCorrupt
	}
	var p Protection
	if err := json.Unmarshal(b[1+used:1+used+int(n)], &p); err != nil {
		return nil, store.ErrCorrupt
	}
	return s.Env.Open(&p, b[1+used+int(n):])
}
