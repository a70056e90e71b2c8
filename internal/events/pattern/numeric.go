package pattern

import (
	"encoding/json"

	"github.com/newel-run/newel/asl/value"
)

// numberMax bounds the numbers of ranges, AWS's five billion.
const numberMax = value.Number("5000000000")
const numberMin = value.Number("-5000000000")

// numeric reads ["=", n], or one or two bounds such as [">", 0, "<=", 5].
func numeric(p *parser) (rule, error) {
	if p.next().v != json.Delim('[') {
		return rule{}, p.fail("Value of numeric must be an array.")
	}
	var lower, upper *bound
	for count := 0; p.dec.More(); count++ {
		op, ok := p.next().v.(string)
		if !ok {
			return rule{}, p.fail("Invalid member in numeric match: %s", shown(p.last.v))
		}
		p.skip()
		n, err := p.number(op)
		if err != nil {
			return rule{}, err
		}
		b := &bound{n, op == "<=" || op == ">="}
		switch op {
		case "=":
			if count > 0 || p.dec.More() {
				p.next()
				return rule{}, p.fail("Too many terms in numeric range")
			}
			p.next()
			return rule{match: equal(n)}, nil
		case ">", ">=":
			if lower != nil || upper != nil {
				return rule{}, p.fail("Bad numeric range operator: %s", op)
			}
			lower = b
		case "<", "<=":
			if upper != nil {
				return rule{}, p.fail("Bad numeric range operator: %s", op)
			}
			upper = b
		default:
			return rule{}, p.fail("Unrecognized numeric range operator: %s", op)
		}
	}
	p.next()
	switch {
	case lower == nil && upper == nil:
		return rule{}, p.fail("Invalid member in numeric match: ]")
	case lower != nil && upper != nil && value.Compare(lower.n, upper.n) >= 0:
		return rule{}, p.fail("Bottom must be less than top")
	}
	return rule{match: func(v value.Value) bool {
		n, ok := v.(value.Number)
		return ok && (lower == nil || lower.admits(value.Compare(n, lower.n))) && (upper == nil || upper.admits(value.Compare(upper.n, n)))
	}}, nil
}

type bound struct {
	n         value.Number
	inclusive bool
}

// admits takes the order of a number against the bound, positive if it lies within.
func (b *bound) admits(order int) bool { return order > 0 || b.inclusive && order == 0 }

func (p *parser) number(op string) (value.Number, error) {
	if !p.dec.More() {
		p.next()
		return "", p.fail("Value of %s must be numeric", op)
	}
	n, ok := p.next().v.(json.Number)
	if !ok {
		return "", p.fail("Value of %s must be numeric", op)
	}
	v := value.Number(n)
	if value.Compare(v, numberMin) < 0 || value.Compare(v, numberMax) > 0 {
		return "", p.fail("Value must be between -5.0E9 and 5.0E9, inclusive")
	}
	return v, nil
}

func shown(t json.Token) string {
	b, err := json.Marshal(t)
	if d, ok := t.(json.Delim); ok || err != nil {
		return d.String()
	}
	return string(b)
}
