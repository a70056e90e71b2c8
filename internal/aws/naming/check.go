package naming

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/rawjson"
)

// Check is how a task's result is held against the shape of an operation's output.
type Check struct {
	Style    Style
	Required bool            // required members must be there
	Any      map[string]bool // members of the output, by their names in a state machine, that may be anything
	Times    bool            // a timestamp may be a number, as in the results of .sync integrations
}

// Result says what is wrong with a result in AWS's words; "" if nothing is. Fields that the API does not have are not
// wrong. Patterns are not looked at.
func (c Check) Result(s *aws.Shape, result []byte) string {
	if s == nil {
		return ""
	}
	return c.structure(s, result, c.Any)
}

func (c Check) structure(s *aws.Shape, raw []byte, skip map[string]bool) (problem string) {
	present := map[string]bool{}
	_ = rawjson.EachMember(raw, func(name string, v []byte) error {
		present[name] = rawjson.KindOf(rawjson.SkipSpace(v)) != rawjson.Null
		return nil
	})
	if c.Required {
		for _, member := range s.Required {
			if name := Member(c.Style, s, member); !present[name] {
				return fmt.Sprintf("Required field '%s' is missing", name)
			}
		}
	}
	_ = rawjson.EachMember(raw, func(name string, v []byte) error {
		i := slices.IndexFunc(s.Members, func(m aws.Member) bool { return Member(c.Style, s, m.Name) == name })
		if problem == "" && i >= 0 && present[name] && !skip[name] {
			problem = c.value(s.Members[i].Shape, name, v)
		}
		return nil
	})
	return problem
}

// value checks the value of a field; elements of lists and maps go by the name of the field that they are in.
func (c Check) value(s *aws.Shape, field string, raw []byte) string {
	raw = rawjson.SkipSpace(raw)
	kind := rawjson.KindOf(raw)
	if s.Document || c.Times && s.Type == "timestamp" && kind == rawjson.Number {
		return ""
	}
	wanted, words := wantedKind(s.Type)
	if wanted != 0 && kind != wanted {
		return fmt.Sprintf("Field '%s' must be %s", field, words)
	}
	problem := ""
	each := func(element *aws.Shape, v []byte) {
		if problem == "" && rawjson.KindOf(rawjson.SkipSpace(v)) != rawjson.Null {
			problem = c.value(element, field, v)
		}
	}
	switch s.Type {
	case "structure":
		return c.structure(s, raw, nil)
	case "list":
		_ = rawjson.EachItem(raw, func(v []byte) error { each(s.Elem.Shape, v); return nil })
	case "map":
		_ = rawjson.EachMember(raw, func(_ string, v []byte) error { each(s.Value.Shape, v); return nil })
	case "string", "blob":
		text := rawjson.Unquote(raw)
		if len(s.Enum) > 0 && !slices.Contains(s.Enum, text) {
			return fmt.Sprintf("Field '%s' is not an expected value", field)
		}
		return outside(s, field, float64(utf8.RuneCountInString(text)), "smaller than the minimum length", "exceeds the maximum length")
	case "integer", "long", "float", "double":
		n, err := strconv.ParseFloat(string(bytes.TrimSpace(raw)), 64)
		if err != nil {
			return fmt.Sprintf("Field '%s' must be a number", field)
		}
		return outside(s, field, n, "less than the minimum value", "exceeds the maximum value")
	}
	return problem
}

func outside(s *aws.Shape, field string, n float64, below, above string) string {
	switch {
	case s.Min != nil && n < *s.Min:
		return fmt.Sprintf("Field '%s' is %s", field, below)
	case s.Max != nil && n > *s.Max:
		return fmt.Sprintf("Field '%s' %s", field, above)
	}
	return ""
}

func wantedKind(shape string) (kind rawjson.Kind, words string) {
	switch shape {
	case "structure", "map":
		return rawjson.Object, "an object"
	case "list":
		return rawjson.Array, "an array"
	case "string", "blob", "timestamp":
		return rawjson.String, "a string"
	case "integer", "long", "float", "double":
		return rawjson.Number, "a number"
	case "boolean":
		return rawjson.Bool, "a boolean"
	}
	return 0, ""
}
