package main

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"math"
	"sort"

	"github.com/newel-run/newel/internal/aws"
)

// writer builds one service's table; strings are numbered in order of first use.
type writer struct {
	buf     bytes.Buffer
	strings map[string]int
	list    []string
	shapes  map[string]int
}

func (w *writer) uint(n int)    { w.buf.Write(binary.AppendUvarint(nil, uint64(n))) }
func (w *writer) text(s string) { w.uint(w.number(s)) }

func (w *writer) number(s string) int {
	n, ok := w.strings[s]
	if !ok {
		n = len(w.list)
		w.strings[s] = n
		w.list = append(w.list, s)
	}
	return n
}

// shape writes a reference to a shape: its number plus one, zero for none.
func (w *writer) shape(name string) error {
	if name == "" {
		w.uint(0)
		return nil
	}
	n, ok := w.shapes[name]
	if !ok {
		return fmt.Errorf("no shape %q", name)
	}
	w.uint(n + 1)
	return nil
}

func encodeAll(sources []*source) ([]byte, error) {
	var index writer
	index.strings = map[string]int{}
	var tables bytes.Buffer
	index.uint(len(sources))
	for _, s := range sources {
		b, err := encodeService(s)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Folder, err)
		}
		m := s.Model.Metadata
		for _, t := range []string{s.Key, s.SDK, s.Folder, m.ServiceID, m.EndpointPrefix, signingName(m), m.TargetPrefix, m.APIVersion} {
			index.uint(len(t))
			index.buf.WriteString(t)
		}
		index.uint(tables.Len())
		index.uint(len(b))
		tables.Write(b)
	}
	out := []byte(aws.ModelsMagic)
	out = binary.AppendUvarint(out, uint64(index.buf.Len()))
	out = append(out, index.buf.Bytes()...)
	return append(out, tables.Bytes()...), nil
}

func encodeService(s *source) ([]byte, error) {
	names := used(s)
	w := &writer{strings: map[string]int{}, shapes: map[string]int{}}
	for i, n := range names {
		w.shapes[n] = i
	}
	w.metadata(s)
	w.uint(len(names))
	for _, n := range names {
		if err := w.writeShape(n, s.Model.Shapes.By[n]); err != nil {
			return nil, fmt.Errorf("shape %s: %w", n, err)
		}
	}
	ops := make([]string, 0, len(s.Model.Operations))
	for n := range s.Model.Operations {
		ops = append(ops, n)
	}
	sort.Strings(ops)
	w.uint(len(ops))
	for _, n := range ops {
		if err := w.writeOperation(n, s.Model.Operations[n]); err != nil {
			return nil, fmt.Errorf("operation %s: %w", n, err)
		}
	}
	var head bytes.Buffer
	head.Write(binary.AppendUvarint(nil, uint64(len(w.list))))
	for _, t := range w.list {
		head.Write(binary.AppendUvarint(nil, uint64(len(t))))
	}
	for _, t := range w.list {
		head.WriteString(t)
	}
	head.Write(w.buf.Bytes())
	return compress(head.Bytes())
}

func compress(b []byte) ([]byte, error) {
	var out bytes.Buffer
	z, err := flate.NewWriter(&out, flate.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(b); err != nil {
		return nil, err
	}
	err = z.Close()
	return out.Bytes(), err
}

// used lists the shapes that operations reach, in the order of their names.
func used(s *source) []string {
	seen := map[string]bool{}
	var visit func(string)
	visit = func(n string) {
		sh := s.Model.Shapes.By[n]
		if n == "" || seen[n] || sh == nil {
			return
		}
		seen[n] = true
		for _, m := range []*member{sh.Member, sh.Key, sh.Value} {
			if m != nil {
				visit(m.Shape)
			}
		}
		for _, m := range sh.Members.Names {
			visit(sh.Members.By[m].Shape)
		}
	}
	for _, op := range s.Model.Operations {
		visit(op.Input.Shape)
		visit(op.Output.Shape)
		for _, e := range op.Errors {
			visit(e.Shape)
		}
	}
	names := make([]string, 0, len(seen))
	for n := range seen {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

func (w *writer) metadata(s *source) {
	m := s.Model.Metadata
	protocols := m.Protocols
	if len(protocols) == 0 {
		protocols = []string{m.Protocol}
	}
	for _, t := range []string{s.Key, m.ServiceID, m.EndpointPrefix, signingName(m), m.TargetPrefix, m.JSONVersion, m.APIVersion, namespaceURI(m.XMLNamespace)} {
		w.text(t)
	}
	w.flag(m.AWSQueryCompatible != nil)
	w.uint(len(protocols))
	for _, p := range protocols {
		w.text(p)
	}
}

func (w *writer) flag(b bool) {
	if b {
		w.uint(1)
	} else {
		w.uint(0)
	}
}

func (w *writer) writeOperation(name string, op operation) error {
	w.text(name)
	w.text(op.HTTP.Method)
	w.text(op.HTTP.RequestURI)
	w.uint(op.HTTP.ResponseCode)
	w.text(op.Output.ResultWrapper)
	w.text(op.Endpoint.HostPrefix)
	w.text(op.Input.LocationName)
	w.flag(op.Deprecated)
	for _, s := range []string{op.Input.Shape, op.Output.Shape} {
		if err := w.shape(s); err != nil {
			return err
		}
	}
	w.uint(len(op.Errors))
	for _, e := range op.Errors {
		if err := w.shape(e.Shape); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) writeShape(name string, s *shape) error {
	w.text(name)
	w.text(s.Type)
	var f aws.ShapeBits
	set := func(b bool, bit aws.ShapeBits) {
		if b {
			f |= bit
		}
	}
	set(s.Flattened, aws.BitFlattened)
	set(s.Union, aws.BitUnion)
	set(s.Document, aws.BitDocument)
	set(s.Exception || s.Error != nil, aws.BitException)
	set(s.Fault, aws.BitFault)
	set(s.EventStream, aws.BitEventStream)
	set(len(s.Members.Names) > 0, aws.BitMembers)
	set(len(s.Required) > 0, aws.BitRequired)
	set(len(s.Enum) > 0, aws.BitEnum)
	set(s.Min != nil, aws.BitMin)
	set(s.Max != nil, aws.BitMax)
	set(s.Pattern != "", aws.BitPattern)
	set(s.Payload != "", aws.BitPayload)
	set(s.TimestampFormat != "", aws.BitTimestamp)
	set(s.Error != nil, aws.BitError)
	set(s.Streaming, aws.BitStreaming)
	set(s.Sensitive, aws.BitSensitive)
	w.uint(int(f))
	return w.shapeBody(s, f)
}

func (w *writer) shapeBody(s *shape, f aws.ShapeBits) error {
	if f&aws.BitMembers != 0 {
		w.uint(len(s.Members.Names))
		for _, n := range s.Members.Names {
			if err := w.writeMember(n, s.Members.By[n]); err != nil {
				return err
			}
		}
	}
	if f&aws.BitRequired != 0 {
		w.texts(s.Required)
	}
	if f&aws.BitEnum != 0 {
		w.texts(s.Enum)
	}
	if f&aws.BitMin != 0 {
		w.buf.Write(binary.AppendUvarint(nil, math.Float64bits(*s.Min)))
	}
	if f&aws.BitMax != 0 {
		w.buf.Write(binary.AppendUvarint(nil, math.Float64bits(*s.Max)))
	}
	if f&aws.BitPattern != 0 {
		w.text(s.Pattern)
	}
	if f&aws.BitPayload != 0 {
		w.text(s.Payload)
	}
	if f&aws.BitTimestamp != 0 {
		w.text(s.TimestampFormat)
	}
	if f&aws.BitError != 0 {
		w.text(s.Error.Code)
		w.uint(s.Error.HTTPStatusCode)
	}
	switch s.Type {
	case "list":
		return w.writeMember("", s.Member)
	case "map":
		if err := w.writeMember("", s.Key); err != nil {
			return err
		}
		return w.writeMember("", s.Value)
	}
	return nil
}

func (w *writer) texts(list []string) {
	w.uint(len(list))
	for _, t := range list {
		w.text(t)
	}
}

func (w *writer) writeMember(name string, m *member) error {
	w.text(name)
	if err := w.shape(m.Shape); err != nil {
		return err
	}
	ns := namespaceURI(m.XMLNamespace)
	var f aws.MemberBits
	set := func(b bool, bit aws.MemberBits) {
		if b {
			f |= bit
		}
	}
	set(m.Flattened, aws.BitMemberFlattened)
	set(m.XMLAttribute, aws.BitXMLAttribute)
	set(m.Streaming, aws.BitMemberStreaming)
	set(m.JSONValue, aws.BitJSONValue)
	set(m.HostLabel, aws.BitHostLabel)
	set(m.IdempotencyToken, aws.BitIdempotencyToken)
	set(m.Location != "", aws.BitLocation)
	set(m.LocationName != "" && m.LocationName != name, aws.BitLocationName)
	set(m.QueryName != "", aws.BitQueryName)
	set(m.TimestampFormat != "", aws.BitMemberTimestamp)
	set(ns != "", aws.BitNamespace)
	w.uint(int(f))
	for _, t := range []struct {
		bit  aws.MemberBits
		text string
	}{
		{aws.BitLocation, m.Location}, {aws.BitLocationName, m.LocationName}, {aws.BitQueryName, m.QueryName},
		{aws.BitMemberTimestamp, m.TimestampFormat}, {aws.BitNamespace, ns},
	} {
		if f&t.bit != 0 {
			w.text(t.text)
		}
	}
	return nil
}
