// Package iam is AWS Identity and Access Management as far as deployment tools call it: roles with their policies,
// managed policies with their versions, and bare users. Nothing is enforced: policies are checked for their form, kept,
// and given back.
//
// IAM is global: everything of an account lives on one partition whatever the region of the call, so that each operation
// is one transaction. AWS's own managed policies (arn:aws:iam::aws:policy/...) can be attached without being created;
// their documents are not known here. Names are unique regardless of case.
package iam

import (
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// New makes the service.
func New(env *service.Env) *service.Service {
	s := service.New("iam", env, []service.Operation{
		{Name: "CreateRole", Update: createRole},
		{Name: "GetRole", View: getRole},
		{Name: "ListRoles", View: listRoles},
		{Name: "UpdateRole", Update: updateRole},
		{Name: "UpdateRoleDescription", Update: updateRoleDescription},
		{Name: "UpdateAssumeRolePolicy", Update: updateAssumeRolePolicy},
		{Name: "DeleteRole", Update: deleteRole},
		{Name: "TagRole", Update: tagRole},
		{Name: "UntagRole", Update: untagRole},
		{Name: "ListRoleTags", View: listRoleTags},
		{Name: "PutRolePermissionsBoundary", Update: putBoundary},
		{Name: "DeleteRolePermissionsBoundary", Update: deleteBoundary},
		{Name: "ListInstanceProfilesForRole", View: listInstanceProfilesForRole},
		{Name: "AttachRolePolicy", Update: attachRolePolicy},
		{Name: "DetachRolePolicy", Update: detachRolePolicy},
		{Name: "ListAttachedRolePolicies", View: listAttachedRolePolicies},
		{Name: "PutRolePolicy", Update: putRolePolicy},
		{Name: "GetRolePolicy", View: getRolePolicy},
		{Name: "DeleteRolePolicy", Update: deleteRolePolicy},
		{Name: "ListRolePolicies", View: listRolePolicies},
		{Name: "CreatePolicy", Update: createPolicy},
		{Name: "GetPolicy", View: getPolicy},
		{Name: "ListPolicies", View: listPolicies},
		{Name: "DeletePolicy", Update: deletePolicy},
		{Name: "CreatePolicyVersion", Update: createPolicyVersion},
		{Name: "GetPolicyVersion", View: getPolicyVersion},
		{Name: "ListPolicyVersions", View: listPolicyVersions},
		{Name: "DeletePolicyVersion", Update: deletePolicyVersion},
		{Name: "SetDefaultPolicyVersion", Update: setDefaultPolicyVersion},
		{Name: "TagPolicy", Update: tagPolicy},
		{Name: "UntagPolicy", Update: untagPolicy},
		{Name: "ListPolicyTags", View: listPolicyTags},
		{Name: "CreateUser", Update: createUser},
		{Name: "GetUser", View: getUser},
		{Name: "ListUsers", View: listUsers},
		{Name: "DeleteUser", Update: deleteUser},
	})
	s.Place = func(account, _, _ string) store.Partition {
		return store.Place(env.Store.Partitions(), account, "iam")
	}
	return s
}

// The rows of an account: kind, account, name in lower case -> record.
const (
	rowRole   byte = 'r'
	rowPolicy byte = 'p'
	rowUser   byte = 'u'
)

const recordVersion = 1

var errCorrupt = errors.Join(store.ErrCorrupt, errors.New("iam: a row cannot be decoded"))

func rows(kind byte, account string) store.Key {
	return append(store.K(store.TableIAM), kind).Str(account)
}

func key(kind byte, account, name string) store.Key {
	return rows(kind, account).Str(strings.ToLower(name))
}

// load reads a record; there is false where there is none.
func load(rd store.Reader, k store.Key, into any) (there bool, err error) {
	b, err := rd.Get(k)
	if err != nil || b == nil {
		return false, err
	}
	return true, decode(b, into)
}

func decode(b []byte, into any) error {
	var v struct{ Version int }
	if json.Unmarshal(b, &v) != nil || v.Version != recordVersion || json.Unmarshal(b, into) != nil {
		return errCorrupt
	}
	return nil
}

func save(tx store.Tx, k store.Key, record any) error {
	b, err := json.Marshal(record)
	if err == nil {
		tx.Set(k, b)
	}
	return err
}

func fault(shape, code string, status int, format string, args ...any) *aws.Error {
	e := aws.Errorf(shape, format, args...)
	e.QueryCode, e.Status = code, status
	return e
}

func noSuchEntity(format string, args ...any) *aws.Error {
	return fault("NoSuchEntityException", "NoSuchEntity", 404, format, args...)
}

func alreadyExists(kind, name string) *aws.Error {
	return fault("EntityAlreadyExistsException", "EntityAlreadyExists", 409, "%s with name %s already exists.", kind, name)
}

func deleteConflict(text string) *aws.Error {
	return fault("DeleteConflictException", "DeleteConflict", 409, "%s", text)
}

func invalidInput(format string, args ...any) *aws.Error {
	return fault("InvalidInputException", "InvalidInput", 400, format, args...)
}

// constraint is AWS's sentence about a member that breaks its model.
func constraint(value, member, text string) *aws.Error {
	return aws.Errorf("ValidationError", "1 validation error detected: Value %s at '%s' failed to satisfy constraint: %s", value, member, text)
}

var (
	validName = regexp.MustCompile(`^[\w+=,.@-]+$`)
	validPath = regexp.MustCompile(`^(/|/[!-~]+/)$`)
)

// checkName validates the name of a role, policy or user.
func checkName(name, member string, most int) error {
	switch {
	case name == "":
		return constraint("null", member, "Member must not be null")
	case len(name) > most:
		return constraint("'"+name+"'", member, "Member must have length less than or equal to "+itoa(most))
	case !validName.MatchString(name):
		return fault("ValidationError", "ValidationError", 400, "The specified value for %s is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-", member)
	}
	return nil
}

func checkPath(path *string) error {
	if *path == "" {
		*path = "/"
	}
	if !validPath.MatchString(*path) || len(*path) > 512 {
		return fault("ValidationError", "ValidationError", 400, "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.")
	}
	return nil
}

// encoded writes a policy document as IAM answers it: percent-encoded by RFC 3986.
func encoded(document string) string {
	return strings.ReplaceAll(url.QueryEscape(document), "+", "%20")
}

// tag is a key with its value; lists of tags keep the order in which keys were first set.
type tag struct{ Key, Value string }

const tagsMax = 50

func setTags(list []tag, add []tag) ([]tag, error) {
	for _, t := range add {
		i := slices.IndexFunc(list, func(o tag) bool { return strings.EqualFold(o.Key, t.Key) })
		if i < 0 {
			list = append(list, t)
		} else {
			list[i] = t
		}
	}
	if len(list) > tagsMax {
		return nil, fault("LimitExceededException", "LimitExceeded", 409, "The number of tags has reached the maximum limit.")
	}
	return list, nil
}

func dropTags(list []tag, keys []string) []tag {
	return slices.DeleteFunc(list, func(t tag) bool { return slices.Contains(keys, t.Key) })
}

// paging is the input members that all lists have.
type paging struct {
	PathPrefix string
	Marker     string
	MaxItems   *int
}

// page cuts a list at AWS's page size; the marker is the name of the last element given, and the list is sorted by name.
func page[T any](p paging, member string, list []T, name func(T) string) (any, error) {
	n := 100
	if p.MaxItems != nil {
		if n = *p.MaxItems; n < 1 || n > 1000 {
			return nil, constraint("'"+itoa(n)+"'", "maxItems", "Member must have value between 1 and 1000")
		}
	}
	if p.Marker != "" {
		list = slices.DeleteFunc(slices.Clone(list), func(t T) bool { return name(t) <= p.Marker })
	}
	out := map[string]any{"IsTruncated": len(list) > n}
	if len(list) > n {
		list = list[:n]
		out["Marker"] = name(list[n-1])
	}
	out[member] = append([]T{}, list...)
	return out, nil
}

// sortedKeys are a map's keys in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
