package sns

import (
	"encoding/json"
	"errors"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/events/pattern"
)

// filters keeps compiled filter policies by scope and text.
var filters pattern.Cache[filterKey]

type filterKey struct {
	body bool
	text string
}

// parseFilter compiles a filter policy, of message bodies or of message attributes.
func parseFilter(text string, body bool) (*pattern.Pattern, error) {
	key := filterKey{body, text}
	if p := filters.Get(key); p != nil {
		return p, nil
	}
	if !body {
		if err := checkFlat(text); err != nil {
			return nil, err
		}
	}
	p, err := pattern.Parse(text)
	var e *pattern.Error
	if errors.As(err, &e) {
		return nil, invalid("FilterPolicy: %s", e)
	}
	filters.Put(key, p)
	return p, nil
}

// checkFlat refuses a policy of attributes that goes deeper than attributes do.
func checkFlat(text string) error {
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &members) != nil {
		return nil // the parser says what is wrong with it
	}
	for _, m := range members {
		if len(m) > 0 && m[0] == '{' {
			return invalid("FilterPolicy: Filter policy scope MessageAttributes does not support nested filter policy")
		}
	}
	return nil
}

// wants reports whether a message passes a subscription's filter policy.
func (s *subscription) wants(m *message) (bool, error) {
	text := s.Attributes["FilterPolicy"]
	if text == "" {
		return true, nil
	}
	body := s.Attributes["FilterPolicyScope"] == "MessageBody"
	p, err := parseFilter(text, body)
	if err != nil {
		return false, err
	}
	if !body {
		return p.Match(m.attributesValue()), nil
	}
	doc, parseErr := value.Parse([]byte(m.Message))
	if _, isObject := doc.(*value.Object); parseErr != nil || !isObject {
		return false, nil //nolint:nilerr // a body that is no JSON object passes no filter
	}
	return p.Match(doc), nil
}

// attributesValue is the message attributes as filter policies see them: a text, a number, or the values of an array.
func (m *message) attributesValue() value.Value {
	o := value.NewObject()
	for name, a := range m.MessageAttributes {
		switch a.DataType {
		case "Number":
			if n, err := value.Parse([]byte(a.StringValue)); err == nil {
				o.Set(name, n)
			}
		case "String.Array":
			if list, err := value.Parse([]byte(a.StringValue)); err == nil {
				o.Set(name, list)
			}
		case "Binary": // cannot be filtered
		default:
			o.Set(name, a.StringValue)
		}
	}
	return o
}
