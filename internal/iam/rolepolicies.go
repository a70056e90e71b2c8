package iam

import (
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// attachable checks that a managed policy exists: one of the account's own, or by its ARN one of AWS's.
func attachable(c *service.Context, rd store.Reader, arn string) error {
	a, ok := aws.ParseARN(arn)
	if !ok || a.Service != "iam" || !strings.HasPrefix(a.Resource, "policy/") {
		return invalidInput("ARN %s is not valid.", arn)
	}
	if a.Account == "aws" {
		return nil
	}
	_, err := managed(c, rd, arn)
	return err
}

func attachRolePolicy(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ PolicyArn string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	return nil, change(c, tx, func(r *role) error {
		if err := attachable(c, tx, in.PolicyArn); err != nil {
			return err
		}
		if !slices.Contains(r.Attached, in.PolicyArn) {
			r.Attached = append(r.Attached, in.PolicyArn)
		}
		return nil
	})
}

func detachRolePolicy(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ PolicyArn string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	return nil, change(c, tx, func(r *role) error {
		i := slices.Index(r.Attached, in.PolicyArn)
		if i < 0 {
			return noSuchEntity("Policy %s was not found.", in.PolicyArn)
		}
		r.Attached = slices.Delete(r.Attached, i, i+1)
		return nil
	})
}

// nameAndPath are the parts of a policy's ARN: "policy/service-role/AWSLambdaRole" is "AWSLambdaRole" under "/service-role/".
func nameAndPath(arn string) (name, path string) {
	a, _ := aws.ParseARN(arn)
	i := strings.LastIndexByte(a.Resource, '/')
	return a.Resource[i+1:], strings.TrimPrefix(a.Resource[:i+1], "policy")
}

func listAttachedRolePolicies(c *service.Context, rd store.Reader) (any, error) {
	var in paging
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	r, err := find(c, rd)
	if err != nil {
		return nil, err
	}
	type attached struct{ PolicyName, PolicyArn string }
	var list []attached
	for _, arn := range r.Attached {
		if name, path := nameAndPath(arn); strings.HasPrefix(path, in.PathPrefix) {
			list = append(list, attached{name, arn})
		}
	}
	slices.SortFunc(list, func(x, y attached) int { return strings.Compare(x.PolicyName+x.PolicyArn, y.PolicyName+y.PolicyArn) })
	return page(in, "AttachedPolicies", list, func(a attached) string { return a.PolicyName + a.PolicyArn })
}

type rolePolicyInput struct{ RoleName, PolicyName, PolicyDocument string }

func decodeRolePolicy(c *service.Context) (in rolePolicyInput, err error) {
	if err = service.Decode(c.Request, &in); err == nil {
		err = checkName(in.PolicyName, "policyName", 128)
	}
	return in, err
}

func noRolePolicy(in rolePolicyInput) error {
	return noSuchEntity("The role policy with name %s cannot be found.", in.PolicyName)
}

func putRolePolicy(c *service.Context, tx store.Tx) (any, error) {
	in, err := decodeRolePolicy(c)
	if err != nil {
		return nil, err
	}
	if err := checkDocument(in.PolicyDocument, false); err != nil {
		return nil, err
	}
	return nil, change(c, tx, func(r *role) error {
		if r.Inline == nil {
			r.Inline = map[string]string{}
		}
		r.Inline[in.PolicyName] = in.PolicyDocument
		return nil
	})
}

func getRolePolicy(c *service.Context, rd store.Reader) (any, error) {
	in, err := decodeRolePolicy(c)
	if err != nil {
		return nil, err
	}
	r, err := find(c, rd)
	if err != nil {
		return nil, err
	}
	document, ok := r.Inline[in.PolicyName]
	if !ok {
		return nil, noRolePolicy(in)
	}
	return map[string]any{"RoleName": r.Name, "PolicyName": in.PolicyName, "PolicyDocument": encoded(document)}, nil
}

func deleteRolePolicy(c *service.Context, tx store.Tx) (any, error) {
	in, err := decodeRolePolicy(c)
	if err != nil {
		return nil, err
	}
	return nil, change(c, tx, func(r *role) error {
		if _, ok := r.Inline[in.PolicyName]; !ok {
			return noRolePolicy(in)
		}
		delete(r.Inline, in.PolicyName)
		return nil
	})
}

func listRolePolicies(c *service.Context, rd store.Reader) (any, error) {
	var in paging
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	r, err := find(c, rd)
	if err != nil {
		return nil, err
	}
	return page(in, "PolicyNames", sortedKeys(r.Inline), func(name string) string { return name })
}
