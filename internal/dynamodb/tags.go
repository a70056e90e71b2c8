package dynamodb

import (
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/dynamodb/attr"
)

type tagInput struct {
	ResourceArn *string //nolint:revive // the API's name
	Tags        []tag
	TagKeys     []string
	NextToken   *string
}

func (in *tagInput) check() error {
	var c constraints
	c.required(in.ResourceArn != nil, "resourceArn")
	return c.err()
}

// tagged gives the table that an ARN names.
func (t *txn) tagged(in *tagInput) (*table, error) {
	a, ok := aws.ParseARN(*in.ResourceArn)
	name, isTable := strings.CutPrefix(a.Resource, "table/")
	if !ok || !isTable || a.Service != "dynamodb" {
		return nil, attr.Invalid("Invalid TableArn: Invalid ResourceArn provided as input " + *in.ResourceArn)
	}
	tb, err := t.find(name)
	if err == nil && tb == nil {
		err = aws.Errorf("ResourceNotFoundException", "Requested resource not found: ResourcArn: %s not found", *in.ResourceArn)
	}
	return tb, err
}

func (t *txn) tagResource(in *tagInput) (any, error) {
	old, err := t.tagged(in)
	if err != nil {
		return nil, err
	}
	if len(in.Tags) == 0 {
		return nil, attr.Invalid("Atleast one Tag needs to be provided as Input.")
	}
	tb := *old
	tb.Tags = slices.Clone(old.Tags)
	for _, n := range in.Tags {
		if i := slices.IndexFunc(tb.Tags, func(o tag) bool { return o.Key == n.Key }); i >= 0 {
			tb.Tags[i] = n
		} else {
			tb.Tags = append(tb.Tags, n)
		}
	}
	if len(tb.Tags) > 50 {
		return nil, attr.Invalid("Too many tags: the number of tags on a resource is limited to 50")
	}
	return nil, t.save(&tb)
}

func (t *txn) untagResource(in *tagInput) (any, error) {
	old, err := t.tagged(in)
	if err != nil {
		return nil, err
	}
	if len(in.TagKeys) == 0 {
		return nil, attr.Invalid("Atleast one Tag Key needs to be provided as Input.")
	}
	tb := *old
	tb.Tags = slices.DeleteFunc(slices.Clone(old.Tags), func(o tag) bool { return slices.Contains(in.TagKeys, o.Key) })
	return nil, t.save(&tb)
}

func (t *txn) listTagsOfResource(in *tagInput) (any, error) {
	tb, err := t.tagged(in)
	if err != nil {
		return nil, err
	}
	tags := tb.Tags
	if tags == nil {
		tags = []tag{}
	}
	return map[string]any{"Tags": tags}, nil
}
