package expr

import (
	"strconv"
	"strings"

	"github.com/newel-run/newel/internal/dynamodb/attr"
)

// parser holds the state of one expression's parsing. A syntax error ends the parsing by panicking with itself, caught in
// run; what else is wrong is noted under its class and reported at the end, by precedence.
type parser struct {
	*Params
	text  string
	toks  []token
	pos   int
	notes [numClasses]string
}

// class is a kind of finding; only the first of each is kept. Each grammar has its order of reporting.
type class uint8

const (
	parens class = iota
	reservedWord
	unknownFunction
	misusedFunction
	section
	undefined // the first of the next two
	undefinedName
	undefinedValue
	pathOverlap
	pathConflict
	condition
	operandCount
	distinct
	operandType
	numClasses
)

const maxPathLength = 32

// run parses a whole text with a grammar and answers the findings in the order given; what names the expression in errors.
func run(p *Params, what, text string, grammar func(*parser), order []class) (err error) {
	ps := &parser{Params: p, text: text}
	defer func() {
		if r := recover(); r != nil {
			bad, ok := r.(attr.Invalid)
			if !ok {
				panic(r)
			}
			err = bad
		}
		if err != nil {
			err = attr.Invalid("Invalid " + what + ": " + err.Error())
		}
	}()
	switch {
	case strings.TrimSpace(text) == "":
		return attr.Invalid("The expression can not be empty;")
	case len(text) > maxExpression:
		return sizeError(len(text))
	}
	ps.toks = lex(text)
	grammar(ps)
	if ps.peek().kind != tokEnd {
		ps.fail()
	}
	for _, c := range order {
		if ps.notes[c] != "" {
			return attr.Invalid(ps.notes[c])
		}
	}
	return nil
}

func (p *parser) note(c class, parts ...string) {
	if p.notes[c] == "" {
		p.notes[c] = strings.Join(parts, "")
	}
}

func (p *parser) noteUndefined(c class, parts ...string) {
	p.note(undefined, parts...)
	p.note(c, parts...)
}

func (p *parser) peek() *token { return &p.toks[p.pos] }

func (p *parser) fail() { panic(syntaxError(p.text, p.toks, p.pos)) }

// word reports whether the next token is a keyword, in any case, and takes it.
func (p *parser) word(keyword string) bool {
	if t := p.peek(); t.kind == tokName && strings.EqualFold(t.text, keyword) {
		p.pos++
		return true
	}
	return false
}

func (p *parser) punct(text string) bool {
	if t := p.peek(); t.kind == tokPunct && t.text == text {
		p.pos++
		return true
	}
	return false
}

func (p *parser) need(text string) {
	if !p.punct(text) {
		p.fail()
	}
}

// path parses name(.name|[index])*.
func (p *parser) path() Path {
	path := Path{p.pathName()}
	for {
		switch {
		case p.punct("."):
			path = append(path, p.pathName())
		case p.punct("["):
			t := p.peek()
			n, err := strconv.ParseInt(t.text, 10, 32)
			if t.kind != tokNumber || err != nil {
				p.fail()
			}
			p.pos++
			p.need("]")
			path = append(path, Step{Index: int(n)})
		default:
			if len(path) > maxPathLength {
				panic(attr.Invalid("The document path has too many nesting elements; nesting levels: " + strconv.Itoa(len(path))))
			}
			return path
		}
	}
}

func (p *parser) pathName() Step {
	t := p.peek()
	switch t.kind {
	case tokName:
		p.pos++
		if isReserved(t.text) {
			p.note(reservedWord, "Attribute name is a reserved keyword; reserved keyword: ", t.text)
		}
		return Step{Name: t.text}
	case tokNameRef:
		p.pos++
		name, ok := p.names[t.text]
		if !ok {
			p.noteUndefined(undefinedName, "An expression attribute name used in the document path is not defined; attribute name: ", t.text)
			return Step{Name: t.text}
		}
		p.usedNames[t.text] = true
		return Step{Name: name}
	}
	p.fail()
	return Step{}
}

func (p *parser) valueRef() *Node {
	t := p.peek()
	p.pos++
	v := p.values.Get(t.text)
	if v == nil {
		p.noteUndefined(undefinedValue, "An expression attribute value used in expression is not defined; attribute value: ", t.text)
	}
	p.usedValues[t.text] = true
	return &Node{Op: OpValue, Value: v}
}

// callAhead reports whether a function call comes next.
func (p *parser) callAhead() bool {
	next := &p.toks[min(p.pos+1, len(p.toks)-1)]
	return p.peek().kind == tokName && next.kind == tokPunct && next.text == "("
}

// call parses name(operand, ...) where operands are read by arg.
func (p *parser) call(arg func() *Node) *Node {
	n := &Node{Op: OpCall, Call: p.peek().text}
	p.pos += 2
	for {
		n.Args = append(n.Args, arg())
		if !p.punct(",") {
			break
		}
	}
	p.need(")")
	return n
}

// wrap marks a node as written in parentheses; twice is once too often.
func (p *parser) wrap(n *Node) *Node {
	if n.parens {
		p.note(parens, "The expression has redundant parentheses;")
	}
	n.parens = true
	return n
}
