package asl

import (
	"fmt"
	"slices"
	"strings"
)

// The codes of AWS's diagnostics.
const (
	CodeSchema           = "SCHEMA_VALIDATION_FAILED"
	CodeJSONata          = "INVALID_JSONATA_EXPRESSION"
	CodeJSONataReference = "UNSUPPORTED_JSONATA_EXPRESSION"
	CodeJSON             = "INVALID_JSON_DESCRIPTION"
	CodeMissingTarget    = "MISSING_TRANSITION_TARGET"
	CodeMissingEnd       = "MISSING_END_STATE"
	CodeDuplicateState   = "DUPLICATE_STATE_NAME"
	CodeDuplicateLabel   = "DUPLICATE_LABEL"
	CodeReservedVariable = "RESERVED_VARIABLE_NAME"
	CodeInvalidVariable  = "INVALID_VARIABLE_NAME"
)

// InvalidDefinition is the text inside AWS's "Invalid State Machine Definition: '...'": the errors, joined by commas. An
// error without a location is "at null" there.
func InvalidDefinition(ds []Diagnostic) string {
	var texts []string
	for _, d := range ds {
		if d.Severity != SeverityError {
			continue
		}
		location := d.Location
		if location == "" {
			location = "null"
		}
		texts = append(texts, d.Code+": "+d.Message+" at "+location)
	}
	return strings.Join(texts, ", ")
}

// NotRecognized is AWS's message for a Resource that names nothing it can run.
func NotRecognized(resource string) string {
	return "The resource provided " + resource + " is not recognized. The value is not a valid resource ARN, or the resource is not available in this region."
}

// place is a node of the definition with the JSON pointer that diagnostics name it by.
type place struct {
	*compiler
	*node
	path string
	name string   // of the member that it is, "" for an element of an array
	at   position // of the member's name, else of the node
}

func (p place) child(m member) place {
	path := p.path + "/" + m.name
	if p.path == "/" {
		path = "/" + m.name
	}
	return place{p.compiler, m.node, path, m.name, m.pos}
}

// field is a member, if it is there.
func (p place) field(name string) (place, bool) {
	m := p.node.member(name)
	if m == nil {
		return place{}, false
	}
	return p.child(*m), true
}

func (p place) element(i int) place {
	e := p.node.elems[i]
	return place{p.compiler, e, fmt.Sprintf("%s[%d]", p.path, i), "", e.pos}
}

// near is the place with the position of its i-th member, whose name is what is wrong.
func (p place) near(i int) place {
	p.at = p.members[i].pos
	return p
}

func (p place) report(code, message string) {
	p.errors = append(p.errors, Diagnostic{
		Severity: SeverityError, Code: code, Message: message, Location: p.path,
		Line: p.at.line, Column: p.at.column,
	})
}

// fail reports an error in the schema.
func (p place) fail(format string, args ...any) {
	p.report(CodeSchema, fmt.Sprintf(format, args...))
}

// later reports what is good by AWS and not run by this version. It counts only where AWS finds nothing wrong.
func (p place) later(what string) {
	p.unsupported = append(p.unsupported, Diagnostic{
		Severity: SeverityError, Code: CodeSchema, Location: p.path, Line: p.at.line, Column: p.at.column,
		Message: what + " is valid, but this version of Newel does not run it yet",
	})
}

// is checks the kind of the node; expected names it in the diagnostic.
func (p place) is(kind byte, expected string) bool {
	if p.kind != kind {
		p.fail("Expected value of type %s", expected)
		return false
	}
	return true
}

// text is the node as a string that may be empty.
func (p place) text() (string, bool) {
	if !p.is('"', "String") {
		return "", false
	}
	return p.scalar.(string), true
}

// required reports which of the fields are missing.
func (p place) required(names ...string) bool {
	var missing []string
	for _, name := range names {
		if p.node.member(name) == nil {
			missing = append(missing, name)
		}
	}
	if missing != nil {
		p.fail("These fields are required: [%s]", strings.Join(missing, ", "))
	}
	return missing == nil
}

// atMostOne reports more than one of the fields.
func (p place) atMostOne(names ...string) bool {
	if p.count(names) > 1 {
		p.fail("There should only be one of the following fields: [%s]", strings.Join(names, ", "))
		return false
	}
	return true
}

// exactlyOne reports none, or more than one, of the fields.
func (p place) exactlyOne(names ...string) bool {
	if p.count(names) == 0 {
		p.fail("This object should have only one of the following fields: [%s]", strings.Join(names, ", "))
		return false
	}
	return p.atMostOne(names...)
}

func (p place) count(names []string) int {
	n := 0
	for _, name := range names {
		if p.node.member(name) != nil {
			n++
		}
	}
	return n
}

// only reports members that are not among the allowed ones, and members that are there twice.
func (p place) only(allowed ...string) {
	for i, m := range p.members {
		if !slices.Contains(allowed, m.name) {
			p.near(i).fail("Field '%s' is not supported", m.name)
		}
		p.once(i)
	}
}

// once reports the i-th member if an earlier one has its name.
func (p place) once(i int) {
	for _, earlier := range p.members[:i] {
		if earlier.name == p.members[i].name {
			p.near(i).fail("Duplicate field '%s'", earlier.name)
			return
		}
	}
}

// oneOf reads a string that must be one of a few.
func (p place) oneOf(values ...string) (string, bool) {
	s, ok := p.text()
	if ok && !slices.Contains(values, s) {
		p.fail("Value should be one of the following: [%s]", strings.Join(values, ", "))
		return "", false
	}
	return s, ok
}
