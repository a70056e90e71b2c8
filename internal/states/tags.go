package states

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

const maxTags = 50

// mergeTags adds tags to a resource's, replacing the values of keys that are there.
func mergeTags(old, add []tag) ([]tag, error) {
	out := slices.Clone(old)
	for _, t := range add {
		if strings.HasPrefix(t.Key, "aws:") || utf8.RuneCountInString(t.Key) > 128 || t.Key == "" {
			return nil, aws.Errorf("ValidationException", "Invalid tag key: '%s'", t.Key)
		}
		if i := slices.IndexFunc(out, func(o tag) bool { return o.Key == t.Key }); i >= 0 {
			out[i].Value = t.Value
			continue
		}
		out = append(out, t)
	}
	if len(out) > maxTags {
		return nil, aws.Errorf("TooManyTags", "Too Many Tags: '%d' tags were given or are there, at most %d can be.", len(out), maxTags)
	}
	return out, nil
}

// tagged reads the tags of the machine or activity that a tag operation names, and says how to write them. A version or
// alias has no tags of its own.
func tagged(rd store.Reader, resourceARN string) (tags []tag, write func(store.Tx, []tag) error, err error) {
	missing := aws.Errorf("ResourceNotFound", "Resource not found: '%s'", resourceARN)
	missing.Fields = map[string]any{"resourceName": resourceARN}
	n, err := parse(resourceARN)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case n.Type == "stateMachine" && n.qualifier() == "":
		h, err := readHead(rd, resourceARN)
		if err != nil || h == nil {
			return nil, nil, cmp.Or[error](err, missing)
		}
		return h.Tags, func(tx store.Tx, tags []tag) error { h.Tags = tags; return writeHead(tx, h) }, nil
	case n.Type == "activity":
		a, err := readActivity(rd, resourceARN)
		if err != nil || a == nil {
			return nil, nil, cmp.Or[error](err, missing)
		}
		return a.Tags, func(tx store.Tx, tags []tag) error { a.Tags = tags; return writeActivity(tx, a) }, nil
	}
	return nil, nil, missing
}

func (s *Service) tagResource(c *service.Context, tx store.Tx) (any, error) {
	var in struct {
		ResourceArn string
		Tags        []tag
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	tags, write, err := tagged(tx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	if tags, err = mergeTags(tags, in.Tags); err != nil {
		return nil, err
	}
	return nil, write(tx, tags)
}

func (s *Service) untagResource(c *service.Context, tx store.Tx) (any, error) {
	var in struct {
		ResourceArn string
		TagKeys     []string
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	tags, write, err := tagged(tx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return nil, write(tx, slices.DeleteFunc(tags, func(t tag) bool { return slices.Contains(in.TagKeys, t.Key) }))
}

func (s *Service) listTags(c *service.Context, rd store.Reader) (any, error) {
	var in struct{ ResourceArn string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	tags, _, err := tagged(rd, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return map[string]any{"tags": append([]tag{}, tags...)}, nil
}
