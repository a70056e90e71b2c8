package iam

import (
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// user is a user's record.
type user struct {
	Version        int
	Path, Name, ID string
	Created        int64 // s
	Boundary       string
	Tags           []tag
}

func (u *user) describe(account string, list bool) map[string]any {
	out := map[string]any{"Path": u.Path, "UserName": u.Name, "UserId": u.ID, "CreateDate": u.Created,
		"Arn": aws.ARN{Service: "iam", Account: account, Resource: "user" + u.Path + u.Name}.String()}
	if list {
		return out
	}
	if u.Boundary != "" {
		out["PermissionsBoundary"] = map[string]string{"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": u.Boundary}
	}
	if len(u.Tags) > 0 {
		out["Tags"] = u.Tags
	}
	return out
}

func createUser(c *service.Context, tx store.Tx) (any, error) {
	var in struct {
		Path, UserName, PermissionsBoundary string
		Tags                                []tag
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if err := checkName(in.UserName, "userName", 64); err != nil {
		return nil, err
	}
	if err := checkPath(&in.Path); err != nil {
		return nil, err
	}
	k := key(rowUser, c.Account, in.UserName)
	there, err := tx.Get(k)
	if err != nil {
		return nil, err
	}
	if there != nil {
		return nil, alreadyExists("User", in.UserName)
	}
	u := &user{recordVersion, in.Path, in.UserName, aws.UniqueID("AIDA", c.Account, in.UserName), c.Now.Unix(), in.PermissionsBoundary, in.Tags}
	return map[string]any{"User": u.describe(c.Account, false)}, save(tx, k, u)
}

// findUser reads the user that a request names; there is none (nil) where it names nobody.
func findUser(c *service.Context, rd store.Reader) (*user, error) {
	var in struct{ UserName string }
	if err := service.Decode(c.Request, &in); err != nil || in.UserName == "" {
		return nil, err
	}
	u := &user{}
	there, err := load(rd, key(rowUser, c.Account, in.UserName), u)
	if err == nil && !there {
		err = noSuchEntity("The user with name %s cannot be found.", in.UserName)
	}
	return u, err
}

// getUser without a name is about the caller: the account's root, or the user that the principal is.
func getUser(c *service.Context, rd store.Reader) (any, error) {
	u, err := findUser(c, rd)
	if err != nil {
		return nil, err
	}
	if u != nil {
		return map[string]any{"User": u.describe(c.Account, false)}, nil
	}
	arn := c.Principal
	if arn == "" {
		arn = aws.ARN{Service: "iam", Account: c.Account, Resource: "root"}.String()
	}
	if a, _ := aws.ParseARN(arn); a.Resource != "root" && !strings.HasPrefix(a.Resource, "user/") {
		return nil, aws.Errorf("ValidationError", "Must specify userName when calling with non-User credentials")
	}
	return map[string]any{"User": map[string]any{"UserId": aws.PrincipalID(c.Principal, c.Account), "Arn": arn, "CreateDate": 0}}, nil
}

func listUsers(c *service.Context, rd store.Reader) (any, error) {
	var in paging
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	var list []map[string]any
	prefix := rows(rowUser, c.Account)
	for _, v := range rd.Scan(prefix, prefix.End(), false) {
		u := &user{}
		if err := decode(v, u); err != nil {
			return nil, err
		}
		if strings.HasPrefix(u.Path, in.PathPrefix) {
			list = append(list, u.describe(c.Account, true))
		}
	}
	return page(in, "Users", list, func(u map[string]any) string { return strings.ToLower(u["UserName"].(string)) })
}

func deleteUser(c *service.Context, tx store.Tx) (any, error) {
	u, err := findUser(c, tx)
	if err != nil {
		return nil, err
	}
	if u == nil {
		return nil, constraint("null", "userName", "Member must not be null")
	}
	tx.Delete(key(rowUser, c.Account, u.Name))
	return nil, nil
}
