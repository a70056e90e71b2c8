package machine

import "github.com/newel-run/newel/asl/value"

// inlineBytes is the size from which a document is stored as a payload of its own.
const inlineBytes = 1024

// Payload is a document that is stored by itself.
type Payload struct {
	Doc *value.Doc
}

// slot is a place in a frame or the root that holds a document.
//
// Invariant: between steps, exactly one of doc (stored inline, shorter than inlineBytes) and n (the number of a payload) is
// there, or neither if the slot is empty. Inside a step doc is there as soon as it was read. owned implies n != 0.
type slot struct {
	doc   *value.Doc
	n     uint32
	owned bool
}

func (s *slot) empty() bool { return s.doc == nil && s.n == 0 }

// resolve is the slot's document, without keeping it there.
func (s *slot) resolve(pieces Pieces) *value.Doc {
	if s.doc != nil || s.n == 0 {
		return s.doc
	}
	return pieces(Key{KindPayload, s.n}).(*Payload).Doc
}

// read is the slot's document, kept in the slot from now on.
func (w *run) read(s *slot) *value.Doc {
	if s.doc == nil && s.n != 0 {
		s.doc = w.payload(s.n)
		if w.homes == nil {
			w.homes = make(map[*value.Doc]uint32)
		}
		w.homes[s.doc] = s.n
	}
	return s.doc
}

func (w *run) payload(n uint32) *value.Doc {
	if p, ok := w.payloads[n]; ok {
		return p.Doc
	}
	return w.pieces(Key{KindPayload, n}).(*Payload).Doc
}

// write puts another document into a slot. The same document stays where it is.
func (w *run) write(s *slot, doc *value.Doc) {
	if s.doc == doc && doc != nil {
		return
	}
	w.clear(s)
	s.doc = doc
}

// clear empties a slot and removes the payload that it owns.
func (w *run) clear(s *slot) {
	if s.owned {
		w.dropPayload(s.n)
	}
	*s = slot{}
}

func (w *run) putPayload(n uint32, doc *value.Doc) {
	if w.payloads == nil {
		w.payloads = make(map[uint32]*Payload)
	}
	w.payloads[n] = &Payload{doc}
	w.bytes += doc.Size()
}

func (w *run) dropPayload(n uint32) {
	if w.payloads == nil {
		w.payloads = make(map[uint32]*Payload)
	}
	if w.payloads[n] != nil {
		delete(w.payloads, n) // it was made in this step
		return
	}
	w.payloads[n] = nil
}

// unsettled reports whether a slot's document is too large to stay in it.
func (s *slot) unsettled() bool { return s.doc != nil && s.n == 0 && s.doc.Size() >= inlineBytes }

// settle moves a document that is too large for its place into a payload, or borrows the one in which a lender, who
// outlives the slot, holds the very same document.
func (w *run) settle(s *slot, lenders ...*slot) {
	if !s.unsettled() {
		return
	}
	home := w.homes[s.doc]
	for _, l := range lenders {
		if l.n != 0 && (l.n == home || l.doc == s.doc) {
			s.n = l.n
			return
		}
	}
	w.root.payloads++
	s.n, s.owned = w.root.payloads, true
	w.putPayload(s.n, s.doc)
}

// unload leaves only the number of a document that is stored by itself.
func (s *slot) unload() {
	if s.n != 0 {
		s.doc = nil
	}
}
