package lambda

import (
	"maps"
	"strings"

	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

type tagInput struct {
	Resource string
	Tags     map[string]string
	TagKeys  []string
}

// taggable is a function or an event source mapping.
type taggable struct {
	tags *map[string]string
	put  func(tx store.Tx) error
}

func tagged(c *service.Context, rd store.Reader) (taggable, *tagInput, error) {
	in := new(tagInput)
	if err := service.Decode(c.Request, in); err != nil {
		return taggable{}, nil, err
	}
	if _, uuid, ok := strings.Cut(in.Resource, ":event-source-mapping:"); ok {
		m, err := needMapping(c, rd, uuid)
		if err != nil {
			return taggable{}, nil, err
		}
		return taggable{&m.Tags, func(tx store.Tx) error { return putMapping(tx, m) }}, in, nil
	}
	f, err := findUnqualified(c, rd, in.Resource)
	if err != nil {
		return taggable{}, nil, err
	}
	return taggable{&f.Tags, func(tx store.Tx) error { return put(tx, f) }}, in, nil
}

func tagResource(c *service.Context, tx store.Tx) (any, error) {
	f, in, err := tagged(c, tx)
	if err != nil {
		return nil, err
	}
	if *f.tags == nil {
		*f.tags = map[string]string{}
	}
	maps.Copy(*f.tags, in.Tags)
	return nil, f.put(tx)
}

func untagResource(c *service.Context, tx store.Tx) (any, error) {
	f, in, err := tagged(c, tx)
	if err != nil {
		return nil, err
	}
	for _, k := range in.TagKeys {
		delete(*f.tags, k)
	}
	return nil, f.put(tx)
}

func listTags(c *service.Context, rd store.Reader) (any, error) {
	f, _, err := tagged(c, rd)
	if err != nil {
		return nil, err
	}
	tags := *f.tags
	if tags == nil {
		tags = map[string]string{}
	}
	return map[string]any{"Tags": tags}, nil
}
