package velocity

import "strings"

// expr is literal, *interpolated, *reference, *list, *mapping, *span, *unary or *binary.
type expr any

type (
	literal      struct{ value any }
	interpolated struct{ body []node }
	list         struct{ items []expr }
	mapping      struct{ keys, values []expr }
	span         struct{ from, to expr }
	unary        struct{ of expr }
	binary       struct {
		operator    string
		left, right expr
	}
)

// levels are the binary operators, the loosest first. Words stand for the symbols that they mean.
var levels = [][]string{{"||", "or"}, {"&&", "and"}, {"==", "eq", "!=", "ne"}, {"<=", "le", ">=", "ge", "<", "lt", ">", "gt"}, {"+", "-"}, {"*", "/", "%"}}

var symbols = map[string]string{"or": "||", "and": "&&", "eq": "==", "ne": "!=", "le": "<=", "ge": ">=", "lt": "<", "gt": ">"}

func (p *parser) expression() (expr, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	return p.level(0)
}

func (p *parser) level(n int) (expr, error) {
	if n == len(levels) {
		return p.prefix()
	}
	left, err := p.level(n + 1)
	for err == nil {
		op := p.operator(levels[n])
		if op == "" {
			return left, nil
		}
		var right expr
		if right, err = p.level(n + 1); err == nil {
			left = &binary{op, left, right}
		}
	}
	return nil, err
}

// operator parses one of the operators, if one is there.
func (p *parser) operator(some []string) string {
	p.space()
	for _, op := range some {
		if !p.at(op) {
			continue
		}
		if isLetter(op[0]) {
			if end := p.i + len(op); end < len(p.s) && (isLetter(p.s[end]) || isDigit(p.s[end])) {
				continue
			}
		}
		p.i += len(op)
		if symbol := symbols[op]; symbol != "" {
			return symbol
		}
		return op
	}
	return ""
}

func (p *parser) prefix() (expr, error) {
	p.space()
	not := p.at("!") && !p.at("!=")
	if not {
		p.i++
	} else if p.at("not ") || p.at("not(") {
		not = true
		p.i += len("not")
	}
	if not {
		if err := p.enter(); err != nil {
			return nil, err
		}
		defer func() { p.depth-- }()
		of, err := p.prefix()
		return &unary{of}, err
	}
	return p.primary()
}

func (p *parser) primary() (expr, error) {
	if p.i >= len(p.s) {
		return nil, p.fail("an expression is expected")
	}
	switch c := p.s[p.i]; {
	case c == '$':
		return p.need()
	case c == '(':
		p.i++
		e, err := p.expression()
		if err != nil {
			return nil, err
		}
		return e, p.expect(")")
	case c == '\'' || c == '"':
		return p.quoted(c)
	case c == '[':
		return p.listOrSpan()
	case c == '{':
		return p.mapping()
	case isDigit(c) || c == '-':
		n, err := p.number()
		return &literal{n}, err
	}
	switch word := p.name(); word {
	case "true", "false":
		return &literal{word == "true"}, nil
	case "null":
		return &literal{nil}, nil
	}
	return nil, p.fail("an expression is expected")
}

// quoted parses a string. In double quotes references and directives are evaluated; a backslash is a character like others.
func (p *parser) quoted(quote byte) (expr, error) {
	p.i++
	end := strings.IndexByte(p.s[p.i:], quote)
	if end < 0 {
		return nil, p.fail("the string is not closed")
	}
	s := p.s[p.i : p.i+end]
	if quote == '\'' || !strings.ContainsAny(s, "$#") {
		p.i += end + 1
		return &literal{s}, nil
	}
	inner := &parser{s: s, depth: p.depth}
	body, stray, err := inner.block()
	if err != nil {
		return nil, err
	}
	if stray != "" {
		return nil, p.fail("#%s in a string", stray)
	}
	p.i += end + 1
	return &interpolated{body}, nil
}

// list parses expressions up to a closing bracket.
func (p *parser) list(closing string) ([]expr, error) {
	var items []expr
	for p.space(); !p.at(closing); p.space() {
		if len(items) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		e, err := p.expression()
		if err != nil {
			return nil, err
		}
		items = append(items, e)
	}
	p.i += len(closing)
	return items, nil
}

func (p *parser) listOrSpan() (expr, error) {
	p.i++
	start := p.i
	if p.space(); !p.at("]") {
		from, err := p.expression()
		if err != nil {
			return nil, err
		}
		if p.space(); p.at("..") {
			p.i += 2
			to, err := p.expression()
			if err != nil {
				return nil, err
			}
			return &span{from, to}, p.expect("]")
		}
	}
	p.i = start
	items, err := p.list("]")
	return &list{items}, err
}

func (p *parser) mapping() (expr, error) {
	p.i++
	m := &mapping{}
	for p.space(); !p.at("}"); p.space() {
		if len(m.keys) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		key, err := p.expression()
		if err != nil {
			return nil, err
		}
		if err = p.expect(":"); err != nil {
			return nil, err
		}
		value, err := p.expression()
		if err != nil {
			return nil, err
		}
		m.keys, m.values = append(m.keys, key), append(m.values, value)
	}
	p.i++
	return m, nil
}
