package jsonata

import "strconv"

// A % is the context that the item at hand was selected from. Which step that is can be seen in the text: resolve walks
// the tree from the top and knows, wherever it is, the steps that have led to the context there (its origin). A % climbs
// from its origin: each step that selects by name or wildcard is a level, each % before it one more to climb. The step it
// arrives at leaves its context in a hidden variable that travels with the items.

// origin is where the context of an expression comes from: the steps of a path before it, and further out the origin of
// the path itself.
type origin struct {
	steps    []*step  // the nearest is the last
	filtered bool     // the expression is a predicate of the last of the steps
	base     *refined // the expression is a predicate of this, which is no path
	outer    *origin
	closed   bool // nothing can be said of what is further out: a % finds nothing at run time
}

type resolver struct {
	labels int
	depth  int
	paths  []*path
}

// maxTree is how deep a tree may be; chains of operators lean to the left.
const maxTree = 12_000

func resolve(x expr) expr {
	r := &resolver{}
	r.walk(x, nil)
	for _, p := range r.paths {
		for _, s := range p.steps {
			_, isField := s.of.(*field)
			s.simple = isField && s.stages == nil && s.group == nil && !s.keep && s.focus == "" && s.index == "" && s.label == nil && !s.stream
		}
	}
	return x
}

// walk visits an expression whose context has an origin; nil is the context of the whole program, which has no parent.
func (r *resolver) walk(x expr, from *origin) {
	if r.depth++; r.depth > maxTree {
		panic(limitError(messageDepth))
	}
	closed := &origin{closed: true}
	switch x := x.(type) {
	case *parent:
		x.slot = r.climb(x, from)
	case *negation:
		r.walk(x.of, from)
	case *operation:
		r.walk(x.left, from)
		r.walk(x.right, from)
	case *array:
		r.walkAll(x.items, from)
	case *object:
		r.walkPairs(x.pairs, from)
	case *block:
		r.walkAll(x.body, from)
	case *conditional:
		r.walk(x.test, from)
		r.walk(x.yes, from)
		r.walk(x.no, from)
	case *binding:
		r.walk(x.value, from)
	case *call:
		r.walk(x.proc, closed)
		r.walkAll(x.args, from)
	case *partial:
		r.walk(x.proc, closed)
		r.walkAll(x.args, from)
	case *lambda:
		r.walk(x.body, closed)
	case *transform:
		r.walkAll([]expr{x.pattern, x.update, x.remove}, closed)
	case *chain:
		r.walk(x.left, closed)
		r.walk(x.right, closed)
	case *path:
		r.walkPath(x, from)
	case *refined:
		r.walk(x.of, from)
		for _, filter := range x.predicates {
			r.walk(filter, &origin{base: x, outer: from})
		}
		if x.group != nil {
			r.walkPairs(x.group.pairs, closed)
		}
	}
	r.depth--
}

func (r *resolver) walkAll(list []expr, from *origin) {
	for _, x := range list {
		r.walk(x, from)
	}
}

func (r *resolver) walkPairs(pairs []pair, from *origin) {
	for _, p := range pairs {
		r.walk(p.key, from)
		r.walk(p.value, from)
	}
}

func (r *resolver) walkPath(p *path, from *origin) {
	r.paths = append(r.paths, p)
	for i, s := range p.steps {
		before := &origin{steps: p.steps[:i], outer: from}
		if i == 0 && len(p.steps) > 1 {
			if _, isParent := bare(s.of).(*parent); !isParent {
				before = &origin{closed: true}
			}
		}
		r.walk(s.of, before)
		if x, ok := s.of.(*refined); ok {
			s.stream = s.stream || x.stream
		}
		for _, t := range s.order {
			r.walk(t.of, before)
		}
		for _, stage := range s.stages {
			if stage.filter == nil {
				continue
			}
			o := &origin{steps: p.steps[:i+1], filtered: true, outer: from}
			if i == 0 {
				o.outer = &origin{closed: true}
			}
			r.walk(stage.filter, o)
		}
		if s.group != nil {
			r.walkPairs(s.group.pairs, &origin{closed: true})
		}
	}
	if p.group != nil {
		r.walkPairs(p.group.pairs, &origin{closed: true})
	}
}

// climb finds the step whose context a % is; its slot is shared by all that find the same step.
func (r *resolver) climb(x *parent, from *origin) *slot {
	levels := 1
	for o := from; ; o = o.outer {
		switch {
		case o == nil:
			panic(fail("S0217", int(x.at), "parent", nil))
		case o.closed:
			return &slot{}
		}
		if o.base != nil {
			if levels > 1 {
				levels--
			} else {
				o.base.stream = true
				if s := r.seek(o.base.of, nil, &levels, x); s != nil {
					return s
				}
			}
			continue
		}
		steps := o.steps
		if o.filtered {
			s := steps[len(steps)-1]
			steps = steps[:len(steps)-1]
			if levels > 1 {
				levels--
			} else if found := r.seekStep(s, &levels, x); found != nil {
				return found
			}
		}
		if s := r.seekSteps(steps, &levels, x, true); s != nil {
			return s
		}
	}
}

// seekSteps climbs the steps of a path from the last on. Of steps in a row that bind variables to their items, which all
// have the same context, only the first counts; but not inside a nested path.
func (r *resolver) seekSteps(steps []*step, levels *int, x *parent, skipFocus bool) *slot {
	for i := len(steps) - 1; i >= 0; i-- {
		for skipFocus && i > 0 && steps[i].focus != "" && steps[i-1].focus != "" {
			i--
		}
		if s := r.seekStep(steps[i], levels, x); s != nil {
			return s
		}
	}
	return nil
}

func (r *resolver) seekStep(s *step, levels *int, x *parent) *slot {
	if s.order != nil {
		panic(fail("S0217", int(x.at), "sort", nil))
	}
	return r.seek(s.of, s, levels, x)
}

// seek climbs over an expression that has made the context, a step of a path or not.
func (r *resolver) seek(of expr, s *step, levels *int, x *parent) *slot {
	switch of := bare(of).(type) {
	case *field, *wildcard:
		if *levels--; *levels > 0 {
			return nil
		}
		if s == nil {
			return &slot{} // nothing keeps the context of what is no step: the % finds nothing
		}
		if s.label == nil {
			r.labels++
			s.label = &slot{"%" + strconv.Itoa(r.labels)}
		}
		s.stream = true
		return s.label
	case *parent:
		*levels++
		return nil
	case *block:
		if s != nil {
			s.stream = true
		}
		if len(of.body) == 0 {
			return nil
		}
		return r.seek(of.body[len(of.body)-1], nil, levels, x)
	case *path:
		of.stream = true
		return r.seekSteps(of.steps, levels, x, false)
	}
	panic(fail("S0217", int(x.at), "", nil))
}
