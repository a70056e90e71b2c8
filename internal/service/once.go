package service

import (
	"bytes"
	"encoding/binary"
	"encoding/json"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/store"
)

// recall returns the answer that was kept under a token, and forgets those that are no longer needed.
func (s *Service) recall(tx store.Tx, t aws.Token) (any, error) {
	if t.Seq == 0 {
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

func (s *Service) remember(tx store.Tx, c *Context, out any) error {
	t := c.Token
	if t.Seq == 0 {
		return nil
	}
	b, err := Marshal(out)
	if err == nil {
		b, err = s.sealAnswer(c.Protection, b)
	}
	if err != nil {
		return err
	}
	tx.Set(onceKey(t, t.Seq), b)
	return forget(tx, t)
}

// forgetAfter is how many answers that nobody asks for any more may pile up before they are removed together.
const forgetAfter = 256

// forget removes the answers below the source's low mark. They are deleted one by one: a store that appends keeps a range
// deletion in every reader's way.
func forget(tx store.Tx, t aws.Token) error {
	b, err := tx.Get(onceKey(t, 0))
	if err != nil {
		return err
	}
	low := uint64(1)
	if b != nil {
		low = binary.BigEndian.Uint64(b)
	}
	if t.Low < low+forgetAfter {
		return nil
	}
	for k := range tx.Scan(onceKey(t, low), onceKey(t, t.Low), false) {
		tx.Delete(k)
	}
	tx.Set(onceKey(t, 0), binary.BigEndian.AppendUint64(nil, t.Low))
	return nil
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
