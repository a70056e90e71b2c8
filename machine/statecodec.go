package machine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/newel-run/newel/asl/value"
)

// The stored form of a piece: its version byte, then its fields in the order of the struct; numbers as uvarints, texts
// and documents as a uvarint length and bytes, optional parts behind a byte that says which there are.
const pieceVersion = 1

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func appendOptional(dst []byte, s *string) []byte {
	if s == nil {
		return append(dst, 0)
	}
	return appendText(append(dst, 1), *s)
}

func (r *reader) optional() *string {
	if r.byte() == 0 {
		return nil
	}
	s := r.str()
	return &s
}

func appendTime(dst []byte, ms int64) []byte { return binary.AppendVarint(dst, ms) }

// The kinds of slot.
const (
	slotEmpty = iota
	slotInline
	slotOwned
	slotBorrowed
)

func (s *slot) append(dst []byte) []byte {
	switch {
	case s.n != 0 && s.owned:
		return binary.AppendUvarint(append(dst, slotOwned), uint64(s.n))
	case s.n != 0:
		return binary.AppendUvarint(append(dst, slotBorrowed), uint64(s.n))
	case s.doc != nil:
		b := s.doc.Bytes()
		return append(binary.AppendUvarint(append(dst, slotInline), uint64(len(b))), b...)
	}
	return append(dst, slotEmpty)
}

func (r *reader) slot() slot {
	switch r.byte() {
	case slotEmpty:
		return slot{}
	case slotInline:
		return slot{doc: value.Text(slices.Clone(r.take()))}
	case slotOwned:
		return slot{n: r.u32(), owned: true}
	case slotBorrowed:
		return slot{n: r.u32()}
	}
	r.fail()
	return slot{}
}

// Append appends the stored form.
func (r *Root) Append(dst []byte) []byte {
	dst = append(dst, pieceVersion)
	for _, s := range []string{r.start.ARN, r.start.Name, r.start.MachineARN, r.start.MachineName, r.start.RoleARN, r.start.Region} {
		dst = appendText(dst, s)
	}
	dst = append(dst, r.start.Seed[:]...)
	dst = append(dst, boolByte(r.start.Express))
	dst = r.input.append(dst)
	dst = r.output.append(dst)
	dst = appendOptional(dst, r.failure.name)
	dst = appendOptional(dst, r.failure.cause)
	dst = append(dst, byte(r.status))
	for _, ms := range []int64{r.started, r.stopped, r.due, r.clock} {
		dst = appendTime(dst, ms)
	}
	for _, n := range []uint64{uint64(r.lastEvent), uint64(r.frames), uint64(r.attempts), uint64(r.payloads), uint64(r.live)} {
		dst = binary.AppendUvarint(dst, n)
	}
	dst = appendNumbers(dst, r.ready)
	var has byte
	if r.variables != 0 {
		has |= rootVariables
	}
	if r.redrives != 0 {
		has |= rootRedriven
	}
	dst = append(dst, has)
	if has&rootVariables != 0 {
		dst = binary.AppendUvarint(dst, r.variables)
	}
	if has&rootRedriven != 0 {
		dst = appendTime(binary.AppendUvarint(dst, uint64(r.redrives)), r.redriven)
	}
	return dst
}

// The optional parts of a root, behind the byte that says which there are.
const (
	rootVariables = 1 << iota
	rootRedriven
)

func (r *reader) root() *Root {
	o := &Root{}
	for _, s := range []*string{&o.start.ARN, &o.start.Name, &o.start.MachineARN, &o.start.MachineName, &o.start.RoleARN, &o.start.Region} {
		*s = r.str()
	}
	for i := range o.start.Seed {
		o.start.Seed[i] = r.byte()
	}
	o.start.Express = r.byte() != 0
	o.input = r.slot()
	o.output = r.slot()
	o.failure.name = r.optional()
	o.failure.cause = r.optional()
	o.status = Status(r.byte())
	for _, ms := range []*int64{&o.started, &o.stopped, &o.due, &o.clock} {
		*ms = r.varint()
	}
	o.lastEvent = int64(r.uvarint())
	for _, n := range []*uint32{&o.frames, &o.attempts, &o.payloads, &o.live} {
		*n = r.u32()
	}
	o.ready = r.numbers()
	has := r.byte()
	if has&rootVariables != 0 {
		o.variables = r.uvarint()
	}
	if has&rootRedriven != 0 {
		o.redrives, o.redriven = r.u32(), r.varint()
	}
	return o
}

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func appendNumbers(dst []byte, list []uint32) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(list)))
	for _, n := range list {
		dst = binary.AppendUvarint(dst, uint64(n))
	}
	return dst
}

func (r *reader) numbers() []uint32 {
	n := r.count()
	if n == 0 {
		return nil
	}
	list := make([]uint32, n)
	for i := range list {
		list[i] = r.u32()
	}
	return list
}

// The optional parts of a frame.
const (
	frameRetries = 1 << iota
	frameTask
	frameAnswered
	frameFan
	frameVariables
	frameMapRun
	frameOrigin
)

// Append appends the stored form.
func (f *Frame) Append(dst []byte) []byte {
	dst = append(dst, pieceVersion)
	for _, n := range []uint32{f.id, f.parent, f.index, uint32(f.state)} {
		dst = binary.AppendUvarint(dst, uint64(n))
	}
	dst = append(dst, byte(f.phase))
	dst = f.raw.append(dst)
	dst = appendTime(dst, f.entered)
	for _, n := range []uint64{uint64(f.enteredEvent), uint64(f.enteredPrev), uint64(f.last), uint64(f.attempt)} {
		dst = binary.AppendUvarint(dst, n)
	}
	dst = appendTime(dst, f.due)
	var has byte
	if f.retries != nil {
		has |= frameRetries
	}
	if f.timeout|f.beat|f.taskDue|f.beatDue != 0 {
		has |= frameTask
	}
	if f.answered != nil {
		has |= frameAnswered
	}
	if f.fan != nil {
		has |= frameFan
	}
	if f.vars != nil {
		has |= frameVariables
	}
	if f.mapRun != 0 {
		has |= frameMapRun
	}
	if f.fan != nil && f.fan.origin != nil {
		has |= frameOrigin
	}
	dst = append(dst, has)
	if has&frameRetries != 0 {
		dst = appendNumbers(dst, f.retries)
		dst = binary.AppendUvarint(dst, uint64(f.retryCount))
	}
	if has&frameTask != 0 {
		for _, n := range []int64{f.timeout, f.beat, f.taskDue, f.beatDue} {
			dst = binary.AppendVarint(dst, n)
		}
	}
	if a := f.answered; a != nil {
		dst = append(dst, boolByte(a.failed))
		dst = a.output.append(dst)
		dst = appendOptional(dst, a.name)
		dst = appendOptional(dst, a.cause)
	}
	if fan := f.fan; fan != nil {
		dst = appendTime(dst, fan.since)
		for _, n := range []uint32{fan.length, fan.next, fan.running, fan.limit, fan.first, fan.results} {
			dst = binary.AppendUvarint(dst, uint64(n))
		}
		dst = fan.input.append(dst)
	}
	if has&frameVariables != 0 {
		dst = binary.AppendUvarint(dst, uint64(len(f.vars)))
		for i := range f.vars {
			v := &f.vars[i]
			dst = v.value.append(binary.AppendUvarint(appendText(dst, v.name), uint64(v.size)))
		}
	}
	return f.appendRedrive(dst, has)
}

func (r *reader) frame() *Frame {
	f := &Frame{id: r.u32(), parent: r.u32(), index: r.u32(), state: int(r.u32())}
	f.phase = phase(r.byte())
	f.raw = r.slot()
	f.entered = r.varint()
	f.enteredEvent, f.enteredPrev, f.last = int64(r.uvarint()), int64(r.uvarint()), int64(r.uvarint())
	f.attempt = r.u32()
	f.due = r.varint()
	has := r.byte()
	if has&frameRetries != 0 {
		f.retries = r.numbers()
		f.retryCount = r.u32()
	}
	if has&frameTask != 0 {
		f.timeout, f.beat, f.taskDue, f.beatDue = r.varint(), r.varint(), r.varint(), r.varint()
	}
	if has&frameAnswered != 0 {
		f.answered = &answer{failed: r.byte() != 0, output: r.slot(), name: r.optional(), cause: r.optional()}
	}
	if has&frameFan != 0 {
		f.fan = &fanout{since: r.varint(), length: r.u32(), next: r.u32(), running: r.u32(), limit: r.u32(), first: r.u32(), results: r.u32()}
		f.fan.input = r.slot()
	}
	if has&frameVariables != 0 {
		f.vars = make([]variable, r.count())
		for i := range f.vars {
			f.vars[i] = variable{name: r.str(), size: r.u32(), value: r.slot()}
		}
	}
	r.redriveOf(f, has)
	return f
}

// Append appends the stored form.
func (p *Payload) Append(dst []byte) []byte {
	return append(append(dst, pieceVersion), p.Doc.Bytes()...)
}

var errPiece = errors.New("machine: stored piece is damaged")

// DecodePiece decodes the piece of a key. The bytes are copied, not kept.
func DecodePiece(k Key, b []byte) (Piece, error) {
	if len(b) == 0 {
		return nil, errPiece
	}
	if b[0] != pieceVersion {
		return nil, fmt.Errorf("machine: stored piece has version %d, not %d", b[0], pieceVersion)
	}
	r := &reader{b: b[1:]}
	var p Piece
	switch k.Kind {
	case KindRoot:
		p = r.root()
	case KindFrame:
		f := r.frame()
		if f.id != k.N {
			return nil, errPiece
		}
		p = f
	case KindPayload:
		return &Payload{value.Text(slices.Clone(r.b))}, nil
	default:
		return nil, fmt.Errorf("machine: no kind of piece: %q", k.Kind)
	}
	if r.bad || len(r.b) != 0 {
		return nil, errPiece
	}
	return p, nil
}
