package attr

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
)

// Invalid is a value that AWS refuses with a ValidationException; its text is AWS's wording.
type Invalid string

func (e Invalid) Error() string { return string(e) }

// Malformed is JSON that is not the shape of an attribute value, which AWS refuses with a SerializationException.
type Malformed string

func (e Malformed) Error() string { return string(e) }

// MaxDepth is how deep lists and maps may nest.
const MaxDepth = 32

const (
	// ErrEmpty: a value that names no type, or is missing where one must stand.
	ErrEmpty Invalid = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"

	invalidPrefix         = "One or more parameter values were invalid: "
	errManyTypes  Invalid = "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
	errNullFalse  Invalid = invalidPrefix + "Null attribute value types must have the value of true"
	errEmptySS    Invalid = invalidPrefix + "An string set  may not be empty"
	errEmptyNS    Invalid = invalidPrefix + "An number set  may not be empty"
	errEmptyBS    Invalid = invalidPrefix + "Binary sets should not be empty"
	errNesting    Invalid = "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"
)

// Item is an item, a key or a set of expression values as a request brings it: decoding fails only if the JSON has the
// wrong shape; a value that AWS's rules refuse is kept in Bad, to be reported when the request's other members have
// been checked, with BadName, the attribute that holds it.
type Item struct {
	*Map
	Bad     error
	BadName string
}

// UnmarshalJSON decodes an item.
func (it *Item) UnmarshalJSON(text []byte) error {
	s := scanner{text: text}
	if s.peek() == 'n' {
		return nil
	}
	m := &Map{}
	err := s.object(func(name string) error {
		v, err := s.value(1)
		if bad, ok := err.(Invalid); ok && it.Bad == nil {
			it.Bad, it.BadName = bad, name
		} else if err != nil && !ok {
			return err
		}
		m.Set(name, v)
		return nil
	})
	it.Map = m
	return err
}

// Input is one attribute value as a request brings it; see Item.
type Input struct {
	*Value
	Bad error
}

// UnmarshalJSON decodes a value.
func (in *Input) UnmarshalJSON(text []byte) error {
	s := scanner{text: text}
	if s.peek() == 'n' {
		return nil
	}
	v, err := s.value(1)
	in.Value = v
	if bad, ok := err.(Invalid); ok {
		in.Bad, err = bad, nil
	}
	return err
}

// ParseItem decodes the JSON of a stored item.
func ParseItem(text []byte) (*Map, error) {
	var it Item
	if err := it.UnmarshalJSON(text); err != nil {
		return nil, err
	}
	return it.Map, it.Bad
}

// value decodes {"S": ...} at a depth. After an Invalid the whole value has been read all the same.
func (s *scanner) value(depth int) (*Value, error) {
	switch s.peek() {
	case '{':
	case 'n':
		s.skip()
		return nil, ErrEmpty
	case '[':
		return nil, Malformed("Unrecognized collection type class com.amazonaws.dynamodb.v20120810.AttributeValue")
	default:
		return nil, Malformed("Unexpected value type in payload")
	}
	v := &Value{}
	var bad error
	types := 0
	err := s.object(func(name string) error {
		k := KindOf(name)
		if k == None || s.peek() == 'n' {
			s.skip()
			return nil
		}
		types++
		v.Kind = k
		err := s.content(v, depth)
		if _, ok := err.(Invalid); ok {
			if bad == nil {
				bad = err
			}
			err = nil
		}
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case bad != nil:
		return v, bad
	case types == 0:
		return v, ErrEmpty
	case types > 1:
		return v, errManyTypes
	}
	return v, nil
}

func (s *scanner) content(v *Value, depth int) error {
	var err error
	switch v.Kind {
	case S:
		v.Str, err = s.stringOf("String")
	case N:
		if v.Str, err = s.stringOf("String"); err == nil {
			v.Str, err = Number(v.Str)
		}
	case B:
		v.Str, err = s.blob()
	case Bool, Null:
		if v.Bool, err = s.boolean(); err == nil && v.Kind == Null && !v.Bool {
			err = errNullFalse
		}
	case SS, NS, BS:
		return s.set(v)
	case L:
		return s.list(v, depth)
	case M:
		return s.members(v, depth)
	}
	return err
}

func (s *scanner) list(v *Value, depth int) error {
	v.List = []*Value{}
	return s.nested(depth, func(bad *error) error {
		return s.array(func() error {
			e, err := s.value(depth + 1)
			v.List = append(v.List, e)
			return keep(bad, err)
		})
	})
}

func (s *scanner) members(v *Value, depth int) error {
	v.Map = &Map{}
	return s.nested(depth, func(bad *error) error {
		if s.peek() == '[' {
			return Malformed("Unrecognized collection type java.util.Map<java.lang.String, com.amazonaws.dynamodb.v20120810.AttributeValue>")
		}
		return s.object(func(name string) error {
			e, err := s.value(depth + 1)
			v.Map.Set(name, e)
			return keep(bad, err)
		})
	})
}

// nested runs the decoder of a list or map, unless it lies too deep.
func (s *scanner) nested(depth int, decode func(bad *error) error) error {
	if depth > MaxDepth {
		s.skip()
		return errNesting
	}
	var bad error
	if err := decode(&bad); err != nil {
		return err
	}
	return bad
}

// keep puts the first Invalid aside and passes other errors.
func keep(bad *error, err error) error {
	if _, ok := err.(Invalid); ok {
		if *bad == nil {
			*bad = err
		}
		return nil
	}
	return err
}

func (s *scanner) set(v *Value) error {
	var bad error
	v.Set = []string{}
	err := s.array(func() error {
		e, err := "", error(nil)
		if v.Kind == BS {
			e, err = s.blob()
		} else if e, err = s.stringOf("String"); err == nil && v.Kind == NS {
			e, err = Number(e)
		}
		v.Set = append(v.Set, e)
		return keep(&bad, err)
	})
	switch {
	case err != nil:
		return err
	case bad != nil:
		return bad
	case len(v.Set) == 0:
		return map[Kind]Invalid{SS: errEmptySS, NS: errEmptyNS, BS: errEmptyBS}[v.Kind]
	case hasDuplicates(v.Set):
		return duplicateError(v)
	}
	return nil
}

func hasDuplicates(set []string) bool {
	if len(set) < 2 {
		return false
	}
	seen := make(map[string]bool, len(set))
	for _, e := range set {
		if seen[e] {
			return true
		}
		seen[e] = true
	}
	return false
}

func duplicateError(v *Value) error {
	switch v.Kind {
	case NS:
		return Invalid("Input collection contains duplicates")
	case BS:
		shown := make([]string, len(v.Set))
		for i, e := range v.Set {
			shown[i] = base64.StdEncoding.EncodeToString([]byte(e))
		}
		return Invalid(fmt.Sprintf("%sInput collection [%s]of type BS contains duplicates.", invalidPrefix, strings.Join(shown, ", ")))
	}
	return Invalid(fmt.Sprintf("%sInput collection [%s] contains duplicates.", invalidPrefix, strings.Join(v.Set, ", ")))
}

// stringOf reads a string; want names the Java type in AWS's error.
func (s *scanner) stringOf(want string) (string, error) {
	switch c := s.peek(); c {
	case '"':
		return s.str(), nil
	case '[':
		return "", Malformed("Unrecognized collection type class java.lang." + want)
	case '{':
		return "", Malformed("Start of structure or map found where not expected")
	default:
		return "", Malformed(tokenName(c, s.skip()) + " cannot be converted to " + want)
	}
}

func tokenName(c byte, text []byte) string {
	switch {
	case c == 't':
		return "TRUE_VALUE"
	case c == 'f':
		return "FALSE_VALUE"
	case bytes.ContainsAny(text, ".eE"):
		return "DECIMAL_VALUE"
	}
	return "NUMBER_VALUE"
}

func (s *scanner) blob() (string, error) {
	switch s.peek() {
	case '"':
	case '[':
		return "", Malformed("Unrecognized collection type class java.nio.ByteBuffer")
	case '{':
		return "", Malformed("Start of structure or map found where not expected")
	default:
		return "", Malformed("only base-64-encoded strings are convertible to bytes")
	}
	text := s.str()
	if len(text)%4 != 0 {
		return "", Malformed(fmt.Sprintf("Base64 encoded length is expected a multiple of 4 bytes but found: %d", len(text)))
	}
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return "", Malformed("Invalid last non-pad Base64 character dectected")
	}
	return string(b), nil
}

func (s *scanner) boolean() (bool, error) {
	switch c := s.peek(); c {
	case 't', 'f':
		s.skip()
		return c == 't', nil
	case '[':
		return false, Malformed("Unrecognized collection type class java.lang.Boolean")
	case '{':
		return false, Malformed("Start of structure or map found where not expected")
	case '"':
		switch strings.ToLower(s.str()) {
		case "true", "1", "yes":
			return true, nil
		case "false", "0", "no":
			return false, nil
		}
		return false, Malformed("Unexpected token received from parser")
	default:
		return false, Malformed(tokenName(c, s.skip()) + " cannot be converted to Boolean")
	}
}
