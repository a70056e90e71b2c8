package cfn

import (
	"errors"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/newel-run/newel/asl/value"
)

// definition is the text of a state machine: DefinitionString as it is, Definition with its keys in alphabetical order
// as CloudFormation makes it, or the object that DefinitionS3Location names (YAML made JSON), each with
// DefinitionSubstitutions put in.
func definition(i *Instance) (string, error) {
	given := 0
	for _, name := range []string{"Definition", "DefinitionString", "DefinitionS3Location"} {
		if i.get(name) != nil {
			given++
		}
	}
	if given != 1 {
		return "", errors.New("exactly one of Definition, DefinitionString and DefinitionS3Location is required")
	}
	text := i.get("DefinitionString")
	if o := i.get("Definition"); o != nil {
		text = string(value.Append(nil, sortKeys(o)))
	}
	if i.get("DefinitionS3Location") != nil {
		var err error
		if text, err = definitionText(member(i.get("DefinitionS3Location"), "Key"), i.Object); err != nil {
			return "", err
		}
	}
	subs, _ := i.get("DefinitionSubstitutions").(*value.Object)
	return substituteDefinition(textOf(text), subs), nil
}

// definitionText is a definition's file as the API wants it. Placeholders may stand where JSON has a value, so what looks
// like an object is taken as JSON whatever its name.
func definitionText(name string, text []byte) (value.Value, error) {
	ext := strings.ToLower(path.Ext(name))
	if ext != ".yaml" && ext != ".yml" && strings.HasPrefix(strings.TrimSpace(string(text)), "{") {
		return string(text), nil
	}
	n, err := ParseNode(path.Base(name), text)
	if err != nil {
		return nil, err
	}
	return string(value.Append(nil, n.Plain())), nil
}

var definitionName = regexp.MustCompile(`\$\{[^${}]+\}`)

// substituteDefinition replaces ${name} wherever name is given; everything else that looks like it stays.
func substituteDefinition(text string, subs *value.Object) string {
	if subs == nil {
		return text
	}
	return definitionName.ReplaceAllStringFunc(text, func(m string) string {
		if v, ok := subs.Get(m[2 : len(m)-1]); ok {
			return textOf(v)
		}
		return m
	})
}

func sortKeys(v value.Value) value.Value {
	switch v := v.(type) {
	case value.Array:
		out := make(value.Array, len(v))
		for i, e := range v {
			out[i] = sortKeys(e)
		}
		return out
	case *value.Object:
		var names []string
		for k := range v.All() {
			names = append(names, k)
		}
		slices.Sort(names)
		o := value.NewObject()
		for _, k := range names {
			e, _ := v.Get(k)
			o.Set(k, sortKeys(e))
		}
		return o
	}
	return v
}
