package cfn

import (
	"errors"
	"regexp"
	"slices"

	"github.com/newel-run/newel/asl/value"
)

// definition is the text of a state machine: DefinitionString as it is, or Definition with its keys in alphabetical
// order as CloudFormation makes it, each with DefinitionSubstitutions put in.
func definition(i *Instance) (string, error) {
	object, text := i.get("Definition"), i.get("DefinitionString")
	switch {
	case object == nil && text == nil:
		return "", errors.New("one of Definition and DefinitionString is required")
	case object != nil && text != nil:
		return "", errors.New("only one of Definition and DefinitionString may be given")
	case object != nil:
		text = string(value.Append(nil, sortKeys(object)))
	}
	subs, _ := i.get("DefinitionSubstitutions").(*value.Object)
	return substituteDefinition(textOf(text), subs), nil
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
