package jsonata

// Paths are made flat while the text is read: each operator that selects adds a step to the path on its left, or to the
// last of its steps.

func fieldPath(t token) *path {
	return &path{at: at(t.end), steps: []*step{{at: at(t.end), of: &field{at(t.end), t.text}}}}
}

// fieldName is the name that an expression is, if it is nothing but a name.
func fieldName(x expr) string {
	if p, ok := x.(*path); ok && len(p.steps) == 1 {
		if f, ok := p.steps[0].of.(*field); ok {
			return f.name
		}
	}
	return ""
}

func (p *path) last() *step { return p.steps[len(p.steps)-1] }

// asPath is a path, or an expression as the only step of one.
func asPath(x expr) *path {
	switch x := x.(type) {
	case *path:
		return x
	case *refined:
		s := &step{at: position(x), of: x, keep: x.keep, focus: x.focus, stream: x.focus != ""}
		return &path{at: s.at, steps: []*step{s}, keep: false}
	}
	return &path{at: position(x), steps: []*step{{at: position(x), of: x}}}
}

// asRefined is an expression that something follows.
func asRefined(x expr) *refined {
	if r, ok := x.(*refined); ok {
		return r
	}
	return &refined{of: x}
}

// keepArray is x[].
func keepArray(x expr) expr {
	p, ok := x.(*path)
	if !ok {
		r := asRefined(x)
		r.keep = true
		return r
	}
	p.keep = true
	if s := p.last(); len(p.steps) == 1 && s.order == nil && p.group == nil && s.index == "" {
		s.keep = true
		p.array = p.array || s.focus == ""
	}
	return p
}

// join is left.right.
func (p *parser) join(position at, left, right expr) expr {
	result := asPath(left)
	switch right := right.(type) {
	case *path:
		result.steps = append(result.steps, right.steps...)
	case *refined:
		s := &step{at: right.position(), of: right.of, group: right.group, keep: right.keep, focus: right.focus, stream: right.focus != ""}
		for _, filter := range right.predicates {
			s.stages = append(s.stages, stage{filter: filter})
		}
		result.steps = append(result.steps, s)
	default:
		s := asPath(right).steps[0]
		result.steps = append(result.steps, s)
	}
	for _, s := range result.steps {
		p.settle(s)
		result.array = result.array || s.keep
	}
	return result
}

func (x *refined) position() at { return position(x.of) }

// settle gives an expression the meaning that it has as a step: a string is a name, an array one item.
func (p *parser) settle(s *step) {
	switch x := bare(s.of).(type) {
	case *literal:
		name, ok := x.value.(string)
		if !ok {
			p.later("S0213", x.at, "", detail{"value": x.value})
		}
		var f expr = &field{x.at, name}
		if r, ok := s.of.(*refined); ok {
			r.of = f
		} else {
			s.of = f
		}
	case *array:
		x.fixed = true
	}
}

// predicate is x[filter].
func (p *parser) predicate(t token, x, filter expr) expr {
	if result, ok := x.(*path); ok {
		s := result.last()
		if s.group != nil {
			p.later("S0209", at(t.end), "[", nil)
		}
		s.stages = append(s.stages, stage{filter: filter})
		return result
	}
	r := asRefined(x)
	if r.group != nil {
		p.later("S0209", at(t.end), "[", nil)
	}
	r.predicates = append(r.predicates, filter)
	return r
}

// grouped is x{pairs}.
func (p *parser) grouped(t token, x expr, g *grouping) expr {
	if result, ok := x.(*path); ok {
		if result.group != nil {
			p.later("S0210", at(t.end), "{", nil)
		}
		result.group = g
		return result
	}
	r := asRefined(x)
	if r.group != nil {
		p.later("S0210", at(t.end), "{", nil)
	}
	r.group = g
	return r
}

// sorted is x^(terms).
func sorted(position at, x expr, terms []term) expr {
	result := asPath(x)
	result.steps = append(result.steps, &step{at: position, order: terms})
	return result
}

// bound is x@$name or x#$name.
func (p *parser) bound(t token, x, name expr) expr {
	v, ok := name.(*variable)
	if !ok {
		panic(fail("S0214", int(positionOrZero(name)), t.text, nil))
	}
	if t.text == "#" {
		return withIndex(x, v.name)
	}
	result, ok := x.(*path)
	if !ok {
		r := asRefined(x)
		if r.predicates != nil {
			p.later("S0215", at(t.end), "@", nil)
		}
		r.focus = v.name
		return r
	}
	s := result.last()
	switch {
	case s.stages != nil:
		p.later("S0215", at(t.end), "@", nil)
	case s.order != nil:
		p.later("S0216", at(t.end), "@", nil)
	}
	s.focus, s.stream = v.name, true
	return result
}

// withIndex binds the index of a step's items: after its predicates if it has any.
func withIndex(x expr, name string) expr {
	result, ok := x.(*path)
	if !ok {
		result = asPath(x)
		if r, ok := x.(*refined); ok {
			for _, filter := range r.predicates {
				result.steps[0].stages = append(result.steps[0].stages, stage{filter: filter})
			}
			r.predicates = nil
		}
	}
	s := result.last()
	s.stream = true
	if s.stages == nil {
		s.index = name
	} else {
		s.stages = append(s.stages, stage{index: name})
	}
	return result
}
