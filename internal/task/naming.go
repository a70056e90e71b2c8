package task

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/wire"
)

// In a definition the members of every API are written in PascalCase, whatever the API calls them; a string member also
// takes any JSON, which is then sent as its text. The models know the real names.

// toMembers turns a task's parameters into an operation's canonical input and its streaming body.
func toMembers(shape *aws.Shape, params *value.Object) (input, body []byte, err error) {
	if shape == nil {
		if params.Len() > 0 {
			return nil, nil, fmt.Errorf("The field '%s' is not supported by Step Functions", params.At(0).Name)
		}
		return nil, nil, nil
	}
	in := value.NewObject()
	for name, v := range params.All() {
		m := memberOf(shape, name)
		if m == nil {
			return nil, nil, fmt.Errorf("The field '%s' is not supported by Step Functions", name)
		}
		if m.Shape.Type == "blob" && shape.Payload == m.Name {
			body = blob(v)
			continue
		}
		w, err := member(m.Shape, name, v)
		if err != nil {
			return nil, nil, err
		}
		if w != nil {
			in.Set(m.Name, w)
		}
	}
	return value.Append(nil, in), body, nil
}

// memberOf finds a member by its name in PascalCase.
func memberOf(shape *aws.Shape, name string) *aws.Member {
	for i := range shape.Members {
		if pascal(shape.Members[i].Name) == name {
			return &shape.Members[i]
		}
	}
	return nil
}

func pascal(name string) string {
	if name == "" || name[0] < 'a' || name[0] > 'z' {
		return name
	}
	return string(name[0]-'a'+'A') + name[1:]
}

// blob is the bytes of a streaming member: a document as it is, any other value as its JSON text.
func blob(v value.Value) []byte {
	if d, ok := v.(*value.Doc); ok {
		return d.Bytes()
	}
	return value.Append(nil, v)
}

func member(shape *aws.Shape, field string, v value.Value) (value.Value, error) {
	switch shape.Type {
	case "structure":
		return structure(shape, field, v)
	case "list":
		a, ok := v.(value.Array)
		if !ok {
			return v, nil
		}
		out := make(value.Array, len(a))
		for i, e := range a {
			w, err := member(shape.Elem.Shape, fmt.Sprintf("%s[%d]", field, i), e)
			if err != nil {
				return nil, err
			}
			out[i] = w
		}
		return out, nil
	case "map":
		o, ok := v.(*value.Object)
		if !ok {
			return v, nil
		}
		out := value.NewObject()
		for k, e := range o.All() {
			w, err := member(shape.Value.Shape, field+"."+k, e)
			if err != nil {
				return nil, err
			}
			out.Set(k, w)
		}
		return out, nil
	case "string":
		switch v := v.(type) {
		case *value.Object, value.Array, bool:
			return string(value.Append(nil, v)), nil
		case value.Number:
			return string(v), nil
		}
	}
	return v, nil
}

func structure(shape *aws.Shape, field string, v value.Value) (value.Value, error) {
	o, ok := v.(*value.Object)
	if !ok {
		if s, isText := v.(string); isText && isAttributeValue(shape) {
			return value.NewObject(value.Member{Name: "S", Value: s}), nil // a bare string is an attribute of type S
		}
		return v, nil
	}
	out := value.NewObject()
	for name, e := range o.All() {
		m := memberOf(shape, name)
		if m == nil {
			return nil, fmt.Errorf("The field '%s' is not supported by Step Functions", name)
		}
		w, err := member(m.Shape, field+"."+name, e)
		if err != nil {
			return nil, err
		}
		out.Set(m.Name, w)
	}
	return out, nil
}

func isAttributeValue(shape *aws.Shape) bool {
	return shape.Name == "AttributeValue" && shape.Member("S") != nil && shape.Member("N") != nil
}

// toPascal renames the members of an answer and writes its timestamps as ISO-8601.
func toPascal(shape *aws.Shape, v value.Value) (*value.Object, error) {
	if shape == nil {
		return value.NewObject(), nil
	}
	w, err := pascalValue(shape, v)
	if err != nil {
		return nil, err
	}
	o, ok := w.(*value.Object)
	if !ok {
		return nil, fmt.Errorf("task: answer is not an object: %s", value.Append(nil, v))
	}
	return o, nil
}

func pascalValue(shape *aws.Shape, v value.Value) (value.Value, error) {
	switch v := v.(type) {
	case *value.Object:
		out := value.NewObject()
		for name, e := range v.All() {
			var err error
			key := name
			switch {
			case shape.Type == "structure" && shape.Member(name) != nil:
				key = pascal(name)
				e, err = pascalValue(shape.Member(name).Shape, e)
			case shape.Type == "map":
				e, err = pascalValue(shape.Value.Shape, e)
			}
			if err != nil {
				return nil, err
			}
			if e != nil {
				out.Set(key, e)
			}
		}
		return out, nil
	case value.Array:
		if shape.Type != "list" {
			return v, nil
		}
		out := make(value.Array, len(v))
		for i, e := range v {
			w, err := pascalValue(shape.Elem.Shape, e)
			if err != nil {
				return nil, err
			}
			out[i] = w
		}
		return out, nil
	case value.Number:
		if shape.Type == "timestamp" {
			return wire.FormatTime([]byte(v))
		}
	}
	return v, nil
}

// sorted orders the members of a result by name, as AWS does for optimised integrations.
func sorted(o *value.Object) *value.Object {
	members := make([]value.Member, 0, o.Len())
	for name, v := range o.All() {
		members = append(members, value.Member{Name: name, Value: v})
	}
	slices.SortFunc(members, func(a, b value.Member) int { return cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return value.NewObject(members...)
}
