package lambda

import (
	"bytes"
	"context"
	"encoding/json"
	"regexp"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// namePattern is AWS's: a name, ACCOUNT:function:NAME, or an ARN, each with or without a qualifier.
const namePattern = `(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}(-gov)?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?`

var (
	nameRE = regexp.MustCompile(`^(?:arn:aws[a-zA-Z-]*:lambda:)?(?:([a-z]{2}(?:-[a-z]+)+-\d):)?(?:(\d{12}):)?(?:function:)?([a-zA-Z0-9_-]+)(?::(\$LATEST|[a-zA-Z0-9_-]+))?$`)
	plain  = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)
)

const latest = "$LATEST"

// reference is a function as a caller names it. Account and Region are empty where the name does not give them.
type reference struct{ Region, Account, Name, Qualifier string }

func parseName(s string) (reference, error) {
	if plain.MatchString(s) {
		return reference{Name: s}, checkLength(s)
	}
	m := nameRE.FindStringSubmatch(s)
	if m == nil {
		return reference{}, constraint("functionName", s, "Member must satisfy regular expression pattern: %s", namePattern)
	}
	return reference{m[1], m[2], m[3], m[4]}, checkLength(m[3])
}

func checkLength(name string) error {
	if len(name) > 64 {
		return constraint("functionName", name, "Member must have length less than or equal to 64")
	}
	return nil
}

// identity names a function: it is also its key in the store.
type identity struct{ Account, Region, Name string }

func (id identity) arn() string {
	return aws.ARN{Service: "lambda", Region: id.Region, Account: id.Account, Resource: "function:" + id.Name}.String()
}

func (id identity) key() store.Key {
	return store.K(store.TableFunction, "function", id.Account, id.Region, id.Name)
}

// target is the function that a request's member names, with the qualifier of the name or of the request. Call has seen
// to it that account and region are the request's.
func target(c *service.Context, name, qualifier string) (id identity, q string, err error) {
	if name == "" {
		return id, "", constraint("functionName", nil, "Member must not be null")
	}
	r, err := parseName(name)
	if err != nil {
		return id, "", err
	}
	if r.Qualifier != "" && qualifier != "" && r.Qualifier != qualifier {
		return id, "", invalid("The derived qualifier from the function name does not match the specified qualifier.")
	}
	if qualifier == "" {
		qualifier = r.Qualifier
	}
	return identity{c.Account, c.Region, r.Name}, qualifier, nil
}

// Call runs one operation. A function whose ARN names another account or region is looked for there, and, if nothing
// is there, in the caller's own: applications carry ARNs of the account that they were written in.
func (s *Service) Call(ctx context.Context, r *aws.Request) (*aws.Output, error) {
	if bytes.Contains(r.Input, []byte(":lambda:")) || bytes.Contains(r.Input, []byte(":function:")) {
		var in struct{ FunctionName, Resource string }
		if json.Unmarshal(r.Input, &in) == nil {
			name := in.FunctionName
			if name == "" {
				name = in.Resource
			}
			var err error
			if r, err = s.owner(ctx, r, name); err != nil {
				return nil, service.Wire(err)
			}
		}
	}
	return s.Service.Call(ctx, r)
}

func (s *Service) owner(ctx context.Context, r *aws.Request, name string) (*aws.Request, error) {
	ref, err := parseName(name)
	if err != nil || ref.Account == "" && ref.Region == "" {
		return r, nil
	}
	there := *r
	if ref.Account != "" {
		there.Account = ref.Account
	}
	if ref.Region != "" {
		there.Region = ref.Region
	}
	if there.Account == r.Account && there.Region == r.Region || s.cfg.StrictARNs {
		return &there, nil
	}
	_, err = s.load(ctx, identity{there.Account, there.Region, ref.Name})
	if err == nil {
		return &there, nil
	}
	if err != errNoSuchFunction {
		return nil, err
	}
	return r, nil
}
