package tracing

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"
)

// TraceID names a trace. Its first four bytes are the epoch second at which the trace began, so that it is an X-Ray trace
// id too.
type TraceID [16]byte

// SpanID names a span of a trace; zero is none.
type SpanID [8]byte

// Context is where a span hangs: its trace and its parent there.
type Context struct {
	Trace  TraceID
	Parent SpanID
	// Sampled is what the caller decided; Decided tells that it did.
	Sampled, Decided bool
}

// parseHeader reads a trace header in X-Ray's form, Root=1-65f0c0de-0123456789abcdef01234567;Parent=53995c3f42cd8ad8;Sampled=1.
func parseHeader(header string) (c Context, ok bool) {
	for part := range strings.SplitSeq(header, ";") {
		name, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "Root":
			version, rest, _ := strings.Cut(v, "-")
			seconds, unique, _ := strings.Cut(rest, "-")
			id, err := hex.DecodeString(seconds + unique)
			if ok = version == "1" && err == nil && len(id) == len(c.Trace); ok {
				c.Trace = TraceID(id)
			}
		case "Parent":
			if id, err := hex.DecodeString(v); err == nil && len(id) == len(c.Parent) {
				c.Parent = SpanID(id)
			}
		case "Sampled":
			c.Sampled, c.Decided = v == "1", v == "0" || v == "1"
		}
	}
	return c, ok
}

// header writes the trace header of what a span calls.
func (t TraceID) header(span SpanID) string {
	id := hex.EncodeToString(t[:])
	return "Root=1-" + id[:8] + "-" + id[8:] + ";Parent=" + hex.EncodeToString(span[:]) + ";Sampled=1"
}

// Ids follow from the execution and the event that begins a span: spans that are made again are the same ones.

// traceOf is the trace of an execution that begins one.
func traceOf(arn string, startMs int64) (t TraceID) {
	sum := sha256.Sum256([]byte("trace\x00" + arn))
	binary.BigEndian.PutUint32(t[:], uint32(startMs/1000))
	copy(t[4:], sum[:])
	return t
}

// What a span stands for, beside the event that begins it.
const (
	spanExecution byte = 'x'
	spanState     byte = 's'
	spanThread    byte = 't' // a branch or an iteration
	spanAttempt   byte = 'a'
)

func spanOf(arn string, startMs int64, kind byte, event int64) (s SpanID) {
	b := append(make([]byte, 0, len(arn)+32), kind)
	b = binary.BigEndian.AppendUint64(b, uint64(startMs))
	b = binary.BigEndian.AppendUint64(b, uint64(event))
	sum := sha256.Sum256(append(b, arn...))
	copy(s[:], sum[:])
	return s
}
