package machine

import "encoding/binary"

// reader takes a stored form apart. After the first thing that is wrong everything reads as zero and bad is set, so
// that a decoder checks once, at its end.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) fail() {
	r.bad = true
	r.b = nil
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *reader) uvarint() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *reader) varint() int64 {
	n, size := binary.Varint(r.b)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *reader) u32() uint32 {
	n := r.uvarint()
	if n > 1<<32-1 {
		r.fail()
		return 0
	}
	return uint32(n)
}

// count reads the length of a list whose elements take a byte at least, so that a damaged one cannot ask for much memory.
func (r *reader) count() int {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *reader) str() string { return string(r.take()) }

// take reads a length and that many bytes, which are a part of the input.
func (r *reader) take() []byte {
	n := r.count()
	s := r.b[:n:n]
	r.b = r.b[n:]
	return s
}
