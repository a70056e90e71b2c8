package asl

import (
	"strings"

	"github.com/newel-run/newel/asl/value"
)

// TransitionKind says what makes a state go to another.
type TransitionKind uint8

// The kinds of transition.
const (
	ByNext    TransitionKind = iota + 1
	ByRule                   // a rule of a Choice
	ByDefault                // a Choice's Default
	ByCatch
)

// Transition is one way out of a state as the definition writes it. Label is short text for people: a Choice rule's
// condition, a catcher's error names; "" for Next.
type Transition struct {
	Kind  TransitionKind
	To    *State
	Label string
}

// Transitions are the ways out of a state: its next state or a Choice's rules and default, in order, then its catchers.
func (s *State) Transitions() []Transition {
	var all []Transition
	if s.choice != nil {
		for _, r := range s.choice.rules {
			all = append(all, Transition{ByRule, r.exit.Next, r.text})
		}
	}
	switch {
	case s.Next == nil:
	case s.Type == Choice:
		all = append(all, Transition{ByDefault, s.Next, "otherwise"})
	default:
		all = append(all, Transition{ByNext, s.Next, ""})
	}
	for _, c := range s.Catch {
		all = append(all, Transition{ByCatch, c.Next, strings.Join(c.ErrorEquals, ", ")})
	}
	return all
}

// RuleOf is the index of a Choice's rule by its way out; not ok for the state's own, which is its Default.
func (s *State) RuleOf(exit *Exit) (index int, ok bool) {
	for i := range s.choice.rules {
		if &s.choice.rules[i].exit == exit {
			return i, true
		}
	}
	return 0, false
}

// signs are the comparisons in a rule's text.
var signs = []struct{ name, sign string }{
	{"LessThanEquals", "≤"}, {"GreaterThanEquals", "≥"}, {"LessThan", "<"}, {"GreaterThan", ">"}, {"Equals", "="}, {"Matches", "~"},
}

// ruleText is a Choice rule as short text: `Status = 1 and not (Card is null)`.
func ruleText(rule *node) string {
	text := func(name string) string {
		if m := rule.member(name); m != nil {
			s, _ := m.node.scalar.(string)
			return s
		}
		return ""
	}
	if condition := text("Condition"); condition != "" {
		return strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(condition, "{%"), "%}"))
	}
	for _, m := range rule.members {
		switch {
		case m.name == "And":
			return partsText(m.node, " and ")
		case m.name == "Or":
			return partsText(m.node, " or ")
		case m.name == "Not":
			return "not " + partText(m.node)
		case m.name == "IsPresent" || operators[m.name].test != nil || operators[strings.TrimSuffix(m.name, "Path")].hasPath:
			return pathText(text("Variable")) + " " + comparisonText(m.name, m.node)
		}
	}
	return ""
}

func partsText(list *node, joint string) string {
	parts := make([]string, len(list.elems))
	for i, e := range list.elems {
		parts[i] = ruleText(e)
		if len(list.elems) > 1 {
			parts[i] = partText(e)
		}
	}
	return strings.Join(parts, joint)
}

// partText is a rule inside another one, in brackets if it joins others itself.
func partText(rule *node) string {
	text := ruleText(rule)
	if rule.member("And") != nil || rule.member("Or") != nil {
		return "(" + text + ")"
	}
	return text
}

func pathText(path string) string {
	return strings.TrimPrefix(path, "$.")
}

func comparisonText(operator string, operand *node) string {
	if what, ok := strings.CutPrefix(operator, "Is"); ok {
		what = strings.ToLower(what)
		if operand.scalar == false {
			return "is not " + what
		}
		return "is " + what
	}
	base, isPath := strings.CutSuffix(operator, "Path")
	for _, s := range signs {
		if strings.HasSuffix(base, s.name) {
			right := ""
			if path, ok := operand.scalar.(string); ok && isPath {
				right = pathText(path)
			} else {
				right = string(value.Append(nil, operand.scalar))
			}
			return s.sign + " " + right
		}
	}
	return operator
}
