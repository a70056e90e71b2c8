package cloudwatch

import (
	"math"
	"strconv"
	"strings"
	"unicode"
)

// evaluation computes the queries of one GetMetricData. Metric math here: + - * / and parentheses over numbers and
// queries, the functions below, METRICS(), and FILL with a number. Everything else is refused by name.
type evaluation struct {
	queries []dataQuery
	done    map[string]values
	read    func(*dataQuery) (values, error)
	periods []int64 // beginnings (s) of the request's periods, of the shortest length that a query names
}

// result of an expression: a number, a time series, or several.
type result struct {
	number float64
	series []values // nil: a number
}

func (e *evaluation) query(id string, within []string) (values, error) {
	if v, there := e.done[id]; there {
		return v, nil
	}
	for _, up := range within {
		if up == id {
			return nil, invalid("Error in expression '%s': Circular dependency", id)
		}
	}
	for i := range e.queries {
		q := &e.queries[i]
		if q.ID != id {
			continue
		}
		v, err := e.compute(q, append(within, id))
		if err == nil {
			e.done[id] = v
		}
		return v, err
	}
	return nil, invalid("Unknown id '%s' in an expression", id)
}

func (e *evaluation) compute(q *dataQuery, within []string) (values, error) {
	if q.MetricStat != nil {
		return e.read(q)
	}
	p := &parser{e: e, id: q.ID, text: q.Expression, within: within}
	r, err := p.sum()
	if err != nil {
		return nil, err
	}
	if p.skip(); p.at < len(p.text) {
		return nil, p.fail("unexpected '" + p.text[p.at:] + "'")
	}
	if len(r.series) != 1 {
		return nil, p.fail("the expression must have one time series as its result")
	}
	return r.series[0], nil
}

type parser struct {
	e      *evaluation
	id     string
	text   string
	at     int
	depth  int
	within []string
}

func (p *parser) fail(why string) error {
	return invalid("Error in expression '%s': %s", p.id, why)
}

func (p *parser) skip() {
	for p.at < len(p.text) && unicode.IsSpace(rune(p.text[p.at])) {
		p.at++
	}
}

func (p *parser) next(any string) byte {
	p.skip()
	if p.at < len(p.text) && strings.IndexByte(any, p.text[p.at]) >= 0 {
		p.at++
		return p.text[p.at-1]
	}
	return 0
}

func (p *parser) sum() (result, error) {
	if p.depth++; p.depth > 100 {
		return result{}, p.fail("the expression is too deep")
	}
	defer func() { p.depth-- }()
	return p.chain("+-", func() (result, error) { return p.chain("*/", p.factor) })
}

func (p *parser) chain(operators string, operand func() (result, error)) (result, error) {
	left, err := operand()
	for err == nil {
		op := p.next(operators)
		if op == 0 {
			return left, nil
		}
		var right result
		if right, err = operand(); err == nil {
			left, err = p.combine(op, left, right)
		}
	}
	return left, err
}

func operate(op byte, a, b float64) float64 {
	switch op {
	case '+':
		return a + b
	case '-':
		return a - b
	case '*':
		return a * b
	}
	return a / b
}

// combine applies an operator; a time that only one side has gives nothing, nor does a division by zero.
func (p *parser) combine(op byte, a, b result) (result, error) {
	if a.series == nil && b.series == nil {
		return result{number: operate(op, a.number, b.number)}, nil
	}
	if a.series != nil && b.series != nil && len(b.series) != 1 && len(a.series) != 1 {
		return result{}, p.fail("operators take at most one list of time series")
	}
	many, swapped := a, false
	if a.series == nil || len(a.series) == 1 && len(b.series) > 1 {
		many, swapped = b, true
	}
	one := b
	if swapped {
		one = a
	}
	out := result{series: []values{}}
	for _, v := range many.series {
		w := values{}
		for t, x := range v {
			y, there := one.number, true
			if one.series != nil {
				y, there = one.series[0][t]
			}
			if !there {
				continue
			}
			if swapped {
				x, y = y, x
			}
			if r := operate(op, x, y); !math.IsNaN(r) && !math.IsInf(r, 0) {
				w[t] = r
			}
		}
		out.series = append(out.series, w)
	}
	return out, nil
}

func (p *parser) word() string {
	from := p.at
	for p.at < len(p.text) && (p.text[p.at] == '_' || p.text[p.at] == '.' || p.text[p.at] < 0x80 && (unicode.IsLetter(rune(p.text[p.at])) || unicode.IsDigit(rune(p.text[p.at])))) {
		p.at++
	}
	return p.text[from:p.at]
}

func (p *parser) factor() (result, error) {
	p.skip()
	if p.next("-") != 0 {
		r, err := p.factor()
		if err != nil {
			return r, err
		}
		return p.combine('*', r, result{number: -1})
	}
	if p.next("(") != 0 {
		r, err := p.sum()
		if err == nil && p.next(")") == 0 {
			err = p.fail("')' is missing")
		}
		return r, err
	}
	w := p.word()
	if w == "" {
		return result{}, p.fail("an operand is missing")
	}
	if n, err := strconv.ParseFloat(w, 64); err == nil && w[0] < 'A' {
		return result{number: n}, nil
	}
	if p.next("(") != 0 {
		return p.function(strings.ToUpper(w))
	}
	v, err := p.e.query(w, p.within)
	return result{series: []values{v}}, err
}

// function applies a function to what stands in its parentheses.
func (p *parser) function(name string) (result, error) {
	var arguments []result
	if p.next(")") == 0 {
		for {
			r, err := p.argument(name)
			if err != nil {
				return r, err
			}
			arguments = append(arguments, r)
			if p.next(",") != 0 {
				continue
			}
			if p.next(")") == 0 {
				return r, p.fail("')' is missing")
			}
			break
		}
	}
	switch {
	case name == "METRICS" && len(arguments) == 0:
		return p.metrics()
	case len(arguments) == 2 && name == "FILL":
		return p.fill(arguments[0], arguments[1])
	case len(arguments) == 1 && fold[name] != nil:
		return across(arguments[0], fold[name]), nil
	case len(arguments) == 1 && each[name] != nil:
		return one(arguments[0], each[name]), nil
	}
	return result{}, p.fail("Newel does not implement the function " + name + " with " + strconv.Itoa(len(arguments)) + " arguments yet")
}

// argument reads a function's argument: an expression, or a list [m1, m2].
func (p *parser) argument(name string) (result, error) {
	if p.next("[") == 0 {
		return p.sum()
	}
	out := result{series: []values{}}
	for {
		r, err := p.sum()
		if err != nil {
			return r, err
		}
		out.series = append(out.series, r.series...)
		if p.next(",") == 0 {
			break
		}
	}
	if p.next("]") == 0 {
		return out, p.fail("']' is missing in " + name)
	}
	return out, nil
}

func (p *parser) metrics() (result, error) {
	out := result{series: []values{}}
	for i := range p.e.queries {
		if q := &p.e.queries[i]; q.MetricStat != nil {
			v, err := p.e.query(q.ID, p.within)
			if err != nil {
				return out, err
			}
			out.series = append(out.series, v)
		}
	}
	return out, nil
}

// fill puts a number where a series has none, at every period of the request.
func (p *parser) fill(what, with result) (result, error) {
	if len(what.series) != 1 || with.series != nil {
		return what, p.fail("FILL takes a time series and a number here")
	}
	w := values{}
	for _, t := range p.e.periods {
		w[t] = with.number
	}
	for t, x := range what.series[0] {
		w[t] = x
	}
	return result{series: []values{w}}, nil
}

// fold are the functions over the values of several series at a time, or of one series.
var fold = map[string]func([]float64) float64{
	"SUM": func(v []float64) (s float64) {
		for _, x := range v {
			s += x
		}
		return s
	},
	"AVG": func(v []float64) (s float64) {
		for _, x := range v {
			s += x / float64(len(v))
		}
		return s
	},
	"MIN": func(v []float64) float64 {
		m := v[0]
		for _, x := range v {
			m = min(m, x)
		}
		return m
	},
	"MAX": func(v []float64) float64 {
		m := v[0]
		for _, x := range v {
			m = max(m, x)
		}
		return m
	},
}

var each = map[string]func(float64) float64{"ABS": math.Abs, "CEIL": math.Ceil, "FLOOR": math.Floor}

// across folds a list of series into one series, and one series into a number.
func across(a result, f func([]float64) float64) result {
	if len(a.series) == 1 {
		var all []float64
		for _, x := range a.series[0] {
			all = append(all, x)
		}
		if len(all) == 0 {
			return result{}
		}
		return result{number: f(all)}
	}
	at := map[int64][]float64{}
	for _, v := range a.series {
		for t, x := range v {
			at[t] = append(at[t], x)
		}
	}
	w := values{}
	for t, list := range at {
		w[t] = f(list)
	}
	return result{series: []values{w}}
}

func one(a result, f func(float64) float64) result {
	if a.series == nil {
		return result{number: f(a.number)}
	}
	out := result{series: []values{}}
	for _, v := range a.series {
		w := values{}
		for t, x := range v {
			w[t] = f(x)
		}
		out.series = append(out.series, w)
	}
	return out
}
