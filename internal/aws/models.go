package aws

import (
	"compress/flate"
	_ "embed" // models.bin
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
)

// The file of models, written by internal/aws/gen:
//
//	magic, length of the index, index, tables
//
// The index names every service (Info) with the place of its table; a table is one service's strings, shapes and
// operations, deflated. Numbers are unsigned varints, texts in a table are numbers of strings, shapes are numbers plus
// one with zero for none. Nothing is read before the first look-up, and then only the index and the tables asked for.
//
// AWS_MODELS is a folder of published models, such as the data folder of botocore or models/apis of aws-sdk-go.
//
//go:generate go run ./gen -models $AWS_MODELS -o models.bin

//go:embed models.bin
var models string

// ModelsMagic begins a file of models; its digit is the version of the format.
const ModelsMagic = "NEWELMODELS1\n"

// Info is what is known of a service without decoding its table.
type Info struct {
	Key            string // Service.Key
	SDK            string // name in aws-sdk:<name>:<action>: "sfn", "cloudwatchlogs"
	CLI            string // name for the AWS CLI and boto3: "stepfunctions", "logs"
	ID             string // serviceId: "SFN", "CloudWatch Logs"
	EndpointPrefix string
	SigningName    string
	TargetPrefix   string
	APIVersion     string

	offset, length int
}

type catalogue struct {
	infos  []Info
	tables string
	byName map[string]int   // Key, SDK, CLI, endpoint prefix, target prefix: exact, then in lower case
	scopes map[string][]int // signing name: all services that sign with it, the owner of the name first
	loaded []func() *Service
}

var index = sync.OnceValue(func() *catalogue { return readIndex(models) })

// Model finds a service's model by its key ("states"), its aws-sdk name ("sfn"), its name in the AWS CLI
// ("stepfunctions"), its endpoint prefix or the prefix of its X-Amz-Target ("AWSStepFunctions"), in this order. The
// table is decoded at the first call; it is shared and must not be changed.
func Model(service string) (*Service, bool) {
	c := index()
	i, ok := c.byName[service]
	if !ok {
		if i, ok = c.byName[strings.ToLower(service)]; !ok {
			return nil, false
		}
	}
	return c.loaded[i](), true
}

// MustModel is Model for a service that is known to exist.
func MustModel(service string) *Service {
	s, ok := Model(service)
	if !ok {
		panic("aws: no model of " + service)
	}
	return s
}

// Lookup is Model without decoding the table.
func Lookup(service string) (Info, bool) {
	c := index()
	i, ok := c.byName[service]
	if !ok {
		i, ok = c.byName[strings.ToLower(service)]
	}
	if !ok {
		return Info{}, false
	}
	return c.infos[i], true
}

// Services lists every service that has a model, in the order of their CLI names.
func Services() []Info { return index().infos }

// SignedAs lists the services whose requests carry a signing name in their credential scope; the service that owns the
// name comes first.
func SignedAs(name string) []Info {
	c := index()
	out := make([]Info, 0, 1)
	for _, i := range c.scopes[name] {
		out = append(out, c.infos[i])
	}
	return out
}

func readIndex(file string) *catalogue {
	if !strings.HasPrefix(file, ModelsMagic) {
		panic("aws: models.bin has another format; run the generator")
	}
	r := &tableReader{data: file[len(ModelsMagic):]}
	n := r.uint()
	r.data, file = r.data[:n], r.data[n:]
	c := &catalogue{tables: file, byName: map[string]int{}, scopes: map[string][]int{}}
	c.infos = make([]Info, r.uint())
	for i := range c.infos {
		s := &c.infos[i]
		for _, t := range []*string{&s.Key, &s.SDK, &s.CLI, &s.ID, &s.EndpointPrefix, &s.SigningName, &s.TargetPrefix, &s.APIVersion} {
			*t = r.take(r.uint())
		}
		s.offset, s.length = r.uint(), r.uint()
		table := file[s.offset : s.offset+s.length]
		c.loaded = append(c.loaded, sync.OnceValue(func() *Service { return decodeTable(table).correct() }))
		if s.Key == s.SigningName {
			c.scopes[s.SigningName] = append([]int{i}, c.scopes[s.SigningName]...)
		} else {
			c.scopes[s.SigningName] = append(c.scopes[s.SigningName], i)
		}
	}
	c.nameAll()
	return c
}

func (c *catalogue) nameAll() {
	for _, name := range []func(*Info) string{
		func(s *Info) string { return s.Key }, func(s *Info) string { return s.SDK }, func(s *Info) string { return s.CLI },
		func(s *Info) string { return s.EndpointPrefix }, func(s *Info) string { return s.TargetPrefix },
		func(s *Info) string { return strings.ToLower(s.TargetPrefix) },
	} {
		for i := range c.infos {
			n := name(&c.infos[i])
			if _, taken := c.byName[n]; n != "" && !taken {
				c.byName[n] = i
			}
		}
	}
}

// ShapeBits say which fields a shape's record has; MemberBits are the same of a member's.
type ShapeBits uint32

// The fields of a shape's record.
const (
	BitFlattened ShapeBits = 1 << iota
	BitUnion
	BitDocument
	BitException
	BitFault
	BitMembers
	BitRequired
	BitEnum
	BitMin
	BitMax
	BitPattern
	BitPayload
	BitTimestamp
	BitError
	BitStreaming
	BitEventStream
	BitSensitive
)

// MemberBits say which fields a member's record has.
type MemberBits uint32

// The fields of a member's record.
const (
	BitMemberFlattened MemberBits = 1 << iota
	BitXMLAttribute
	BitMemberStreaming
	BitJSONValue
	BitHostLabel
	BitIdempotencyToken
	BitLocation
	BitLocationName
	BitQueryName
	BitMemberTimestamp
	BitNamespace
)

// tableReader reads varints and texts. The data is our own file: anything unexpected panics.
type tableReader struct {
	data    string
	strings []string
	shapes  []Shape
}

func (r *tableReader) uint() int {
	v, shift := uint64(0), 0
	for i := 0; i < len(r.data); i++ {
		b := r.data[i]
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			r.data = r.data[i+1:]
			return int(v)
		}
		shift += 7
	}
	panic("aws: models.bin ends in a number")
}

func (r *tableReader) take(n int) string {
	s := r.data[:n]
	r.data = r.data[n:]
	return s
}

func (r *tableReader) text() string { return r.strings[r.uint()] }
func (r *tableReader) flag() bool   { return r.uint() == 1 }

func (r *tableReader) texts() []string {
	out := make([]string, r.uint())
	for i := range out {
		out[i] = r.text()
	}
	return out
}

func (r *tableReader) shape() *Shape {
	n := r.uint()
	if n == 0 {
		return nil
	}
	return &r.shapes[n-1]
}

func decodeTable(table string) *Service {
	var b strings.Builder
	if _, err := io.Copy(&b, flate.NewReader(strings.NewReader(table))); err != nil {
		panic(fmt.Sprintf("aws: models.bin: %v", err))
	}
	r := &tableReader{data: b.String()}
	r.readStrings()
	s := &Service{Shapes: map[string]*Shape{}, Operations: map[string]*Operation{}}
	for _, t := range []*string{&s.Key, &s.ID, &s.EndpointPrefix, &s.SigningName, &s.TargetPrefix, &s.JSONVersion, &s.APIVersion, &s.XMLNamespace} {
		*t = r.text()
	}
	s.QueryCompatible = r.flag()
	s.Protocols = r.texts()
	r.shapes = make([]Shape, r.uint())
	for i := range r.shapes {
		sh := &r.shapes[i]
		r.readShape(sh)
		if s.QueryCompatible {
			sh.QueryErrorCode, sh.ErrorCode = sh.ErrorCode, ""
		}
		s.Shapes[sh.Name] = sh
	}
	for range r.uint() {
		op := r.readOperation()
		s.Operations[op.Name] = op
	}
	return s
}

func (r *tableReader) readStrings() {
	r.strings = make([]string, r.uint())
	lengths := make([]int, len(r.strings))
	for i := range lengths {
		lengths[i] = r.uint()
	}
	for i, n := range lengths {
		r.strings[i] = r.take(n)
	}
}

func (r *tableReader) readShape(s *Shape) {
	s.Name, s.Type = r.text(), r.text()
	f := ShapeBits(r.uint())
	s.Flattened, s.Union, s.Document = f&BitFlattened != 0, f&BitUnion != 0, f&BitDocument != 0
	s.Exception, s.Fault = f&BitException != 0, f&BitFault != 0
	s.Streaming, s.EventStream = f&BitStreaming != 0, f&BitEventStream != 0
	s.Sensitive = f&BitSensitive != 0
	if f&BitMembers != 0 {
		s.Members = make([]Member, r.uint())
		for i := range s.Members {
			r.readMember(&s.Members[i])
		}
	}
	if f&BitRequired != 0 {
		s.Required = r.texts()
	}
	if f&BitEnum != 0 {
		s.Enum = r.texts()
	}
	if f&BitMin != 0 {
		s.Min = r.float()
	}
	if f&BitMax != 0 {
		s.Max = r.float()
	}
	if f&BitPattern != 0 {
		s.Pattern = r.text()
	}
	if f&BitPayload != 0 {
		s.Payload = r.text()
	}
	if f&BitTimestamp != 0 {
		s.TimestampFormat = r.text()
	}
	if f&BitError != 0 {
		s.ErrorCode, s.ErrorStatus = r.text(), r.uint()
	}
	switch s.Type {
	case "list":
		s.Elem = r.readMember(new(Member))
	case "map":
		s.Key = r.readMember(new(Member))
		s.Value = r.readMember(new(Member))
	}
}

func (r *tableReader) float() *float64 {
	v, n := binary.Uvarint([]byte(r.data[:min(len(r.data), binary.MaxVarintLen64)]))
	r.data = r.data[n:]
	f := math.Float64frombits(v)
	return &f
}

func (r *tableReader) readMember(m *Member) *Member {
	m.Name, m.Shape = r.text(), r.shape()
	f := MemberBits(r.uint())
	m.Flattened, m.XMLAttribute = f&BitMemberFlattened != 0, f&BitXMLAttribute != 0
	m.Streaming, m.JSONValue, m.HostLabel = f&BitMemberStreaming != 0, f&BitJSONValue != 0, f&BitHostLabel != 0
	m.IdempotencyToken = f&BitIdempotencyToken != 0
	for _, t := range []struct {
		bit  MemberBits
		text *string
	}{
		{BitLocation, &m.Location}, {BitLocationName, &m.LocationName}, {BitQueryName, &m.QueryName},
		{BitMemberTimestamp, &m.TimestampFormat}, {BitNamespace, &m.XMLNamespace},
	} {
		if f&t.bit != 0 {
			*t.text = r.text()
		}
	}
	return m
}

func (r *tableReader) readOperation() *Operation {
	op := &Operation{Name: r.text(), Method: r.text(), URI: r.text(), Status: r.uint(), ResultWrapper: r.text(), HostPrefix: r.text(), InputName: r.text()}
	op.Deprecated = r.flag()
	op.Input, op.Output = r.shape(), r.shape()
	op.Errors = make([]*Shape, r.uint())
	for i := range op.Errors {
		op.Errors[i] = r.shape()
	}
	return op
}
