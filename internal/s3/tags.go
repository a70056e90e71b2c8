package s3

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"unicode/utf8"

	"github.com/newel-run/newel/internal/service"
)

type tag struct{ Key, Value string }

const (
	objectTagsMax = 10
	bucketTagsMax = 50
)

var tagText = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)

func checkTags(tags []tag, limit int) error {
	if len(tags) > limit {
		if limit == objectTagsMax {
			return fail(400, "BadRequest", "Object tags cannot be greater than 10", nil)
		}
		return fail(400, "BadRequest", "Bucket tag count cannot be greater than 50", nil)
	}
	seen := map[string]bool{}
	for _, t := range tags {
		switch {
		case t.Key == "" || utf8.RuneCountInString(t.Key) > 128 || !tagText.MatchString(t.Key):
			return fail(400, "InvalidTag", "The TagKey you have provided is invalid", map[string]any{"TagKey": t.Key})
		case utf8.RuneCountInString(t.Value) > 256 || !tagText.MatchString(t.Value):
			return fail(400, "InvalidTag", "The TagValue you have provided is invalid", map[string]any{"TagKey": t.Key, "TagValue": t.Value})
		case seen[t.Key]:
			return fail(400, "InvalidTag", "Cannot provide multiple Tags with the same key", map[string]any{"TagKey": t.Key})
		}
		seen[t.Key] = true
	}
	return nil
}

// parseTagHeader reads x-amz-tagging: the form of a query string.
func parseTagHeader(text string) (map[string]string, error) {
	if text == "" {
		return nil, nil
	}
	values, err := url.ParseQuery(text)
	if err != nil {
		return nil, invalidArgument("x-amz-tagging", text, "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.")
	}
	var tags []tag
	for k, v := range values {
		for _, one := range v {
			tags = append(tags, tag{k, one})
		}
	}
	if err := checkTags(tags, objectTagsMax); err != nil {
		return nil, err
	}
	return tagMap(tags), nil
}

func tagMap(tags []tag) map[string]string {
	if len(tags) == 0 {
		return nil
	}
	m := map[string]string{}
	for _, t := range tags {
		m[t.Key] = t.Value
	}
	return m
}

func tagList(m map[string]string) []tag {
	tags := []tag{}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		tags = append(tags, tag{k, m[k]})
	}
	return tags
}

type taggingInput struct {
	owned
	VersionId string
	Tagging   *struct{ TagSet []tag }
}

func (s *Service) putObjectTagging(c *service.Context, b *box) (any, error) {
	var in taggingInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if in.Tagging == nil {
		return nil, malformedXML()
	}
	if err := checkTags(in.Tagging.TagSet, objectTagsMax); err != nil {
		return nil, err
	}
	return nil, b.retag(&in, tagMap(in.Tagging.TagSet), "ObjectTagging:Put", "PutObjectTagging")
}

func (s *Service) deleteObjectTagging(c *service.Context, b *box) (any, error) {
	var in taggingInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	return nil, b.retag(&in, nil, "ObjectTagging:Delete", "DeleteObjectTagging")
}

func (b *box) retag(in *taggingInput, tags map[string]string, name, api string) error {
	o, err := b.version(in.Key, in.VersionId)
	if err != nil {
		return err
	}
	o.Tags = tags
	b.tx.Set(row(rowObject, b.name, in.Key), encodeRow(o))
	return b.notify(event{name: name, api: api, key: in.Key, object: o})
}

func getObjectTagging(c *service.Context, b *box) (any, error) {
	var in taggingInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	o, err := b.version(in.Key, in.VersionId)
	if err != nil {
		return nil, err
	}
	return map[string]any{"TagSet": tagList(o.Tags)}, nil
}
