package velocity

import (
	"strings"
)

// Limits bound an evaluation; zero values take the defaults.
type Limits struct {
	Steps int // nodes and expressions; default 1,000,000
	Bytes int // of the output, and of all strings that are made on the way; default 20 MiB
	Loops int // rounds of one #foreach; default 1000, API Gateway's
}

func (l Limits) withDefaults() Limits {
	for _, d := range []struct {
		field *int
		value int
	}{{&l.Steps, 1_000_000}, {&l.Bytes, 20 << 20}, {&l.Loops, 1000}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return l
}

// Object is what the caller offers to a template.
type Object interface {
	// Get is the value of a property; nil for none.
	Get(name string) any
	// Call is the value of a method; ok is false if there is no such method or the arguments do not suit it.
	Call(name string, args []any) (v any, ok bool)
}

type machine struct {
	limits  Limits
	scope   map[string]any
	out     *strings.Builder
	stopped bool
	broken  bool
}

// Render evaluates the template. vars are its variables; those that it sets are set there too. An error is an *Error.
func (t *Template) Render(vars map[string]any, limits Limits) (string, error) {
	m := &machine{limits: limits.withDefaults(), scope: vars, out: new(strings.Builder)}
	if err := m.run(t.body); err != nil {
		return "", err
	}
	return m.out.String(), nil
}

func (m *machine) step() error {
	if m.limits.Steps--; m.limits.Steps < 0 {
		return &Error{Reason: "the template takes too many steps"}
	}
	return nil
}

// spend counts bytes that are made.
func (m *machine) spend(n int) error {
	if m.limits.Bytes -= n; m.limits.Bytes < 0 {
		return &Error{Reason: "the template makes too much text"}
	}
	return nil
}

func (m *machine) write(s string) error {
	m.out.WriteString(s)
	return m.spend(len(s))
}

func (m *machine) run(body []node) error {
	for _, n := range body {
		if m.stopped || m.broken {
			return nil
		}
		if err := m.step(); err != nil {
			return err
		}
		var err error
		switch n := n.(type) {
		case text:
			err = m.write(string(n))
		case *reference:
			err = m.show(n)
		case *set:
			err = m.assign(n)
		case *conditional:
			err = m.choose(n)
		case *loop:
			err = m.repeat(n)
		case jump:
			m.stopped, m.broken = n == "stop", n == "break"
		default:
			panic("velocity: unknown node")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *machine) show(r *reference) error {
	v, err := m.lookup(r)
	if err != nil {
		return err
	}
	if v != nil {
		s, err := m.string(v)
		if err != nil {
			return err
		}
		return m.write(s)
	}
	if r.quiet {
		return nil
	}
	return m.write(r.source)
}

func (m *machine) choose(n *conditional) error {
	for _, a := range n.arms {
		if a.condition != nil {
			v, err := m.eval(a.condition)
			if err != nil {
				return err
			}
			if !truth(v) {
				continue
			}
		}
		return m.run(a.body)
	}
	return nil
}

func truth(v any) bool {
	b, isBool := v.(bool)
	return v != nil && (!isBool || b)
}

func (m *machine) repeat(n *loop) error {
	over, err := m.eval(n.over)
	if err != nil {
		return err
	}
	var items []any
	switch over := over.(type) {
	case *List:
		items = append(items, over.Items...)
	case *Map:
		items = over.values()
	}
	saved := map[string]any{}
	for _, name := range []string{n.name, "foreach", "velocityCount"} {
		if v, ok := m.scope[name]; ok {
			saved[name] = v
		}
	}
	for i, item := range items {
		if i == m.limits.Loops {
			return &Error{Reason: "a #foreach goes round too often"}
		}
		state := NewMap()
		state.Set("index", int64(i))
		state.Set("count", int64(i+1))
		state.Set("hasNext", i+1 < len(items))
		state.Set("first", i == 0)
		state.Set("last", i+1 == len(items))
		m.scope[n.name], m.scope["foreach"], m.scope["velocityCount"] = item, state, int64(i+1)
		if err := m.run(n.body); err != nil {
			return err
		}
		if m.broken || m.stopped {
			m.broken = false
			break
		}
	}
	for _, name := range []string{n.name, "foreach", "velocityCount"} {
		delete(m.scope, name)
		if v, ok := saved[name]; ok {
			m.scope[name] = v
		}
	}
	return nil
}

func (m *machine) assign(n *set) error {
	v, err := m.eval(n.value)
	if err != nil {
		return err
	}
	r := n.target
	if len(r.steps) == 0 {
		m.scope[r.name] = v
		return nil
	}
	last := r.steps[len(r.steps)-1]
	in, err := m.follow(m.scope[r.name], r.steps[:len(r.steps)-1])
	if err != nil || last.call {
		return err
	}
	var key any = last.name
	if last.index {
		if key, err = m.eval(last.args[0]); err != nil {
			return err
		}
	}
	_, _, err = m.method(in, map[bool]string{true: "set", false: "put"}[isList(in)], []any{key, v})
	return err
}

func isList(v any) bool {
	_, ok := v.(*List)
	return ok
}

func (m *machine) lookup(r *reference) (any, error) { return m.follow(m.scope[r.name], r.steps) }

func (m *machine) follow(v any, steps []step) (any, error) {
	for _, st := range steps {
		if err := m.step(); err != nil {
			return nil, err
		}
		if v == nil {
			return nil, nil
		}
		args := make([]any, len(st.args))
		for i, a := range st.args {
			var err error
			if args[i], err = m.eval(a); err != nil {
				return nil, err
			}
		}
		var err error
		switch {
		case st.call:
			v, _, err = m.method(v, st.name, args)
		case st.index:
			v, _, err = m.method(v, "get", args)
		default:
			v, err = m.property(v, st.name)
		}
		if err != nil {
			return nil, err
		}
	}
	return v, nil
}

func (m *machine) property(v any, name string) (any, error) {
	switch v := v.(type) {
	case *Map:
		return v.Get(name), nil
	case Object:
		return v.Get(name), nil
	case *List:
		if name == "empty" {
			return len(v.Items) == 0, nil
		}
	}
	return nil, nil
}

func (m *machine) eval(e expr) (any, error) {
	if err := m.step(); err != nil {
		return nil, err
	}
	switch e := e.(type) {
	case *literal:
		return e.value, nil
	case *reference:
		return m.lookup(e)
	case *interpolated:
		return m.inner(e.body)
	case *unary:
		v, err := m.eval(e.of)
		return !truth(v), err
	case *binary:
		return m.binary(e)
	case *list:
		l := &List{}
		for _, item := range e.items {
			v, err := m.eval(item)
			if err != nil {
				return nil, err
			}
			l.Items = append(l.Items, v)
		}
		return l, nil
	case *mapping:
		return m.makeMap(e)
	case *span:
		return m.makeSpan(e)
	}
	panic("velocity: unknown expression")
}

// inner evaluates a string with references.
func (m *machine) inner(body []node) (any, error) {
	outer := m.out
	m.out = new(strings.Builder)
	err := m.run(body)
	s := m.out.String()
	m.out = outer
	return s, err
}

func (m *machine) makeMap(e *mapping) (any, error) {
	out := NewMap()
	for i := range e.keys {
		k, err := m.eval(e.keys[i])
		if err != nil {
			return nil, err
		}
		v, err := m.eval(e.values[i])
		if err != nil {
			return nil, err
		}
		key, err := m.string(k)
		if err != nil {
			return nil, err
		}
		out.Set(key, v)
	}
	return out, nil
}

func (m *machine) makeSpan(e *span) (any, error) {
	from, err := m.eval(e.from)
	if err != nil {
		return nil, err
	}
	to, err := m.eval(e.to)
	if err != nil {
		return nil, err
	}
	a, okA := integer(from)
	b, okB := integer(to)
	if !okA || !okB {
		return nil, nil
	}
	l := &List{}
	delta := int64(1)
	if b < a {
		delta = -1
	}
	for n := a; ; n += delta {
		if err := m.step(); err != nil {
			return nil, err
		}
		l.Items = append(l.Items, n)
		if n == b {
			return l, nil
		}
	}
}
