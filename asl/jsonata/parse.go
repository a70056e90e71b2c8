package jsonata

import "strconv"

const maxNesting = 500 // levels of syntax; deeper expressions are refused rather than risk the stack

// parser is an operator precedence parser over one token of lookahead.
type parser struct {
	lex   *lexer
	tok   *node
	depth int
}

var power = map[string]int{".": 75, "[": 80, "{": 70, "(": 80, "@": 80, "#": 80, "?": 20, "+": 50, "-": 50, "*": 60, "/": 60, "%": 60,
	"=": 40, "<": 40, ">": 40, "^": 40, ":=": 10, "!=": 40, "<=": 40, ">=": 40, "~>": 40, "and": 30, "or": 25, "in": 40, "&": 50}

func parse(text string) *node {
	p := &parser{lex: &lexer{text: text}}
	p.advance("", false)
	n := p.expression(0)
	if p.tok.kind != kindEnd {
		panic(fail("S0201", p.tok.pos, p.tok.text, nil))
	}
	return n
}

// is says whether the current token is an operator.
func (p *parser) is(op string) bool { return p.tok.kind == kindOperator && p.tok.text == op }

// accept passes over an operator if it is the current token.
func (p *parser) accept(op string) bool {
	if !p.is(op) {
		return false
	}
	p.advance(op, false)
	return true
}

// advance goes to the next token after it has checked the current one. operandEnded is true when the current token ends
// an operand, so that a slash divides.
func (p *parser) advance(expected string, operandEnded bool) {
	if expected != "" && !p.is(expected) {
		code := "S0202"
		if p.tok.kind == kindEnd {
			code = "S0203"
		}
		panic(fail(code, p.tok.pos, p.tok.text, detail{"value": expected}))
	}
	p.tok = p.lex.next(operandEnded)
	if p.tok == nil {
		p.tok = &node{kind: kindEnd, text: "(end)", pos: len(p.lex.text)}
		return
	}
	if p.is("!") || p.is("~") {
		panic(fail("S0204", p.tok.pos, p.tok.text, nil))
	}
}

func (p *parser) expression(rbp int) *node {
	if p.depth++; p.depth > maxNesting {
		panic(limitError(messageDepth))
	}
	t := p.tok
	p.advance("", true)
	left := p.prefix(t)
	for p.tok.kind == kindOperator && rbp < power[p.tok.text] {
		t = p.tok
		p.advance("", false)
		left = p.infix(t, left)
	}
	p.depth--
	return left
}

func (p *parser) prefix(t *node) *node {
	if t.kind != kindOperator {
		return t
	}
	switch t.text {
	case "and", "or", "in":
	case "-":
		t.kind = kindUnary
		t.lhs = p.expression(70)
	case "*":
		t.kind = kindWildcard
	case "**":
		t.kind = kindDescendant
	case "%":
		t.kind = kindParent
	case "(":
		t.kind = kindBlock
		for !p.is(")") {
			t.list = append(t.list, p.expression(0))
			if !p.accept(";") {
				break
			}
		}
		p.advance(")", true)
	case "[":
		p.array(t)
	case "{":
		t.kind = kindObject
		t.pairs = p.pairs()
	case "|":
		t.kind = kindTransform
		t.lhs = p.expression(0)
		p.advance("|", false)
		t.rhs = p.expression(0)
		if p.accept(",") {
			t.otherwise = p.expression(0)
		}
		p.advance("|", false)
	default:
		panic(fail("S0211", t.pos, t.text, nil))
	}
	return t
}

func (p *parser) array(t *node) {
	t.kind = kindArray
	for more := !p.is("]"); more; more = p.accept(",") {
		item := p.expression(0)
		if p.is("..") {
			item = &node{kind: kindBinary, text: "..", pos: p.tok.pos, lhs: item}
			p.advance("..", false)
			item.rhs = p.expression(0)
		}
		t.list = append(t.list, item)
	}
	p.advance("]", true)
}

func (p *parser) pairs() []pair {
	pairs := []pair{}
	for more := !p.is("}"); more; more = p.accept(",") {
		key := p.expression(0)
		p.advance(":", false)
		pairs = append(pairs, pair{key, p.expression(0)})
	}
	p.advance("}", true)
	return pairs
}

func (p *parser) infix(t, left *node) *node {
	t.kind = kindBinary
	t.lhs = left
	switch t.text {
	case "(":
		return p.call(t, left)
	case "[":
		if p.is("]") {
			step := left
			for step.kind == kindBinary && step.text == "[" {
				step = step.lhs
			}
			step.keepArray = true
			p.advance("]", false)
			return left
		}
		t.rhs = p.expression(0)
		p.advance("]", true)
	case "^":
		t.terms = p.terms()
	case "{":
		t.pairs = p.pairs()
	case ":=":
		if left.kind != kindVariable {
			panic(fail("S0212", left.pos, left.text, nil))
		}
		t.rhs = p.expression(power[":="] - 1)
	case "@", "#":
		t.rhs = p.expression(power[t.text])
		if t.rhs.kind != kindVariable {
			panic(fail("S0214", t.rhs.pos, t.text, nil))
		}
	case "?":
		t.kind = kindCondition
		t.rhs = p.expression(0)
		if p.accept(":") {
			t.otherwise = p.expression(0)
		}
	default:
		t.rhs = p.expression(power[t.text])
	}
	return t
}

func (p *parser) terms() []term {
	p.advance("(", false)
	var terms []term
	for {
		var t term
		if !p.accept("<") {
			t.descending = p.accept(">")
		}
		t.expr = p.expression(0)
		terms = append(terms, t)
		if !p.accept(",") {
			break
		}
	}
	p.advance(")", false)
	return terms
}

// call parses an invocation, a partial application or, after the word function, the definition of a lambda.
func (p *parser) call(t, left *node) *node {
	t.kind, t.lhs, t.proc = kindFunction, nil, left
	for more := !p.is(")"); more; more = p.accept(",") {
		if p.is("?") {
			t.kind = kindPartial
			t.list = append(t.list, p.tok)
			p.advance("?", false)
		} else {
			t.list = append(t.list, p.expression(0))
		}
	}
	p.advance(")", true)
	if left.kind != kindName || left.text != "function" && left.text != "λ" {
		return t
	}
	for i, arg := range t.list {
		if arg.kind != kindVariable {
			panic(fail("S0208", arg.pos, arg.text, detail{"value": float64(i + 1)}))
		}
	}
	t.kind = kindLambda
	if p.is("<") {
		t.sig = p.signature()
	}
	p.advance("{", false)
	t.body = p.expression(0)
	p.advance("}", false)
	return t
}

// signature reads the tokens of a signature up to the bracket that closes it.
func (p *parser) signature() *signature {
	position, text := p.tok.pos, "<"
	for depth := 1; depth > 0 && !p.is("{") && p.tok.kind != kindEnd; {
		p.advance("", false)
		switch {
		case p.is(">"):
			depth--
		case p.is("<"):
			depth++
		}
		text += p.tok.text
	}
	p.advance(">", false)
	s, code, at := parseSignature(text)
	if code != "" {
		panic(fail(code, position+at, strconv.Itoa(at), nil))
	}
	return s
}
