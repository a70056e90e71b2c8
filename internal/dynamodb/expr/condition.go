package expr

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/newel-run/newel/internal/dynamodb/attr"
)

var conditionOrder = []class{parens, unknownFunction, misusedFunction, reservedWord, condition}

const maxInOperands = 100

// Condition parses a condition or filter expression; what is the request's member that holds it ("FilterExpression").
func (p *Params) Condition(what, text string) (*Node, error) {
	var root *Node
	err := run(p, what, text, func(ps *parser) {
		root = ps.or()
		ps.needCondition(root)
	}, conditionOrder)
	return root, err
}

func (p *parser) or() *Node {
	n := p.and()
	for isCondition(n) && p.word("OR") {
		r := p.and()
		p.needCondition(r)
		n = &Node{Op: OpOr, Args: []*Node{n, r}}
	}
	return n
}

func (p *parser) and() *Node {
	n := p.not()
	for isCondition(n) && p.word("AND") {
		r := p.not()
		p.needCondition(r)
		n = &Node{Op: OpAnd, Args: []*Node{n, r}}
	}
	return n
}

func (p *parser) not() *Node {
	if p.word("NOT") {
		n := p.not()
		p.needCondition(n)
		return &Node{Op: OpNot, Args: []*Node{n}}
	}
	return p.comparison()
}

// isCondition reports whether a node can stand as a condition; a bare operand cannot.
func isCondition(n *Node) bool { return n.Op != OpPath && n.Op != OpValue }

func (p *parser) needCondition(n *Node) {
	if !isCondition(n) {
		p.fail()
	}
	if n.Op == OpCall && n.Call == "size" {
		p.note(misusedFunction, "The function is not allowed to be used this way in an expression; function: size")
	}
}

var comparators = map[string]Op{"=": OpEq, "<>": OpNe, "<": OpLt, "<=": OpLe, ">": OpGt, ">=": OpGe}

// comparison parses an operand and the comparator that may follow it, or a condition in parentheses.
func (p *parser) comparison() *Node {
	left := p.operand()
	if left.Op != OpPath && left.Op != OpValue && left.Op != OpCall {
		return left
	}
	t := p.peek()
	if op, ok := comparators[t.text]; ok && t.kind == tokPunct {
		p.pos++
		n := &Node{Op: op, Args: []*Node{left, p.operand()}}
		p.checkOperands(n)
		return n
	}
	switch {
	case p.word("BETWEEN"):
		n := &Node{Op: OpBetween, Args: []*Node{left, p.operand()}}
		if !p.word("AND") {
			p.fail()
		}
		n.Args = append(n.Args, p.operand())
		p.checkOperands(n)
		p.checkBetween(n)
		p.endCondition()
		return n
	case p.word("IN"):
		return p.in(left)
	}
	return left
}

func (p *parser) in(left *Node) *Node {
	n := &Node{Op: OpIn, Args: []*Node{left}}
	p.need("(")
	for {
		n.Args = append(n.Args, p.operand())
		if !p.punct(",") {
			break
		}
	}
	p.need(")")
	if len(n.Args)-1 > maxInOperands {
		panic(attr.Invalid("The IN operator is provided with too many operands; number of operands: " + strconv.Itoa(len(n.Args)-1)))
	}
	p.checkOperands(n)
	return n
}

// operand parses a path, a value, a call, or anything in parentheses (the caller says whether a condition may stand there).
func (p *parser) operand() *Node {
	t := p.peek()
	switch {
	case t.kind == tokValueRef:
		return p.valueRef()
	case p.callAhead() && !isKeyword(t.text):
		n := p.call(p.operand)
		p.checkCall(n)
		return n
	case t.kind == tokName || t.kind == tokNameRef:
		return &Node{Op: OpPath, Path: p.path()}
	case p.punct("("):
		n := p.or()
		p.need(")")
		return p.wrap(n)
	}
	p.fail()
	return nil
}

func isKeyword(text string) bool {
	for _, k := range []string{"AND", "OR", "NOT", "IN", "BETWEEN"} {
		if strings.EqualFold(text, k) {
			return true
		}
	}
	return false
}

// conditionCalls gives the number of operands of each function.
var conditionCalls = map[string]int{"attribute_exists": 1, "attribute_not_exists": 1, "attribute_type": 2, "begins_with": 2, "contains": 2, "size": 1}

func (p *parser) checkCall(n *Node) {
	count, ok := conditionCalls[n.Call]
	if !ok {
		p.note(unknownFunction, "Invalid function name; function: ", n.Call)
		return
	}
	for _, a := range n.Args {
		p.checkMisuse(a)
	}
	if len(n.Args) != count {
		p.note(operandCount, "Incorrect number of operands for operator or function; operator or function: ", n.Call,
			", number of operands: ", strconv.Itoa(len(n.Args)))
	} else {
		p.checkDistinct(n.Call, n.Args)
		p.checkCallTypes(n)
	}
	p.endCondition()
}

func (p *parser) checkCallTypes(n *Node) {
	switch n.Call {
	case "attribute_exists", "attribute_not_exists":
		if n.Args[0].Op != OpPath {
			p.note(operandType, "Operator or function requires a document path; operator or function: ", n.Call)
		}
	case "begins_with":
		for _, a := range n.Args {
			if k := staticKind(a); k != attr.None && k != attr.S && k != attr.B {
				p.noteType(n.Call, k.String())
			}
		}
	case "attribute_type":
		switch k := staticKind(n.Args[1]); {
		case k == attr.None:
			p.noteType(n.Call, "{NS,SS,L,BS,N,M,B,BOOL,NULL,S}")
		case k != attr.S:
			p.noteType(n.Call, k.String())
		case n.Args[1].Op == OpValue && attr.KindOf(n.Args[1].Value.Str) == attr.None:
			p.note(operandType, "Invalid attribute type name found; type: ", n.Args[1].Value.Str, ", valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}")
		}
	case "size":
		if k := staticKind(n.Args[0]); k == attr.N || k == attr.Bool || k == attr.Null {
			p.noteType(n.Call, k.String())
		}
	}
}

func (p *parser) noteType(operator, kind string) {
	p.note(operandType, "Incorrect operand type for operator or function; operator or function: ", operator, ", operand type: ", kind)
}

// staticKind is the kind that a node is known to have without an item, None if that depends.
func staticKind(n *Node) attr.Kind {
	switch {
	case n.Op == OpValue && n.Value != nil:
		return n.Value.Kind
	case n.Op == OpCall && n.Call == "size":
		return attr.N
	}
	return attr.None
}

// checkOperands checks what a comparator stands between.
func (p *parser) checkOperands(n *Node) {
	for _, a := range n.Args {
		if !isOperand(a) {
			p.fail()
		}
		p.checkMisuse(a)
	}
	p.checkDistinct(opText[n.Op], n.Args)
	if n.Op >= OpLt && n.Op <= OpGe {
		for _, a := range n.Args {
			if k := staticKind(a); k != attr.None && k != attr.S && k != attr.N && k != attr.B {
				p.noteType(opText[n.Op], k.String())
			}
		}
	}
	if n.Op != OpBetween {
		p.endCondition()
	}
}

func isOperand(n *Node) bool { return n.Op == OpPath || n.Op == OpValue || n.Op == OpCall }

func (p *parser) checkMisuse(n *Node) {
	if n.Op == OpCall && n.Call != "size" && conditionCalls[n.Call] != 0 {
		p.note(misusedFunction, "The function is not allowed to be used this way in an expression; function: ", n.Call)
	}
}

func (p *parser) checkDistinct(operator string, args []*Node) {
	if len(args) == 2 && args[0].Op == OpPath && args[1].Op == OpPath && args[0].Path.equal(args[1].Path) {
		p.note(distinct, "The first operand must be distinct from the remaining operands for this operator or function; operator: ",
			operator, ", first operand: ", args[0].Path.String())
	}
}

func (p *parser) checkBetween(n *Node) {
	lo, hi := n.Args[1], n.Args[2]
	if lo.Op != OpValue || hi.Op != OpValue || lo.Value == nil || hi.Value == nil {
		return
	}
	problem := ""
	if lo.Value.Kind != hi.Value.Kind {
		problem = "The BETWEEN operator requires same data type for lower and upper bounds"
	} else if c, ok := attr.Compare(lo.Value, hi.Value); ok && c > 0 {
		problem = "The BETWEEN operator requires upper bound to be greater than or equal to lower bound"
	}
	if problem != "" {
		p.note(operandType, problem, fmt.Sprintf("; lower bound operand: AttributeValue: %s, upper bound operand: AttributeValue: %s",
			shown(lo.Value), shown(hi.Value)))
	}
}

// shown is how AWS's errors show a scalar: {S:text}.
func shown(v *attr.Value) string { return "{" + v.Kind.String() + ":" + v.Str + "}" }

// endCondition promotes what was found in the condition that ends here, if it is the first with a finding.
func (p *parser) endCondition() {
	for _, c := range []class{undefined, operandCount, distinct, operandType} {
		if p.notes[c] != "" {
			p.note(condition, p.notes[c])
			return
		}
	}
}
