package states

import (
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

// tagged reads the machine that a tag operation names. A version or alias has no tags of its own.
func tagged(rd store.Reader, resourceARN string) (*head, error) {
	missing := aws.Errorf("ResourceNotFound", "Resource not found: '%s'", resourceARN)
	missing.Fields = map[string]any{"resourceName": resourceARN}
	n, err := parse(resourceARN)
	if err != nil {
		return nil, err
	}
	if n.Type != "stateMachine" || n.qualifier() != "" {
		return nil, missing
	}
	h, err := readHead(rd, resourceARN)
	if err == nil && h == nil {
		err = missing
	}
	return h, err
}

func (s *Service) tagResource(c *service.Context, tx store.Tx) (any, error) {
	var in struct {
		ResourceArn string
		Tags        []tag
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	h, err := tagged(tx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	if h.Tags, err = mergeTags(h.Tags, in.Tags); err != nil {
		return nil, err
	}
	return nil, writeHead(tx, h)
}

func (s *Service) untagResource(c *service.Context, tx store.Tx) (any, error) {
	var in struct {
		ResourceArn string
		TagKeys     []string
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	h, err := tagged(tx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	h.Tags = slices.DeleteFunc(h.Tags, func(t tag) bool { return slices.Contains(in.TagKeys, t.Key) })
	return nil, writeHead(tx, h)
}

func (s *Service) listTags(c *service.Context, rd store.Reader) (any, error) {
	var in struct{ ResourceArn string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	h, err := tagged(rd, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	if h.Tags == nil {
		h.Tags = []tag{}
	}
	return map[string]any{"tags": h.Tags}, nil
}
