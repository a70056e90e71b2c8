package ssm

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// split takes NAME:SELECTOR apart; an ARN's own colons are not the selector's.
func split(text string) (name, selector string) {
	tail := text
	if a, ok := aws.ParseARN(text); ok {
		tail = a.Resource
	}
	if i := strings.IndexByte(tail, ':'); i >= 0 {
		return text[:len(text)-len(tail)+i], tail[i+1:]
	}
	return text, ""
}

// get reads what a name with or without a selector means.
func get(c *service.Context, rd store.Reader, text string, decrypt bool) (map[string]any, error) {
	name, selector := split(text)
	p, err := find(c, rd, name)
	if err != nil {
		return nil, err
	}
	v, err := p.selected(rd, selector)
	if err != nil {
		return nil, err
	}
	return p.view(c, v, selector, decrypt)
}

func (s *Service) getParameter(c *service.Context, rd store.Reader) (any, error) {
	var in struct {
		Name           string
		WithDecryption bool
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	out, err := get(c, rd, in.Name, in.WithDecryption)
	if err != nil {
		return nil, err
	}
	return map[string]any{"Parameter": out}, nil
}

func (s *Service) getParameters(c *service.Context, rd store.Reader) (any, error) {
	var in struct {
		Names          []string
		WithDecryption bool
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	list, invalid := []any{}, []string{}
	for _, name := range in.Names {
		out, err := get(c, rd, name, in.WithDecryption)
		var e *aws.Error
		switch {
		case errors.As(err, &e) && strings.HasPrefix(e.Code, "Parameter"):
			invalid = append(invalid, name)
		case err != nil:
			return nil, err
		default:
			list = append(list, out)
		}
	}
	return map[string]any{"Parameters": list, "InvalidParameters": invalid}, nil
}

// filter selects parameters.
type filter struct {
	Key, Option string
	Values      []string
}

func (f *filter) check(known ...string) error {
	switch {
	case !slices.Contains(known, f.Key) && !(strings.HasPrefix(f.Key, "tag:") && slices.Contains(known, "tag:")):
		return aws.Errorf("InvalidFilterKey", "The following filter key is not valid: %s. Valid filter keys include: [%s].", f.Key, strings.Join(known, ", "))
	case !slices.Contains([]string{"", "Equals", "BeginsWith", "Contains", "Recursive", "OneLevel"}, f.Option):
		return aws.Errorf("InvalidFilterOption", "The following filter option is not valid: %s. Valid options include: [BeginsWith, Equals, Contains].", f.Option)
	}
	return nil
}

// matches reports whether a parameter's latest version has one of the filter's values.
func (f *filter) matches(p *parameter, v *version) bool {
	has := []string{}
	switch f.Key {
	case "Name":
		has = append(has, p.Name)
	case "Type":
		has = append(has, p.Type)
	case "KeyId":
		has = append(has, v.KeyID)
	case "Tier":
		has = append(has, v.Tier)
	case "DataType":
		has = append(has, v.DataType)
	case "Label":
		has = v.Labels
	case "Path":
		return slices.ContainsFunc(f.Values, func(path string) bool { return below(p.Name, path, f.Option == "Recursive") })
	default:
		text, there := p.Tags[strings.TrimPrefix(f.Key, "tag:")]
		if !there || len(f.Values) == 0 {
			return there
		}
		has = append(has, text)
	}
	return slices.ContainsFunc(has, func(text string) bool {
		return slices.ContainsFunc(f.Values, func(want string) bool {
			switch f.Option {
			case "BeginsWith":
				return strings.HasPrefix(text, want) || f.Key == "Name" && strings.HasPrefix(text, "/"+want)
			case "Contains":
				return strings.Contains(text, want)
			}
			return text == want
		})
	})
}

// below reports whether a name is under a path: directly, or at any depth.
func below(name, path string, recursive bool) bool {
	if !strings.HasSuffix(path, "/") {
		path += "/"
	}
	rest, ok := strings.CutPrefix(name, path)
	return ok && rest != "" && (recursive || !strings.Contains(rest, "/"))
}

// list is a page of parameters.
type list struct {
	MaxResults int
	NextToken  string
}

// each reads the parameters that are wanted, in the order of their names, and gives the token of the page after.
func (l *list) each(c *service.Context, rd store.Reader, most int, wanted func(p *parameter, v *version) bool, give func(p *parameter, v *version) error) (next string, err error) {
	if l.MaxResults > 0 {
		most = min(most, l.MaxResults)
	}
	table := rows(rowParameter, c.Account, c.Region)
	from := table
	if l.NextToken != "" {
		last, err := base64.StdEncoding.DecodeString(l.NextToken)
		if err != nil {
			return "", aws.Errorf("InvalidNextToken", "The specified token isn't valid.")
		}
		from = table.Str(string(last)).End()
	}
	last, n := "", 0
	for _, b := range rd.Scan(from, table.End(), false) {
		p, err := decodeParameter(b)
		if err != nil {
			return "", err
		}
		v, err := p.version(rd, p.Latest)
		if err != nil || v == nil {
			return "", errors.Join(err, errCorrupt)
		}
		if !wanted(p, v) {
			continue
		}
		if n == most {
			return base64.StdEncoding.EncodeToString([]byte(last)), nil
		}
		if err := give(p, v); err != nil {
			return "", err
		}
		last = p.Name
		n++
	}
	return "", nil
}

func paged(name string, items any, next string) map[string]any {
	out := map[string]any{name: items}
	if next != "" {
		out["NextToken"] = next
	}
	return out
}

func (s *Service) getByPath(c *service.Context, rd store.Reader) (any, error) {
	var in struct {
		Path                      string
		Recursive, WithDecryption bool
		ParameterFilters          []filter
		list
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(in.Path, "/") {
		return nil, validation(`The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash "/". It can't be prefixed with "aws" or "ssm" (case-insensitive). It must use only letters, numbers, or the following symbols: . (period), - (hyphen), _ (underscore). Special characters are not allowed. All sub-paths, if specified, must use the forward slash symbol "/". Valid example: /get/parameters2-/by1./path0_.`)
	}
	for i := range in.ParameterFilters {
		if err := in.ParameterFilters[i].check("Type", "KeyId", "Label"); err != nil {
			return nil, err
		}
	}
	found := []any{}
	next, err := in.each(c, rd, 10, func(p *parameter, v *version) bool {
		return below(p.Name, in.Path, in.Recursive) && !slices.ContainsFunc(in.ParameterFilters, func(f filter) bool { return !f.matches(p, v) })
	}, func(p *parameter, v *version) error {
		out, err := p.view(c, v, "", in.WithDecryption)
		found = append(found, out)
		return err
	})
	if err != nil {
		return nil, err
	}
	return paged("Parameters", found, next), nil
}

func (s *Service) describeParameters(c *service.Context, rd store.Reader) (any, error) {
	var in struct {
		ParameterFilters []filter
		Filters          []filter
		Shared           bool
		list
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	for i := range in.ParameterFilters {
		if err := in.ParameterFilters[i].check("Path", "Name", "Type", "KeyId", "Label", "Tier", "DataType", "tag:"); err != nil {
			return nil, err
		}
	}
	for _, f := range in.Filters {
		f.Option = "BeginsWith"
		in.ParameterFilters = append(in.ParameterFilters, f)
	}
	found := []any{}
	next, err := in.each(c, rd, 50, func(p *parameter, v *version) bool {
		return !in.Shared && !slices.ContainsFunc(in.ParameterFilters, func(f filter) bool { return !f.matches(p, v) })
	}, func(p *parameter, v *version) error {
		out := p.metadata(v)
		out["ARN"] = p.arn()
		found = append(found, out)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return paged("Parameters", found, next), nil
}

func (s *Service) getHistory(c *service.Context, rd store.Reader) (any, error) {
	var in struct {
		Name           string
		WithDecryption bool
		list
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	p, err := find(c, rd, in.Name)
	if err != nil {
		return nil, err
	}
	all, err := p.history(rd)
	if err != nil {
		return nil, err
	}
	most, found, next := 50, []any{}, ""
	if in.MaxResults > 0 {
		most = min(most, in.MaxResults)
	}
	after, err := base64.StdEncoding.DecodeString(in.NextToken)
	if err != nil {
		return nil, aws.Errorf("InvalidNextToken", "The specified token isn't valid.")
	}
	for _, v := range all {
		position := store.Key{}.U64(v.Number)
		if string(position) <= string(after) {
			continue
		}
		if len(found) == most {
			next = base64.StdEncoding.EncodeToString(store.Key{}.U64(v.Number - 1))
			break
		}
		out := p.metadata(v)
		if out["Value"], err = p.text(c, v, in.WithDecryption); err != nil {
			return nil, err
		}
		out["Labels"] = append([]string{}, v.Labels...)
		found = append(found, out)
	}
	return paged("Parameters", found, next), nil
}
