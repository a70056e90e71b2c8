package cfn

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
)

// coerce brings a value to the type that the API's model gives it: templates write numbers as strings and strings as
// numbers, and parameters are strings throughout. path names the place for the error.
func coerce(v value.Value, s *aws.Shape, path string) (value.Value, error) {
	if s.Document {
		return v, nil
	}
	switch s.Type {
	case "structure":
		return coerceObject(v, s, path)
	case "list":
		list, ok := v.(value.Array)
		if !ok {
			return nil, fmt.Errorf("%s must be a list", path)
		}
		out := make(value.Array, len(list))
		for i, e := range list {
			var err error
			if out[i], err = coerce(e, s.Elem.Shape, path+"["+strconv.Itoa(i)+"]"); err != nil {
				return nil, err
			}
		}
		return out, nil
	case "map":
		o, ok := v.(*value.Object)
		if !ok {
			return nil, fmt.Errorf("%s must be an object", path)
		}
		out := value.NewObject()
		for k, e := range o.All() {
			c, err := coerce(e, s.Value.Shape, path+"."+k)
			if err != nil {
				return nil, err
			}
			out.Set(k, c)
		}
		return out, nil
	}
	return coerceScalar(v, s, path)
}

func coerceObject(v value.Value, s *aws.Shape, path string) (value.Value, error) {
	o, ok := v.(*value.Object)
	if !ok {
		return nil, fmt.Errorf("%s must be an object", path)
	}
	out := value.NewObject()
	for k, e := range o.All() {
		m := memberOf(s, k)
		if m == nil {
			return nil, fmt.Errorf("%s has no member %q; supported: %s", path, k, strings.Join(memberNames(s), ", "))
		}
		c, err := coerce(e, m.Shape, strings.TrimPrefix(path+"."+k, "."))
		if err != nil {
			return nil, err
		}
		out.Set(m.Name, c)
	}
	return out, nil
}

// memberOf finds a structure's member by a template's name for it: the API's, or the API's with a capital.
func memberOf(s *aws.Shape, name string) *aws.Member {
	if m := s.Member(name); m != nil || name == "" {
		return m
	}
	return s.Member(strings.ToLower(name[:1]) + name[1:])
}

func memberNames(s *aws.Shape) []string {
	names := make([]string, len(s.Members))
	for i := range s.Members {
		names[i] = s.Members[i].Name
	}
	return names
}

func coerceScalar(v value.Value, s *aws.Shape, path string) (value.Value, error) {
	switch v.(type) {
	case value.Array, *value.Object, nil:
		return nil, fmt.Errorf("%s must be a %s", path, s.Type)
	}
	t := textOf(v)
	switch s.Type {
	case "string":
		return t, nil
	case "integer", "long":
		n, err := strconv.ParseInt(strings.TrimSpace(t), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s must be an integer, not %q", path, t)
		}
		return value.Int(n), nil
	case "float", "double":
		if _, err := strconv.ParseFloat(t, 64); err != nil {
			return nil, fmt.Errorf("%s must be a number, not %q", path, t)
		}
		return value.Number(t), nil
	case "boolean":
		switch strings.ToLower(t) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return nil, fmt.Errorf("%s must be true or false, not %q", path, t)
	}
	return v, nil
}
