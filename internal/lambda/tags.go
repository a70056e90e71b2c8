package lambda

import (
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

type tagInput struct {
	Resource string
	Tags     map[string]string
	TagKeys  []string
}

func tagged(c *service.Context, rd store.Reader) (*record, *tagInput, error) {
	in := new(tagInput)
	if err := service.Decode(c.Request, in); err != nil {
		return nil, nil, err
	}
	f, err := findUnqualified(c, rd, in.Resource)
	return f, in, err
}

func tagResource(c *service.Context, tx store.Tx) (any, error) {
	f, in, err := tagged(c, tx)
	if err != nil {
		return nil, err
	}
	if f.Tags == nil {
		f.Tags = map[string]string{}
	}
	for k, v := range in.Tags {
		f.Tags[k] = v
	}
	return nil, put(tx, f)
}

func untagResource(c *service.Context, tx store.Tx) (any, error) {
	f, in, err := tagged(c, tx)
	if err != nil {
		return nil, err
	}
	for _, k := range in.TagKeys {
		delete(f.Tags, k)
	}
	return nil, put(tx, f)
}

func listTags(c *service.Context, rd store.Reader) (any, error) {
	f, _, err := tagged(c, rd)
	if err != nil {
		return nil, err
	}
	tags := f.Tags
	if tags == nil {
		tags = map[string]string{}
	}
	return map[string]any{"Tags": tags}, nil
}
