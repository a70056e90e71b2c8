package wire

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/rawjson"
)

var (
	contentCBOR  = "application/cbor"
	smithyRPCv2  = "rpc-v2-cbor"
	errCBORShort = errors.New("CBOR: the text ends unexpectedly")
)

const cborDepthMax = 500

// decodeCBORInput reads a body of RPC v2 CBOR.
func decodeCBORInput(c *Call, m *Message) ([]byte, error) {
	if c.Operation.Input == nil || len(m.Body) == 0 {
		return emptyObject, nil
	}
	d := &cborReader{data: m.Body}
	out, err := d.value(nil, &aws.Member{Shape: c.Operation.Input}, 0)
	if err == nil && len(d.data) > 0 {
		err = errors.New("CBOR: something follows the value")
	}
	if err == nil && out[0] != '{' {
		err = errors.New("CBOR: a map is needed")
	}
	if err != nil {
		return nil, serialization("%s", err)
	}
	return out, nil
}

// cborReader reads CBOR (RFC 8949) as the canonical JSON of a shape. Unknown members are kept; m is nil for them.
type cborReader struct{ data []byte }

// head reads an item's major type and argument; indefinite is an argument that is not there.
func (d *cborReader) head() (major, info byte, n uint64, err error) {
	if len(d.data) == 0 {
		return 0, 0, 0, errCBORShort
	}
	b := d.data[0]
	d.data = d.data[1:]
	major, info = b>>5, b&31
	switch {
	case info < 24:
		return major, info, uint64(info), nil
	case info <= 27:
		size := 1 << (info - 24)
		if len(d.data) < size {
			return 0, 0, 0, errCBORShort
		}
		for _, c := range d.data[:size] {
			n = n<<8 | uint64(c)
		}
		d.data = d.data[size:]
		return major, info, n, nil
	case info == indefinite:
		return major, info, 0, nil
	}
	return 0, 0, 0, fmt.Errorf("CBOR: byte %#x", b)
}

const (
	indefinite = 31
	cborBreak  = 0xff
)

func (d *cborReader) value(dst []byte, m *aws.Member, depth int) ([]byte, error) {
	if depth > cborDepthMax {
		return dst, errors.New("CBOR: nested too deeply")
	}
	major, info, n, err := d.head()
	if err != nil {
		return dst, err
	}
	switch major {
	case 0:
		return strconv.AppendUint(dst, n, 10), noIndefinite(info)
	case 1:
		if n == math.MaxUint64 {
			return append(dst, "-18446744073709551616"...), noIndefinite(info)
		}
		return strconv.AppendUint(append(dst, '-'), n+1, 10), noIndefinite(info)
	case 2, 3:
		b, err := d.bytes(major, info, n)
		if major == 2 {
			return rawjson.AppendString(dst, base64.StdEncoding.EncodeToString(b)), err
		}
		return rawjson.AppendString(dst, string(b)), err
	case 4:
		return d.list(dst, m, info, n, depth)
	case 5:
		return d.mapping(dst, m, info, n, depth)
	case 6:
		if err := noIndefinite(info); err != nil {
			return dst, err
		}
		return d.value(dst, m, depth+1) // tag 1, a time, is the canonical form; other tags only comment on the value
	}
	return d.simple(dst, info, n)
}

func noIndefinite(info byte) error {
	if info == indefinite {
		return errors.New("CBOR: a length is missing")
	}
	return nil
}

// bytes reads a byte or text string, which may come in chunks.
func (d *cborReader) bytes(major, info byte, n uint64) ([]byte, error) {
	if info != indefinite {
		if n > uint64(len(d.data)) {
			return nil, errCBORShort
		}
		b := d.data[:n]
		d.data = d.data[n:]
		return b, nil
	}
	var out []byte
	for !d.end() {
		chunk, i, n, err := d.head()
		if err != nil {
			return nil, err
		}
		if chunk != major || i == indefinite || n > uint64(len(d.data)) {
			return nil, errCBORShort
		}
		out = append(out, d.data[:n]...)
		d.data = d.data[n:]
	}
	return out, nil
}

// end consumes the mark at the end of an indefinite item.
func (d *cborReader) end() bool {
	if len(d.data) > 0 && d.data[0] == cborBreak {
		d.data = d.data[1:]
		return true
	}
	return false
}

func (d *cborReader) list(dst []byte, m *aws.Member, info byte, n uint64, depth int) (_ []byte, err error) {
	var elem *aws.Member
	if m != nil && m.Shape.Elem != nil {
		elem = m.Shape.Elem
	}
	dst = append(dst, '[')
	for i := uint64(0); more(d, info, i, n); i++ {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = d.value(dst, elem, depth+1); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

func more(d *cborReader, info byte, i, n uint64) bool {
	if info == indefinite {
		return !d.end()
	}
	return i < n
}

func (d *cborReader) mapping(dst []byte, m *aws.Member, info byte, n uint64, depth int) (_ []byte, err error) {
	dst = append(dst, '{')
	for i := uint64(0); more(d, info, i, n); i++ {
		major, ki, kn, err := d.head()
		if err != nil {
			return dst, err
		}
		if major != 3 {
			return dst, errors.New("CBOR: a map's key is not a text")
		}
		key, err := d.bytes(major, ki, kn)
		if err != nil {
			return dst, err
		}
		var mem *aws.Member
		if m != nil {
			if mem = m.Shape.Value; m.Shape.Type == "structure" {
				mem = m.Shape.Member(string(key))
			}
		}
		if dst, err = d.value(rawjson.AppendName(dst, string(key)), mem, depth+1); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// simple reads booleans, null and floats.
func (d *cborReader) simple(dst []byte, info byte, n uint64) ([]byte, error) {
	var f float64
	switch info {
	case 20:
		return append(dst, "false"...), nil
	case 21:
		return append(dst, "true"...), nil
	case 22, 23:
		return append(dst, "null"...), nil
	case 25:
		f = halfFloat(uint16(n))
	case 26:
		f = float64(math.Float32frombits(uint32(n)))
	case 27:
		f = math.Float64frombits(n)
	default:
		return dst, fmt.Errorf("CBOR: simple value %d", info)
	}
	switch {
	case math.IsNaN(f):
		return append(dst, `"NaN"`...), nil
	case math.IsInf(f, 1):
		return append(dst, `"Infinity"`...), nil
	case math.IsInf(f, -1):
		return append(dst, `"-Infinity"`...), nil
	case f == math.Trunc(f) && math.Abs(f) < 1e15:
		return strconv.AppendInt(dst, int64(f), 10), nil
	}
	return strconv.AppendFloat(dst, f, 'g', -1, 64), nil
}

func halfFloat(h uint16) float64 {
	sign, exp, frac := float64(1), int(h>>10&31), float64(h&1023)
	if h>>15 == 1 {
		sign = -1
	}
	switch exp {
	case 0:
		return sign * math.Ldexp(frac, -24)
	case 31:
		if frac != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	}
	return sign * math.Ldexp(frac+1024, exp-25)
}

func encodeCBOROutput(c *Call, value []byte, m *Message) (err error) {
	m.Header.Set("smithy-protocol", smithyRPCv2)
	if c.Operation.Output == nil {
		return nil
	}
	m.Header.Set("Content-Type", contentCBOR)
	m.Body, err = appendCBOR(nil, &aws.Member{Shape: c.Operation.Output}, value)
	return err
}

// appendCBOR appends a canonical value as CBOR; m is nil if its shape is not known.
func appendCBOR(dst []byte, m *aws.Member, raw []byte) (_ []byte, err error) {
	raw = rawjson.SkipSpace(raw)
	kind := ""
	if m != nil {
		kind = m.Shape.Type
	}
	switch rawjson.KindOf(raw) {
	case rawjson.Null:
		return append(dst, 0xf6), nil
	case rawjson.Bool:
		if raw[0] == 't' {
			return append(dst, 0xf5), nil
		}
		return append(dst, 0xf4), nil
	case rawjson.Number:
		return appendCBORNumber(dst, kind, string(raw))
	case rawjson.String:
		return appendCBORText(dst, kind, rawjson.Unquote(raw))
	case rawjson.Array:
		dst = append(dst, 4<<5|indefinite)
		err = rawjson.EachItem(raw, func(v []byte) (err error) {
			var elem *aws.Member
			if m != nil {
				elem = m.Shape.Elem
			}
			dst, err = appendCBOR(dst, elem, v)
			return err
		})
		return append(dst, cborBreak), err
	}
	dst = append(dst, 5<<5|indefinite)
	err = rawjson.EachMember(raw, func(name string, v []byte) (err error) {
		var mem *aws.Member
		if m != nil {
			if mem = m.Shape.Value; kind == "structure" {
				mem = m.Shape.Member(name)
			}
		}
		dst, err = appendCBOR(append(appendCBORHead(dst, 3, uint64(len(name))), name...), mem, v)
		return err
	})
	return append(dst, cborBreak), err
}

func appendCBORHead(dst []byte, major byte, n uint64) []byte {
	major <<= 5
	switch {
	case n < 24:
		return append(dst, major|byte(n))
	case n <= math.MaxUint8:
		return append(dst, major|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, major|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, major|27), n)
}

func appendCBORNumber(dst []byte, kind, s string) ([]byte, error) {
	if kind == "timestamp" {
		dst = append(dst, 6<<5|1)
	}
	if kind != "float" && kind != "double" {
		if n, err := strconv.ParseUint(s, 10, 64); err == nil {
			return appendCBORHead(dst, 0, n), nil
		}
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return appendCBORHead(dst, 1, uint64(-(n + 1))), nil
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return dst, fmt.Errorf("%s: %w", s, err)
	}
	return binary.BigEndian.AppendUint64(append(dst, 7<<5|27), math.Float64bits(f)), nil
}

func appendCBORText(dst []byte, kind, s string) ([]byte, error) {
	switch kind {
	case "blob":
		b, err := base64.StdEncoding.DecodeString(s)
		return append(appendCBORHead(dst, 2, uint64(len(b))), b...), err
	case "float", "double":
		f, err := strconv.ParseFloat(s, 64)
		return binary.BigEndian.AppendUint64(append(dst, 7<<5|27), math.Float64bits(f)), err
	case "timestamp":
		epoch, err := appendTime(nil, s)
		if err != nil {
			return dst, err
		}
		return appendCBORNumber(dst, kind, string(epoch))
	}
	return append(appendCBORHead(dst, 3, uint64(len(s))), s...), nil
}

func encodeCBORError(c *Call, e *aws.Error, shape *aws.Shape, m *Message) {
	m.Header.Set("smithy-protocol", smithyRPCv2)
	m.Header.Set("Content-Type", contentCBOR)
	setQueryError(c, e, shape, m)
	body, err := appendCBOR(nil, nil, errorBody(e.Code, e, shape, true))
	if err != nil {
		body = nil // a number in Fields that no float holds: the code is in the header of query services only
	}
	m.Body = body
}
