package events

import (
	"bytes"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/newel-run/newel/asl/jsonpath"
	"github.com/newel-run/newel/asl/value"
)

// transformer is an InputTransformer.
type transformer struct {
	InputPathsMap map[string]string `json:",omitempty"`
	InputTemplate string
}

// placeholder is <name> in a template; AWS's own variables have dots.
var placeholder = regexp.MustCompile(`<[A-Za-z0-9_\-.]+>`)

// predefined are the variables that every template has.
var predefined = []string{"aws.events.rule-arn", "aws.events.rule-name", "aws.events.event.ingestion-time", "aws.events.event", "aws.events.event.json"}

func checkPath(path *string, id string) error {
	if path == nil || *path == "" {
		return nil
	}
	if _, err := jsonpath.Parse(*path); err != nil {
		return validation("Invalid InputPath for target %s.", id)
	}
	return nil
}

func (t *transformer) check(id string) error {
	if t == nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(t.InputPathsMap)) {
		path := t.InputPathsMap[name]
		if strings.HasPrefix(strings.ToUpper(name), "AWS") {
			return validation("Invalid InputPathsMap for target %s: the variable %s is reserved.", id, name)
		}
		if _, err := jsonpath.Parse(path); err != nil {
			return validation("Invalid InputPathsMap for target %s: %s is not a path.", id, path)
		}
	}
	for _, use := range placeholder.FindAllString(t.InputTemplate, -1) {
		name := use[1 : len(use)-1]
		if _, ok := t.InputPathsMap[name]; !ok && !slices.Contains(predefined, name) {
			return validation("InputTemplate for target %s contains invalid placeholder %s.", id, name)
		}
	}
	filled := t.fill(func(string) (value.Value, bool) { return nil, false })
	if trimmed := strings.TrimSpace(string(filled)); strings.HasPrefix(trimmed, "{") && !json.Valid(filled) {
		return validation("Invalid InputTemplate for target %s : %s", id, t.InputTemplate)
	}
	return nil
}

// fill puts values into the template: within quotes their text, elsewhere their JSON. What is not there is nothing within
// quotes and null elsewhere.
func (t *transformer) fill(lookup func(name string) (value.Value, bool)) []byte {
	var out []byte
	text, quoted := t.InputTemplate, false
	for i := 0; i < len(text); {
		c := text[i]
		if c == '<' {
			if at := placeholder.FindStringIndex(text[i:]); at != nil && at[0] == 0 {
				v, ok := lookup(text[i+1 : i+at[1]-1])
				out = appendFilled(out, v, ok, quoted)
				i += at[1]
				continue
			}
		}
		if c == '\\' && quoted && i+1 < len(text) {
			out = append(out, c, text[i+1])
			i += 2
			continue
		}
		if c == '"' {
			quoted = !quoted
		}
		out = append(out, c)
		i++
	}
	return out
}

func appendFilled(out []byte, v value.Value, there, quoted bool) []byte {
	if !quoted {
		return value.Append(out, v)
	}
	if !there {
		return out
	}
	text, isText := v.(string)
	if !isText {
		text = string(value.Append(nil, v))
	}
	q := value.AppendString(nil, text)
	return append(out, q[1:len(q)-1]...)
}

// input is what a target gets of an event.
func (t *target) input(e *event, ruleARN, ruleName string) []byte {
	switch {
	case t.Input != nil:
		return []byte(*t.Input)
	case t.InputPath != nil && *t.InputPath != "":
		v, ok := find(e.value(), *t.InputPath)
		if !ok {
			return []byte("null")
		}
		return value.Append(nil, v)
	case t.InputTransformer != nil:
		return t.InputTransformer.fill(func(name string) (value.Value, bool) {
			switch name {
			case "aws.events.rule-arn":
				return ruleARN, true
			case "aws.events.rule-name":
				return ruleName, true
			case "aws.events.event.ingestion-time":
				return e.ingested.UTC().Format("2006-01-02T15:04:05Z"), true
			case "aws.events.event.json":
				return e.value(), true
			case "aws.events.event":
				o := e.value().(*value.Object).Clone()
				o.Delete("detail")
				return o, true
			}
			return find(e.value(), t.InputTransformer.InputPathsMap[name])
		})
	}
	return bytes.Clone(e.text)
}

func find(v value.Value, path string) (value.Value, bool) {
	p, err := jsonpath.Parse(path)
	if err != nil {
		return nil, false
	}
	found, err := p.Get(v)
	return found, err == nil
}
