package s3

import (
	"encoding/json"

	"github.com/newel-run/newel/internal/service"
)

// ownerOnly is the one access control list that there is: the owner may do everything.
func (b *box) ownerOnly() map[string]any {
	o := ownerOf(b.Account)
	return map[string]any{"Owner": o, "Grants": []any{map[string]any{"Grantee": map[string]any{"ID": o.ID, "Type": "CanonicalUser"}, "Permission": "FULL_CONTROL"}}}
}

type aclInput struct {
	owned
	VersionId, ACL                                           string
	AccessControlPolicy                                      json.RawMessage
	GrantFullControl, GrantRead, GrantReadACP, GrantWriteACP string
	GrantWrite                                               string
}

func getBucketACL(_ *service.Context, b *box) (any, error) { return b.ownerOnly(), nil }

func getObjectACL(c *service.Context, b *box) (any, error) {
	var in aclInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if _, err := b.version(in.Key, in.VersionId); err != nil {
		return nil, err
	}
	return b.ownerOnly(), nil
}

// setACL takes the list that is there anyway.
func (b *box) setACL(in *aclInput) error {
	switch {
	case in.ACL == "private", in.ACL == "bucket-owner-full-control":
		return nil
	case in.ACL == "" && len(in.AccessControlPolicy) > 0 && onlyOwner(in.AccessControlPolicy, ownerOf(b.Account).ID):
		return nil
	}
	return aclNotSupported()
}

func onlyOwner(policy []byte, id string) bool {
	var p struct {
		Grants []struct {
			Grantee    struct{ ID string }
			Permission string
		}
	}
	return json.Unmarshal(policy, &p) == nil && len(p.Grants) == 1 && p.Grants[0].Grantee.ID == id && p.Grants[0].Permission == "FULL_CONTROL"
}

func putBucketACL(c *service.Context, b *box) (any, error) {
	var in aclInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	return nil, b.setACL(&in)
}

func (s *Service) putObjectACL(c *service.Context, b *box) (any, error) {
	var in aclInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if _, err := b.version(in.Key, in.VersionId); err != nil {
		return nil, err
	}
	return nil, b.setACL(&in)
}
