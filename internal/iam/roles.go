package iam

import (
	"bytes"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// role is a role's record.
type role struct {
	Version            int
	Path, Name, ID     string
	Created            int64 // s
	Trust              string
	Description        string
	MaxSessionDuration int
	Boundary           string
	Tags               []tag
	Attached           []string          // ARNs of managed policies, in order of attachment
	Inline             map[string]string // name -> document
}

func (r *role) arn(account string) string {
	return aws.ARN{Service: "iam", Account: account, Resource: "role" + r.Path + r.Name}.String()
}

// describe is a role as the API shows it; list leaves out what ListRoles leaves out.
func (r *role) describe(account string, list bool) map[string]any {
	out := map[string]any{"Path": r.Path, "RoleName": r.Name, "RoleId": r.ID, "Arn": r.arn(account), "CreateDate": r.Created,
		"AssumeRolePolicyDocument": encoded(r.Trust), "MaxSessionDuration": r.MaxSessionDuration}
	if r.Description != "" {
		out["Description"] = r.Description
	}
	if list {
		return out
	}
	out["RoleLastUsed"] = struct{}{}
	if r.Boundary != "" {
		out["PermissionsBoundary"] = map[string]string{"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": r.Boundary}
	}
	if len(r.Tags) > 0 {
		out["Tags"] = r.Tags
	}
	return out
}

func checkDuration(n *int) error {
	if n != nil && (*n < 3600 || *n > 43200) {
		bound := "Member must have value greater than or equal to 3600"
		if *n > 43200 {
			bound = "Member must have value less than or equal to 43200"
		}
		return constraint("'"+itoa(*n)+"'", "maxSessionDuration", bound)
	}
	return nil
}

func createRole(c *service.Context, tx store.Tx) (any, error) {
	var in struct {
		Path, RoleName, AssumeRolePolicyDocument, Description, PermissionsBoundary string
		MaxSessionDuration                                                         *int
		Tags                                                                       []tag
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if err := checkName(in.RoleName, "roleName", 64); err != nil {
		return nil, err
	}
	if err := checkPath(&in.Path); err != nil {
		return nil, err
	}
	if in.AssumeRolePolicyDocument == "" {
		return nil, constraint("null", "assumeRolePolicyDocument", "Member must not be null")
	}
	if err := checkDocument(in.AssumeRolePolicyDocument, true); err != nil {
		return nil, err
	}
	if err := checkDuration(in.MaxSessionDuration); err != nil {
		return nil, err
	}
	k := key(rowRole, c.Account, in.RoleName)
	there, err := tx.Get(k)
	if err != nil {
		return nil, err
	}
	if there != nil {
		return nil, alreadyExists("Role", in.RoleName)
	}
	r := &role{Version: recordVersion, Path: in.Path, Name: in.RoleName, ID: aws.UniqueID("AROA", c.Account, in.RoleName),
		Created: c.Now.Unix(), Trust: in.AssumeRolePolicyDocument, Description: in.Description, MaxSessionDuration: 3600,
		Boundary: in.PermissionsBoundary}
	if in.MaxSessionDuration != nil {
		r.MaxSessionDuration = *in.MaxSessionDuration
	}
	if r.Tags, err = setTags(nil, in.Tags); err != nil {
		return nil, err
	}
	if err := save(tx, k, r); err != nil {
		return nil, err
	}
	out := r.describe(c.Account, true)
	if len(r.Tags) > 0 {
		out["Tags"] = r.Tags
	}
	return map[string]any{"Role": out}, nil
}

// find reads the role that a request names.
func find(c *service.Context, rd store.Reader) (*role, error) {
	var in struct{ RoleName string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if err := checkName(in.RoleName, "roleName", 64); err != nil {
		return nil, err
	}
	r := &role{}
	there, err := load(rd, key(rowRole, c.Account, in.RoleName), r)
	if err == nil && !there {
		err = noSuchEntity("The role with name %s cannot be found.", in.RoleName)
	}
	return r, err
}

// change rewrites the role that a request names.
func change(c *service.Context, tx store.Tx, fn func(*role) error) error {
	r, err := find(c, tx)
	if err != nil {
		return err
	}
	if err := fn(r); err != nil {
		return err
	}
	return save(tx, key(rowRole, c.Account, r.Name), r)
}

func getRole(c *service.Context, rd store.Reader) (any, error) {
	r, err := find(c, rd)
	if err != nil {
		return nil, err
	}
	return map[string]any{"Role": r.describe(c.Account, false)}, nil
}

// roles calls fn with every role of an account, in the order of their names.
func roles(rd store.Reader, account string, fn func(*role)) error {
	prefix := rows(rowRole, account)
	for _, v := range rd.Scan(prefix, prefix.End(), false) {
		r := &role{}
		if err := decode(bytes.Clone(v), r); err != nil {
			return err
		}
		fn(r)
	}
	return nil
}

func listRoles(c *service.Context, rd store.Reader) (any, error) {
	var in paging
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	var list []map[string]any
	err := roles(rd, c.Account, func(r *role) {
		if strings.HasPrefix(r.Path, in.PathPrefix) {
			list = append(list, r.describe(c.Account, true))
		}
	})
	if err != nil {
		return nil, err
	}
	return page(in, "Roles", list, func(r map[string]any) string { return strings.ToLower(r["RoleName"].(string)) })
}

func updateRole(c *service.Context, tx store.Tx) (any, error) {
	var in struct {
		Description        *string
		MaxSessionDuration *int
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if err := checkDuration(in.MaxSessionDuration); err != nil {
		return nil, err
	}
	return nil, change(c, tx, func(r *role) error {
		if in.Description != nil {
			r.Description = *in.Description
		}
		if in.MaxSessionDuration != nil {
			r.MaxSessionDuration = *in.MaxSessionDuration
		}
		return nil
	})
}

func updateRoleDescription(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ Description string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	var out map[string]any
	err := change(c, tx, func(r *role) error {
		r.Description = in.Description
		out = r.describe(c.Account, true)
		return nil
	})
	return map[string]any{"Role": out}, err
}

func updateAssumeRolePolicy(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ PolicyDocument string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if err := checkDocument(in.PolicyDocument, true); err != nil {
		return nil, err
	}
	return nil, change(c, tx, func(r *role) error { r.Trust = in.PolicyDocument; return nil })
}

func deleteRole(c *service.Context, tx store.Tx) (any, error) {
	r, err := find(c, tx)
	if err != nil {
		return nil, err
	}
	switch {
	case len(r.Attached) > 0:
		return nil, deleteConflict("Cannot delete entity, must detach all policies first.")
	case len(r.Inline) > 0:
		return nil, deleteConflict("Cannot delete entity, must delete policies first.")
	}
	tx.Delete(key(rowRole, c.Account, r.Name))
	return nil, nil
}

func tagRole(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ Tags []tag }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	return nil, change(c, tx, func(r *role) (err error) { r.Tags, err = setTags(r.Tags, in.Tags); return err })
}

func untagRole(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ TagKeys []string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	return nil, change(c, tx, func(r *role) error { r.Tags = dropTags(r.Tags, in.TagKeys); return nil })
}

func listRoleTags(c *service.Context, rd store.Reader) (any, error) {
	r, err := find(c, rd)
	if err != nil {
		return nil, err
	}
	return map[string]any{"Tags": append([]tag{}, r.Tags...), "IsTruncated": false}, nil
}

func putBoundary(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ PermissionsBoundary string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	return nil, change(c, tx, func(r *role) error { r.Boundary = in.PermissionsBoundary; return nil })
}

func deleteBoundary(c *service.Context, tx store.Tx) (any, error) {
	return nil, change(c, tx, func(r *role) error { r.Boundary = ""; return nil })
}

func listInstanceProfilesForRole(c *service.Context, rd store.Reader) (any, error) {
	if _, err := find(c, rd); err != nil {
		return nil, err
	}
	return map[string]any{"InstanceProfiles": []any{}, "IsTruncated": false}, nil
}
