package s3

import (
	"encoding/json"
	"errors"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
)

type deleteInput struct {
	owned
	VersionId               string
	IfMatch                 string
	IfMatchSize             *int64
	IfMatchLastModifiedTime json.Number
}

func (s *Service) deleteObject(c *service.Context, b *box) (any, error) {
	var in deleteInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	return nil, b.remove(&in, "DeleteObject")
}

// remove deletes an object; one that is not there is no error.
func (b *box) remove(in *deleteInput, api string) error {
	if in.VersionId != "" && in.VersionId != "null" {
		if len(in.VersionId) != 32 {
			return invalidArgument("versionId", in.VersionId, "Invalid version id specified")
		}
		return nil
	}
	o, err := b.object(in.Key)
	if err != nil {
		return err
	}
	if o == nil {
		if in.IfMatch != "" {
			return noSuchKey(in.Key)
		}
		return nil
	}
	modified, timed := seconds(in.IfMatchLastModifiedTime)
	switch {
	case in.IfMatch != "" && !matches(in.IfMatch, o.ETag):
		return preconditionFailed("If-Match")
	case in.IfMatchSize != nil && *in.IfMatchSize != o.Size:
		return preconditionFailed("x-amz-if-match-size")
	case timed && modified != o.Modified/1000:
		return preconditionFailed("x-amz-if-match-last-modified-time")
	}
	if err := b.drop(in.Key); err != nil {
		return err
	}
	return b.notify(event{name: "ObjectRemoved:Delete", api: api, key: in.Key, object: o})
}

const deleteObjectsMax = 1000

func (s *Service) deleteObjects(c *service.Context, b *box) (any, error) {
	var in struct {
		Delete struct {
			Objects []struct {
				Key, VersionId, ETag string
				Size                 *int64
				LastModifiedTime     json.Number
			}
			Quiet bool
		}
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if n := len(in.Delete.Objects); n == 0 || n > deleteObjectsMax {
		return nil, malformedXML()
	}
	type problem struct {
		Key, Code, Message string
		VersionId          string `json:",omitempty"`
	}
	type deletion struct {
		Key       string
		VersionId string `json:",omitempty"`
	}
	var out struct {
		Deleted []deletion `json:",omitempty"`
		Errors  []problem  `json:",omitempty"`
	}
	for _, o := range in.Delete.Objects {
		err := b.remove(&deleteInput{owned: owned{Key: o.Key}, VersionId: o.VersionId, IfMatch: o.ETag, IfMatchSize: o.Size, IfMatchLastModifiedTime: o.LastModifiedTime}, "DeleteObjects")
		var refused *aws.Error
		switch {
		case errors.As(err, &refused):
			out.Errors = append(out.Errors, problem{o.Key, refused.Code, refused.Message, o.VersionId})
		case err != nil:
			return nil, err
		case !in.Delete.Quiet:
			out.Deleted = append(out.Deleted, deletion{o.Key, o.VersionId})
		}
	}
	return out, nil
}
