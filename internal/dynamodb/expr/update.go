package expr

import (
	"strconv"

	"github.com/newel-run/newel/internal/dynamodb/attr"
)

// Verb is a clause of an update expression.
type Verb uint8

// The clauses.
const (
	Set Verb = iota
	Remove
	Add
	Delete
)

var verbText = [...]string{"SET", "REMOVE", "ADD", "DELETE"}

// Action is one action of an update: what to do at a path; Value is nil for Remove.
type Action struct {
	Verb  Verb
	Path  Path
	Value *Node
}

// Update is a checked update: its paths neither overlap nor conflict.
type Update struct {
	Actions []Action
	// Legacy marks an update made of AttributeUpdates: ADD also appends to lists, and type errors have another wording.
	Legacy bool
}

var updateOrder = []class{reservedWord, unknownFunction, section, undefinedName, undefinedValue, pathOverlap, pathConflict, operandCount, operandType}

// Update parses an update expression.
func (p *Params) Update(text string) (*Update, error) {
	u := &Update{}
	err := run(p, "UpdateExpression", text, func(ps *parser) {
		seen := map[Verb]bool{}
		for ps.peek().kind != tokEnd || len(u.Actions) == 0 {
			verb := ps.verb()
			if seen[verb] {
				ps.note(section, `The "`, verbText[verb], `" section can only be used once in an update expression;`)
			}
			seen[verb] = true
			u.Actions = append(u.Actions, ps.action(verb))
			for ps.punct(",") {
				u.Actions = append(u.Actions, ps.action(verb))
			}
		}
		ps.checkPaths(actionPaths(u.Actions))
	}, updateOrder)
	return u, err
}

// Paths are the paths that the update touches, as UPDATED_OLD and UPDATED_NEW show them.
func (u *Update) Paths() []Path { return actionPaths(u.Actions) }

func actionPaths(actions []Action) []Path {
	paths := make([]Path, len(actions))
	for i := range actions {
		paths[i] = actions[i].Path
	}
	return paths
}

func (p *parser) verb() Verb {
	for v, text := range verbText {
		if p.word(text) {
			return Verb(v)
		}
	}
	p.fail()
	return 0
}

func (p *parser) action(verb Verb) Action {
	a := Action{Verb: verb, Path: p.path()}
	switch verb {
	case Set:
		p.need("=")
		a.Value = p.setValue()
	case Add, Delete:
		if p.peek().kind != tokValueRef {
			p.fail()
		}
		a.Value = p.valueRef()
		p.checkSetOperand(verb, a.Value.Value)
	}
	return a
}

// setValue parses operand [(+|-) operand], in parentheses if need be.
func (p *parser) setValue() *Node {
	n := p.setOperand()
	op := OpPlus
	if !p.punct("+") {
		if !p.punct("-") {
			return n
		}
		op = OpMinus
	}
	n = &Node{Op: op, Args: []*Node{n, p.setOperand()}}
	for _, a := range n.Args {
		if k := staticKind(a); k != attr.None && k != attr.N {
			p.noteType(opText[op], k.String())
		}
	}
	return n
}

func (p *parser) setOperand() *Node {
	t := p.peek()
	switch {
	case t.kind == tokValueRef:
		return p.valueRef()
	case p.callAhead():
		n := p.call(p.setValue)
		p.checkSetCall(n)
		return n
	case t.kind == tokName || t.kind == tokNameRef:
		return &Node{Op: OpPath, Path: p.path()}
	case p.punct("("):
		n := p.setValue()
		p.need(")")
		return n
	}
	p.fail()
	return nil
}

func (p *parser) checkSetCall(n *Node) {
	if n.Call != "if_not_exists" && n.Call != "list_append" {
		p.note(unknownFunction, "Invalid function name; function: ", n.Call)
		return
	}
	if len(n.Args) != 2 {
		p.note(operandCount, "Incorrect number of operands for operator or function; operator or function: ", n.Call,
			", number of operands: ", strconv.Itoa(len(n.Args)))
		return
	}
	if n.Call == "if_not_exists" {
		if n.Args[0].Op != OpPath {
			p.note(operandType, "Operator or function requires a document path; operator or function: ", n.Call)
		}
		return
	}
	for _, a := range n.Args {
		if k := staticKind(a); k != attr.None && k != attr.L {
			p.noteType(n.Call, k.String())
		}
	}
}

var javaKinds = map[attr.Kind]string{attr.S: "STRING", attr.N: "NUMBER", attr.B: "BINARY", attr.Null: "NULL", attr.Bool: "BOOLEAN",
	attr.L: "LIST", attr.M: "MAP"}

// checkSetOperand: ADD takes a number or a set, DELETE a set.
func (p *parser) checkSetOperand(verb Verb, v *attr.Value) {
	if v == nil || v.Kind.IsSet() || verb == Add && v.Kind == attr.N {
		return
	}
	p.note(operandType, "Incorrect operand type for operator or function; operator: ", verbText[verb], ", operand type: ", javaKinds[v.Kind],
		", typeSet: ", allowedSet(verb))
}

// allowedSet is the set of kinds that AWS's error lists.
func allowedSet(verb Verb) string {
	if verb == Add {
		return "ALLOWED_FOR_ADD_OPERAND"
	}
	return "ALLOWED_FOR_DELETE_OPERAND"
}

// checkPaths: no path may be another's beginning, nor take for a list what another takes for a map.
func (p *parser) checkPaths(paths []Path) {
	for i := range paths {
		for j := range i {
			p.checkPair(paths[j], paths[i])
		}
	}
}

func (p *parser) checkPair(a, b Path) {
	for i := range min(len(a), len(b)) {
		if a[i].isIndex() != b[i].isIndex() {
			p.note(pathConflict, "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: ",
				a.String(), ", path two: ", b.String())
			return
		}
		if a[i] != b[i] {
			return
		}
	}
	p.note(pathOverlap, "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: ",
		a.String(), ", path two: ", b.String())
}

// Touches gives the first path that begins with an attribute; ok is false if there is none.
func (u *Update) Touches(name string) (p Path, ok bool) {
	for _, a := range u.Actions {
		if a.Path[0].Name == name {
			return a.Path, true
		}
	}
	return nil, false
}
