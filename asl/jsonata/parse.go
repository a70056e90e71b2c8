package jsonata

import (
	"strings"

	"github.com/newel-run/newel/asl/value"
)

const (
	maxNesting  = 500    // levels of brackets; what is deeper is refused rather than risk the stack
	maxOperands = 10_000 // operators in a row, which make a tree that leans to the left
)

// binds is how strongly an operator binds its left side; one that is missing ends an expression.
var binds = map[string]int{
	"[": 80, "(": 80, "@": 80, "#": 80,
	".": 75,
	"{": 70,
	"*": 60, "/": 60, "%": 60,
	"+": 50, "-": 50, "&": 50,
	"=": 40, "!=": 40, "<": 40, ">": 40, "<=": 40, ">=": 40, "^": 40, "~>": 40, "in": 40,
	"and": 30,
	"or":  25,
	"?":   20,
	":=":  10,
}

const bindsMinus = 70 // the operand of a minus sign

// parser climbs the operators' precedences with one token of lookahead and makes the tree as it goes: paths are flat from
// the start (paths.go).
type parser struct {
	scan     scanner
	tok      token
	depth    int
	bindings int  // how many bindings there have been
	ended    bool // an operand was missing at the end of the text

	wrong *Error // the first thing that is wrong but no matter of syntax, which comes first
}

func parse(text string) expr {
	p := &parser{scan: scanner{text: text}}
	p.advance(false)
	x := p.expression(0)
	if p.tok.kind != tokenEnd {
		p.fail("S0201", p.tok, nil)
	}
	if p.ended {
		p.fail("S0207", p.tok, nil)
	}
	if p.wrong != nil {
		panic(p.wrong)
	}
	return x
}

func (p *parser) fail(code string, t token, d detail) { panic(fail(code, t.end, t.spelling(), d)) }

// later keeps an error until the whole text has been read.
func (p *parser) later(code string, position at, token string, d detail) {
	if p.wrong == nil {
		p.wrong = fail(code, int(position), token, d)
	}
}

// spelling is the token for a message.
func (t token) spelling() string {
	if t.kind == tokenLiteral && t.text == "" {
		s, _ := t.literal.(string)
		return s
	}
	return t.text
}

func (p *parser) is(op string) bool { return p.tok.kind == tokenOperator && p.tok.text == op }

// advance goes to the next token. afterOperand is true when the current one ends an operand, so that a slash divides.
func (p *parser) advance(afterOperand bool) {
	p.tok = p.scan.next(afterOperand)
	if p.is("!") || p.is("~") {
		p.fail("S0204", p.tok, nil)
	}
}

// expect passes over an operator that has to be there.
func (p *parser) expect(op string, endsOperand bool) {
	if !p.is(op) {
		code := "S0202"
		if p.tok.kind == tokenEnd {
			code = "S0203"
		}
		p.fail(code, p.tok, detail{"value": op})
	}
	p.advance(endsOperand)
}

// accept passes over an operator if it is there.
func (p *parser) accept(op string) bool {
	if !p.is(op) {
		return false
	}
	p.advance(false)
	return true
}

// expression reads an operand and the operators after it that bind more strongly than a limit.
func (p *parser) expression(limit int) expr {
	if p.depth++; p.depth > maxNesting {
		panic(limitError(messageDepth))
	}
	left := p.operand()
	for n := 0; p.tok.kind == tokenOperator && binds[p.tok.text] > limit; n++ {
		if n == maxOperands {
			panic(limitError(messageDepth))
		}
		left = p.operator(left)
	}
	p.depth--
	return left
}

func (p *parser) operand() expr {
	t := p.tok
	p.advance(true)
	switch t.kind {
	case tokenEnd:
		p.ended = true
		return &literal{at: at(t.end)}
	case tokenLiteral:
		return &literal{at(t.end), t.literal}
	case tokenName:
		return fieldPath(t)
	case tokenVariable:
		return &variable{at(t.end), t.text}
	case tokenRegex:
		return t.regex
	}
	switch t.text {
	case "and", "or", "in": // they are names where an operand stands
		return fieldPath(t)
	case "-":
		return negate(at(t.end), p.expression(bindsMinus))
	case "*":
		return &wildcard{at(t.end)}
	case "**":
		return &descendants{at(t.end)}
	case "%":
		return &parent{at: at(t.end)}
	case "(":
		return p.block(t)
	case "[":
		return p.array(t)
	case "{":
		return &object{at(t.end), p.pairs()}
	case "|":
		return p.transform(t)
	}
	p.fail("S0211", t, nil)
	return nil
}

// negate makes a number literal negative, so that it is one literal still.
func negate(position at, of expr) expr {
	if n, ok := asNumber(of); ok {
		text, negative := strings.CutPrefix(string(n), "-")
		if !negative {
			text = "-" + text
		}
		bare(of).(*literal).value = value.Number(text)
		return of
	}
	return &negation{position, of}
}

func (p *parser) block(t token) expr {
	b := &block{at: at(t.end)}
	before := p.bindings
	for !p.is(")") {
		x := p.expression(0)
		b.body = append(b.body, x)
		switch x := bare(x).(type) {
		case *block:
			b.fixed = b.fixed || x.fixed
		case *path:
			first, ok := bare(x.steps[0].of).(*array)
			b.fixed = b.fixed || ok && first.fixed
		}
		if !p.accept(";") {
			break
		}
	}
	b.binds = p.bindings > before
	p.expect(")", true)
	return b
}

func (p *parser) array(t token) expr {
	a := &array{at: at(t.end)}
	for more := !p.is("]"); more; more = p.accept(",") {
		item := p.expression(0)
		if end := p.tok.end; p.accept("..") {
			item = &operation{at(end), "..", item, p.expression(0)}
		}
		a.items = append(a.items, item)
	}
	p.expect("]", true)
	return a
}

func (p *parser) pairs() []pair {
	pairs := []pair{}
	for more := !p.is("}"); more; more = p.accept(",") {
		key := p.expression(0)
		p.expect(":", false)
		pairs = append(pairs, pair{key, p.expression(0)})
	}
	p.expect("}", true)
	return pairs
}

func (p *parser) transform(t token) expr {
	x := &transform{at: at(t.end)}
	x.pattern = p.expression(0)
	p.expect("|", false)
	x.update = p.expression(0)
	if p.accept(",") {
		x.remove = p.expression(0)
	}
	p.expect("|", false)
	return x
}

// operator reads an operator and what it needs on its right.
func (p *parser) operator(left expr) expr {
	t := p.tok
	p.advance(false)
	position := at(t.end)
	switch t.text {
	case "(":
		return p.invocation(t, left)
	case "[":
		if p.is("]") {
			p.advance(false)
			return keepArray(left)
		}
		filter := p.expression(0)
		p.expect("]", true)
		return p.predicate(t, left, filter)
	case "{":
		return p.grouped(t, left, &grouping{position, p.pairs()})
	case "^":
		return sorted(position, left, p.terms())
	case ".":
		return p.join(position, left, p.expression(binds["."]))
	case "@", "#":
		return p.bound(t, left, p.expression(binds[t.text]))
	case ":=":
		v, ok := left.(*variable)
		if !ok {
			panic(fail("S0212", int(positionOrZero(left)), spellingOf(left), nil))
		}
		p.bindings++
		return &binding{position, v.name, p.expression(binds[":="] - 1)}
	case "?":
		c := &conditional{at: position, test: left, yes: p.expression(0)}
		if p.accept(":") {
			c.no = p.expression(0)
		}
		return c
	case "~>":
		right := p.expression(binds["~>"])
		var x expr = &chain{position, left, right}
		if keeps(left) || keeps(right) {
			x = &refined{of: x, keep: true}
		}
		return x
	}
	return &operation{position, t.text, left, p.expression(binds[t.text])}
}

// terms reads the terms of an order-by clause.
func (p *parser) terms() []term {
	p.expect("(", false)
	var terms []term
	for more := true; more; more = p.accept(",") {
		var t term
		if !p.accept("<") {
			t.descending = p.accept(">")
		}
		t.of = p.expression(0)
		terms = append(terms, t)
	}
	p.expect(")", false)
	return terms
}

// invocation reads the arguments of a call, of a partial application or, after the word function, of a definition.
func (p *parser) invocation(t token, proc expr) expr {
	var args []expr
	open := false
	for more := !p.is(")"); more; more = p.accept(",") {
		if p.accept("?") {
			open = true
			args = append(args, nil)
		} else {
			args = append(args, p.expression(0))
		}
	}
	p.expect(")", true)
	switch name := fieldName(proc); {
	case name == "function" || name == "λ":
		return p.lambda(t, args)
	case open:
		return &partial{at(t.end), proc, args}
	}
	return &call{at: at(t.end), proc: proc, args: args}
}

func (p *parser) lambda(t token, args []expr) expr {
	l := &lambda{at: at(t.end)}
	for i, arg := range args {
		v, ok := arg.(*variable)
		if !ok {
			panic(fail("S0208", int(positionOrZero(arg)), spellingOf(arg), detail{"value": float64(i + 1)}))
		}
		l.params = append(l.params, v.name)
	}
	if p.is("<") {
		l.sig = p.signature()
	}
	p.expect("{", false)
	l.body = p.expression(0)
	p.expect("}", false)
	markTail(l.body)
	return l
}

// markTail finds the calls that end a function's body.
func markTail(x expr) {
	switch x := x.(type) {
	case *call:
		x.tail = true
	case *conditional:
		markTail(x.yes)
		markTail(x.no)
	case *block:
		if len(x.body) > 0 {
			markTail(x.body[len(x.body)-1])
		}
	}
}

// signature reads the text of a signature from its bracket to the one that closes it.
func (p *parser) signature() *signature {
	start := p.tok.end - 1
	depth, end := 0, start
	for ; end < len(p.scan.text) && p.scan.text[end] != '{'; end++ {
		switch p.scan.text[end] {
		case '<':
			depth++
		case '>':
			depth--
		}
		if depth == 0 {
			break
		}
	}
	p.scan.pos = end
	p.advance(false)
	p.expect(">", false)
	s, code, offset := parseSignature(p.scan.text[start+1 : end])
	if code != "" {
		panic(fail(code, start+offset, "", nil))
	}
	return s
}

// positionOrZero is where an argument stands; an open one stands nowhere.
func positionOrZero(x expr) at {
	if x == nil {
		return 0
	}
	return position(x)
}

// spellingOf is the word that an expression begins with, for messages.
func spellingOf(x expr) string {
	switch x := x.(type) {
	case *literal:
		switch v := x.value.(type) {
		case string:
			return v
		case value.Number:
			return string(v)
		}
	case *path:
		return fieldName(x)
	case *operation:
		return x.op
	case nil:
		return "?"
	}
	return ""
}
