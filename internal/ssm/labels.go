package ssm

import (
	"maps"
	"regexp"
	"slices"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// A label has letters, digits and .-_ and begins with none of digits, "aws" and "ssm".
var (
	labelForm     = aws.Lazy(`^[A-Za-z_.\-][A-Za-z0-9_.\-]{0,99}$`)
	labelReserved = regexp.MustCompile(`(?i)^(aws|ssm)`)
)

type labelInput struct {
	Name             string
	ParameterVersion uint64
	Labels           []string
}

// labelling reads the parameter and the version that a request is about.
func labelling(c *service.Context, tx store.Tx) (in labelInput, p *parameter, v *version, err error) {
	if err = service.Decode(c.Request, &in); err != nil {
		return in, nil, nil, err
	}
	if p, err = find(c, tx, in.Name); err != nil {
		return in, nil, nil, err
	}
	if in.ParameterVersion == 0 {
		in.ParameterVersion = p.Latest
	}
	if v, err = p.version(tx, in.ParameterVersion); err == nil && v == nil {
		err = aws.Errorf("ParameterVersionNotFound", "Systems Manager could not find version %d of %s. Verify the version and try again.", in.ParameterVersion, p.Name)
	}
	return in, p, v, err
}

func (s *Service) labelVersion(c *service.Context, tx store.Tx) (any, error) {
	in, p, v, err := labelling(c, tx)
	if err != nil {
		return nil, err
	}
	all, err := p.history(tx)
	if err != nil {
		return nil, err
	}
	invalid := []string{}
	for _, label := range in.Labels {
		if !labelForm.MatchString(label) || labelReserved.MatchString(label) {
			invalid = append(invalid, label)
			continue
		}
		for _, other := range all {
			if at := slices.Index(other.Labels, label); at >= 0 && other.Number != v.Number {
				other.Labels = slices.Delete(other.Labels, at, at+1)
				if err := set(tx, p.versions().U64(other.Number), other); err != nil {
					return nil, err
				}
			}
		}
		if !slices.Contains(v.Labels, label) {
			v.Labels = append(v.Labels, label)
		}
	}
	if len(v.Labels) > labelsMost {
		return nil, aws.Errorf("ParameterVersionLabelLimitExceeded", "A parameter version can have maximum %d labels.", labelsMost)
	}
	return map[string]any{"InvalidLabels": invalid, "ParameterVersion": v.Number}, set(tx, p.versions().U64(v.Number), v)
}

func (s *Service) unlabelVersion(c *service.Context, tx store.Tx) (any, error) {
	in, p, v, err := labelling(c, tx)
	if err != nil {
		return nil, err
	}
	removed, invalid := []string{}, []string{}
	for _, label := range in.Labels {
		at := slices.Index(v.Labels, label)
		if at < 0 {
			invalid = append(invalid, label)
			continue
		}
		v.Labels = slices.Delete(v.Labels, at, at+1)
		removed = append(removed, label)
	}
	return map[string]any{"RemovedLabels": removed, "InvalidLabels": invalid}, set(tx, p.versions().U64(v.Number), v)
}

func tagged(have map[string]string, tags []tag) map[string]string {
	if have == nil {
		have = map[string]string{}
	}
	for _, t := range tags {
		have[t.Key] = t.Value
	}
	return have
}

// resource reads the parameter whose tags a request is about.
func resource(c *service.Context, rd store.Reader) (*parameter, error) {
	var in struct{ ResourceType, ResourceId string } //nolint:revive // the API's names
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if in.ResourceType != "Parameter" {
		return nil, aws.Errorf("InvalidResourceType", "Newel keeps tags of parameters only, not of %s.", in.ResourceType)
	}
	p, err := read(c, rd, in.ResourceId)
	if err == nil && p == nil {
		err = aws.Errorf("InvalidResourceId", "%s", in.ResourceId)
	}
	return p, err
}

func (s *Service) addTags(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ Tags []tag }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	p, err := resource(c, tx)
	if err != nil {
		return nil, err
	}
	p.Tags = tagged(p.Tags, in.Tags)
	return nil, set(tx, p.key(), p)
}

func (s *Service) removeTags(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ TagKeys []string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	p, err := resource(c, tx)
	if err != nil {
		return nil, err
	}
	for _, k := range in.TagKeys {
		delete(p.Tags, k)
	}
	return nil, set(tx, p.key(), p)
}

func (s *Service) listTags(c *service.Context, rd store.Reader) (any, error) {
	p, err := resource(c, rd)
	if err != nil {
		return nil, err
	}
	list := []tag{}
	for _, k := range slices.Sorted(maps.Keys(p.Tags)) {
		list = append(list, tag{k, p.Tags[k]})
	}
	return map[string]any{"TagList": list}, nil
}
