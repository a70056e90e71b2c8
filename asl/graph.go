package asl

// checkTransitions links the states and reports names that lead nowhere, a machine that cannot end, and states that
// cannot be reached.
func (c *compiler) checkTransitions() {
	inScope := map[*Scope][]transition{}
	for _, t := range c.transitions {
		inScope[t.scope] = append(inScope[t.scope], t)
		to := c.def.byName[t.name]
		if c.o.Fragment && t.scope == c.def.Root && (to == nil || to.Scope != t.scope) {
			t.set(c.outside(t.name))
			continue
		}
		if to == nil || to.Scope != t.scope {
			t.place.report(CodeMissingTarget, "Missing 'Next' target: "+t.name)
			continue
		}
		t.set(to)
	}
	for _, s := range c.def.Scopes {
		if c.o.Fragment && s == c.def.Root {
			continue
		}
		if !s.ends() {
			c.errors = append(c.errors, Diagnostic{Severity: SeverityError, Code: CodeMissingEnd, Message: "Workflow has no terminal state"})
			continue
		}
		c.checkReachable(s, inScope[s])
	}
}

// outside stands for a state that a fragment names and does not have. It is never run.
func (c *compiler) outside(name string) *State {
	s := &State{ID: len(c.def.States), Name: name, Type: Succeed, Scope: c.def.Root, Language: c.def.QueryLanguage}
	c.def.States = append(c.def.States, s)
	return s
}

func (s *Scope) ends() bool {
	for _, state := range s.States {
		if state.End || state.Type == Succeed || state.Type == Fail {
			return true
		}
	}
	return false
}

func (c *compiler) checkReachable(s *Scope, transitions []transition) {
	targeted := map[string]bool{}
	next := map[string][]string{}
	for _, t := range transitions {
		if t.from == nil {
			targeted[t.name] = true
		} else {
			next[t.from.Name] = append(next[t.from.Name], t.name)
		}
	}
	var queue []string
	for name := range targeted {
		queue = append(queue, name)
	}
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		for _, to := range next[name] {
			if !targeted[to] {
				targeted[to] = true
				queue = append(queue, to)
			}
		}
	}
	for _, state := range s.States {
		if !targeted[state.Name] {
			c.places[state].report(CodeMissingTarget, `State "`+state.Name+`" is not reachable.`)
		}
	}
}
