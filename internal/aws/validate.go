package aws

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/newel-run/newel/internal/aws/rawjson"
)

// Violation is one constraint of a model that an input does not satisfy.
type Violation struct {
	Path       string // as AWS writes it: "routingConfiguration.1.member.weight"
	Value      string // "'101'", "null"; "" if the shape is sensitive
	Constraint string // "Member must have value less than or equal to 100"
	Member     string // the top-level member that it is in, as the model names it
}

func (v Violation) String() string {
	value := "Value"
	if v.Value != "" {
		value += " " + v.Value
	}
	return value + " at '" + v.Path + "' failed to satisfy constraint: " + v.Constraint
}

// Validate checks an input in canonical form against the model: required members, lengths, ranges, patterns, enums. The
// error is AWS's ValidationException with all violations in the order of the input's shape; a value of another type than
// the shape's is a SerializationException, as AWS finds it before it looks at constraints. An input that satisfies the
// model gives nil.
func (s *Shape) Validate(input []byte) *Error {
	found, err := s.Violations(input)
	if err != nil {
		return err
	}
	return ValidationError(found)
}

// ValidationError makes AWS's error of violations, nil if there are none.
func ValidationError(found []Violation) *Error {
	if len(found) == 0 {
		return nil
	}
	texts := make([]string, len(found))
	for i, v := range found {
		texts[i] = v.String()
	}
	s := "s"
	if len(found) == 1 {
		s = ""
	}
	return Errorf("ValidationException", "%d validation error%s detected: %s", len(found), s, strings.Join(texts, "; "))
}

// Violations lists what Validate complains of, for services that leave some of it to checks of their own.
func (s *Shape) Violations(input []byte) ([]Violation, *Error) {
	if len(input) == 0 {
		input = []byte("{}")
	}
	v := &validator{}
	if err := v.structure(s, "", input); err != nil {
		return nil, Errorf("SerializationException", "%s", err)
	}
	return v.found, nil
}

type validator struct {
	found  []Violation
	member string
}

func (v *validator) add(s *Shape, path, value, format string, args ...any) {
	if s != nil && s.Sensitive {
		value = ""
	}
	v.found = append(v.found, Violation{path, value, fmt.Sprintf(format, args...), v.member})
}

// structure visits the members in the model's order, whatever the order of the input.
func (v *validator) structure(s *Shape, path string, raw []byte) error {
	var few [16][]byte
	values := append(few[:0], make([][]byte, len(s.Members))...) // by the member's index
	err := rawjson.EachMember(raw, func(name string, value []byte) error {
		if i := s.index(name); i >= 0 && rawjson.KindOf(value) != rawjson.Null {
			values[i] = value
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, name := range s.Required {
		if i := s.index(name); values[i] == nil {
			m := &s.Members[i]
			if m.Shape.Type == "blob" && s.Payload == name {
				continue // it travels in Request.Body
			}
			if path == "" {
				v.member = name
			}
			v.add(nil, join(path, lowerFirst(name)), "null", "Member must not be null")
		}
	}
	for i := range s.Members {
		m := &s.Members[i]
		value := values[i]
		if value == nil {
			continue
		}
		if path == "" {
			v.member = m.Name
		}
		if err := v.value(m.Shape, join(path, lowerFirst(m.Name)), value); err != nil {
			return err
		}
	}
	return nil
}

// index is the place of a member, -1 if there is none of that name.
func (s *Shape) index(name string) int {
	for i := range s.Members {
		if s.Members[i].Name == name {
			return i
		}
	}
	return -1
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func lowerFirst(s string) string {
	if lower(s[0]) {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

func (v *validator) value(s *Shape, path string, raw []byte) error {
	kind := rawjson.KindOf(raw)
	if kind == rawjson.Null || s.Document {
		return nil
	}
	if err := checkKind(s, kind, raw); err != nil {
		return err
	}
	switch s.Type {
	case "structure":
		return v.structure(s, path, raw)
	case "list":
		return v.list(s, path, raw)
	case "map":
		return v.mapping(s, path, raw)
	case "string", "character":
		if s.Min == nil && s.Max == nil && s.Pattern == "" && len(s.Enum) == 0 {
			return nil
		}
		if !withinLength(s, raw) {
			v.text(s, path, rawjson.Unquote(raw))
		}
	case "integer", "long", "short", "byte", "float", "double", "bigInteger", "bigDecimal":
		v.number(s, path, string(raw))
	case "blob":
		text := rawjson.Unquote(raw)
		v.length(s, path, func() string { return "'java.nio.HeapByteBuffer'" }, len(strings.TrimRight(text, "="))*3/4)
	}
	return nil
}

// checkKind refuses a value whose JSON type is not the shape's, in the words of AWS's JSON services.
func checkKind(s *Shape, kind rawjson.Kind, raw []byte) error {
	want, name := rawjson.String, "String"
	switch s.Type {
	case "structure", "map":
		want, name = rawjson.Object, "structure"
	case "list":
		want, name = rawjson.Array, "list"
	case "integer", "long", "short", "byte", "float", "double", "bigInteger", "bigDecimal":
		want, name = rawjson.Number, strings.ToUpper(s.Type[:1])+s.Type[1:]
	case "boolean":
		want, name = rawjson.Bool, "Boolean"
	case "timestamp":
		if kind == rawjson.Number || kind == rawjson.String {
			return nil
		}
		want, name = rawjson.Number, "Timestamp"
	}
	if kind == want {
		return nil
	}
	switch kind {
	case rawjson.Object:
		return fmt.Errorf("Start of structure or map found where not expected") //nolint:staticcheck // AWS's wording
	case rawjson.Array:
		return fmt.Errorf("Start of list found where not expected") //nolint:staticcheck // AWS's wording
	}
	if want == rawjson.Object || want == rawjson.Array {
		return fmt.Errorf("Unexpected token received from parser") //nolint:staticcheck // AWS's wording
	}
	token := map[rawjson.Kind]string{rawjson.Number: "NUMBER", rawjson.String: "STRING", rawjson.Bool: "TRUE"}[kind]
	if string(raw) == "false" {
		token = "FALSE"
	}
	return fmt.Errorf("%s_VALUE cannot be converted to %s", token, name)
}

func (v *validator) list(s *Shape, path string, raw []byte) error {
	n := 0
	if err := rawjson.EachItem(raw, func([]byte) error { n++; return nil }); err != nil {
		return err
	}
	v.length(s, path, func() string { return "'" + javaText(s, raw) + "'" }, n)
	i := 0
	return rawjson.EachItem(raw, func(item []byte) error {
		i++
		return v.value(s.Elem.Shape, path+"."+strconv.Itoa(i)+".member", item)
	})
}

func (v *validator) mapping(s *Shape, path string, raw []byte) error {
	n := 0
	if err := rawjson.EachMember(raw, func(string, []byte) error { n++; return nil }); err != nil {
		return err
	}
	v.length(s, path, func() string { return "'" + javaText(s, raw) + "'" }, n)
	return rawjson.EachMember(raw, func(name string, value []byte) error {
		v.text(s.Key.Shape, path, name)
		return v.value(s.Value.Shape, path+"."+name+".member", value)
	})
}

func (v *validator) length(s *Shape, path string, value func() string, n int) {
	if s.Min != nil && float64(n) < *s.Min {
		v.add(s, path, value(), "Member must have length greater than or equal to %s", limit(*s.Min))
	}
	if s.Max != nil && float64(n) > *s.Max {
		v.add(s, path, value(), "Member must have length less than or equal to %s", limit(*s.Max))
	}
}

func limit(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func (v *validator) text(s *Shape, path, value string) {
	quoted := func() string { return "'" + value + "'" }
	if s.Max != nil && float64(len(value)) > *s.Max || s.Min != nil && float64(len(value)) < 3**s.Min {
		v.length(s, path, quoted, utf16Length(value)) // a unit takes one to three bytes: shorter texts need no count
	}
	if s.Pattern != "" && !matches(s.Pattern, value) {
		v.add(s, path, quoted(), "Member must satisfy regular expression pattern: %s", s.Pattern)
	}
	if len(s.Enum) > 0 && !contains(s.Enum, value) {
		v.add(s, path, quoted(), "Member must satisfy enum value set: [%s]", strings.Join(enumOrder(s), ", "))
	}
}

// withinLength reports whether a string satisfies all that its shape asks for, as its literal shows it: a literal is no
// shorter than its text, and only that of the empty text is empty.
func withinLength(s *Shape, raw []byte) bool {
	return s.Pattern == "" && len(s.Enum) == 0 && (s.Min == nil || *s.Min <= 0 || *s.Min == 1 && len(raw) > 2) && (s.Max == nil || float64(len(raw)-2) <= *s.Max)
}

// utf16Length is a text's length as Java counts it.
func utf16Length(s string) int {
	n := 0
	for _, r := range s {
		n += max(utf16.RuneLen(r), 1)
	}
	return n
}

func contains(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}

func (v *validator) number(s *Shape, path, value string) {
	if s.Min == nil && s.Max == nil || len(value) > 400 {
		return
	}
	n, _, err := big.ParseFloat(value, 10, 200, big.ToNearestEven)
	if err != nil {
		return
	}
	if s.Min != nil && n.Cmp(big.NewFloat(*s.Min)) < 0 {
		v.add(s, path, "'"+value+"'", "Member must have value greater than or equal to %s", limit(*s.Min))
	}
	if s.Max != nil && n.Cmp(big.NewFloat(*s.Max)) > 0 {
		v.add(s, path, "'"+value+"'", "Member must have value less than or equal to %s", limit(*s.Max))
	}
}

// javaText writes a value as the objects of AWS's servers print themselves: [a, b], {k=v}, Shape(member=value).
func javaText(s *Shape, raw []byte) string {
	var parts []string
	switch s.Type {
	case "list":
		_ = rawjson.EachItem(raw, func(item []byte) error { // the value was walked before
			parts = append(parts, javaText(s.Elem.Shape, item))
			return nil
		})
		return "[" + strings.Join(parts, ", ") + "]"
	case "map":
		_ = rawjson.EachMember(raw, func(name string, value []byte) error { // as above
			parts = append(parts, name+"="+javaText(s.Value.Shape, value))
			return nil
		})
		return "{" + strings.Join(parts, ", ") + "}"
	case "structure":
		values := map[string][]byte{}
		_ = rawjson.EachMember(raw, func(name string, value []byte) error { // as above
			values[name] = value
			return nil
		})
		for i := range s.Members {
			m := &s.Members[i]
			text := "null"
			if value := values[m.Name]; value != nil {
				text = javaText(m.Shape, value)
			}
			parts = append(parts, lowerFirst(m.Name)+"="+text)
		}
		return s.Name + "(" + strings.Join(parts, ", ") + ")"
	}
	return rawjson.Text(raw)
}

// enumOrders are the orders in which AWS's messages list the values of an enum where they are known; the servers print
// an unordered set, so that no rule yields them.
var enumOrders = map[string][]string{
	"ExecutionStatus":        {"SUCCEEDED", "TIMED_OUT", "PENDING_REDRIVE", "ABORTED", "FAILED", "RUNNING"},
	"ReturnValue":            {"ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW"},
	"ReturnConsumedCapacity": {"INDEXES", "TOTAL", "NONE"},
	"ScalarAttributeType":    {"B", "N", "S"},
}

// enumOrder lists an enum's values as AWS's message does: in the known order if it has the same values.
func enumOrder(s *Shape) []string {
	known := enumOrders[s.Name]
	if len(known) != len(s.Enum) {
		return s.Enum
	}
	for _, e := range s.Enum {
		if !contains(known, e) {
			return s.Enum
		}
	}
	return known
}
