package lambda

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// statement is a statement of a function's resource policy. The policy is kept and answered; nothing enforces it yet.
type statement struct {
	Sid       string
	Effect    string
	Principal any
	Action    string
	Resource  string
	Condition map[string]map[string]string `json:",omitempty"`
}

var accountRE = regexp.MustCompile(`^\d{12}$`)

func addPermission(c *service.Context, tx store.Tx) (any, error) {
	var in struct {
		named
		StatementId, Action, Principal, SourceArn, SourceAccount, PrincipalOrgID, EventSourceToken, FunctionUrlAuthType, RevisionId string //nolint:revive // AWS's names
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	for member, v := range map[string]string{"statementId": in.StatementId, "action": in.Action, "principal": in.Principal} {
		if v == "" {
			return nil, constraint(member, nil, "Member must not be null")
		}
	}
	f, err := findNamed(c, tx, in.named)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(f.Policy, func(s statement) bool { return s.Sid == in.StatementId }) {
		return nil, fail("ResourceConflictException", 409,
			"The statement id (%s) provided already exists. Please provide a new statement id, or remove the existing statement.", in.StatementId)
	}
	st := statement{Sid: in.StatementId, Effect: "Allow", Principal: principal(in.Principal), Action: in.Action, Resource: f.arn()}
	condition := func(operator, key, v string) {
		if v == "" {
			return
		}
		if st.Condition == nil {
			st.Condition = map[string]map[string]string{}
		}
		if st.Condition[operator] == nil {
			st.Condition[operator] = map[string]string{}
		}
		st.Condition[operator][key] = v
	}
	condition("ArnLike", "AWS:SourceArn", in.SourceArn)
	condition("StringEquals", "AWS:SourceAccount", in.SourceAccount)
	condition("StringEquals", "aws:PrincipalOrgID", in.PrincipalOrgID)
	condition("StringEquals", "lambda:EventSourceToken", in.EventSourceToken)
	condition("StringEquals", "lambda:FunctionUrlAuthType", in.FunctionUrlAuthType)
	f.Policy = append(f.Policy, st)
	f.PolicyRevisionID = newID()
	b, err := service.Marshal(st)
	if err != nil {
		return nil, err
	}
	return map[string]string{"Statement": string(b)}, put(tx, f)
}

func principal(p string) any {
	switch {
	case p == "*":
		return p
	case accountRE.MatchString(p):
		return map[string]string{"AWS": "arn:aws:iam::" + p + ":root"}
	case strings.HasPrefix(p, "arn:"):
		return map[string]string{"AWS": p}
	}
	return map[string]string{"Service": p}
}

func removePermission(c *service.Context, tx store.Tx) (any, error) {
	var in struct {
		named
		StatementId string //nolint:revive // AWS's name
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	f, err := findNamed(c, tx, in.named)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(f.Policy, func(s statement) bool { return s.Sid == in.StatementId })
	if len(f.Policy) == 0 {
		return nil, fail("ResourceNotFoundException", 404, "No policy is associated with the given resource.")
	}
	if i < 0 {
		return nil, fail("ResourceNotFoundException", 404, "Statement %s is not found in resource policy.", in.StatementId)
	}
	f.Policy = slices.Delete(f.Policy, i, i+1)
	f.PolicyRevisionID = newID()
	return nil, put(tx, f)
}

func getPolicy(c *service.Context, rd store.Reader) (any, error) {
	f, err := find(c, rd)
	if err != nil {
		return nil, err
	}
	if len(f.Policy) == 0 {
		return nil, fail("ResourceNotFoundException", 404, "The resource you requested does not exist.")
	}
	b, err := service.Marshal(struct {
		Version   string
		Id        string //nolint:revive // AWS's name
		Statement []statement
	}{"2012-10-17", "default", f.Policy})
	if err != nil {
		return nil, err
	}
	return map[string]string{"Policy": string(b), "RevisionId": f.PolicyRevisionID}, nil
}

type tagInput struct {
	Resource string
	Tags     map[string]string
	TagKeys  []string
}

func tagged(c *service.Context, rd store.Reader) (*record, *tagInput, error) {
	in := new(tagInput)
	if err := service.Decode(c.Request, in); err != nil {
		return nil, nil, err
	}
	f, err := findNamed(c, rd, named{FunctionName: in.Resource})
	return f, in, err
}

func tagResource(c *service.Context, tx store.Tx) (any, error) {
	f, in, err := tagged(c, tx)
	if err != nil {
		return nil, err
	}
	if f.Tags == nil {
		f.Tags = map[string]string{}
	}
	for k, v := range in.Tags {
		f.Tags[k] = v
	}
	return nil, put(tx, f)
}

func untagResource(c *service.Context, tx store.Tx) (any, error) {
	f, in, err := tagged(c, tx)
	if err != nil {
		return nil, err
	}
	for _, k := range in.TagKeys {
		delete(f.Tags, k)
	}
	return nil, put(tx, f)
}

func listTags(c *service.Context, rd store.Reader) (any, error) {
	f, _, err := tagged(c, rd)
	if err != nil {
		return nil, err
	}
	tags := f.Tags
	if tags == nil {
		tags = map[string]string{}
	}
	return map[string]any{"Tags": tags}, nil
}

func putConcurrency(c *service.Context, tx store.Tx) (any, error) {
	var in struct {
		named
		ReservedConcurrentExecutions *int
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	f, err := findNamed(c, tx, in.named)
	switch n := in.ReservedConcurrentExecutions; {
	case err != nil:
		return nil, err
	case n == nil:
		return nil, constraint("reservedConcurrentExecutions", nil, "Member must not be null")
	case *n < 0:
		return nil, constraint("reservedConcurrentExecutions", *n, "Member must have value greater than or equal to 0")
	}
	f.Reserved = in.ReservedConcurrentExecutions
	return map[string]int{"ReservedConcurrentExecutions": *f.Reserved}, put(tx, f)
}

func getConcurrency(c *service.Context, rd store.Reader) (any, error) {
	f, err := find(c, rd)
	if err != nil || f.Reserved == nil {
		return json.RawMessage("{}"), err
	}
	return map[string]int{"ReservedConcurrentExecutions": *f.Reserved}, nil
}

func deleteConcurrency(c *service.Context, tx store.Tx) (any, error) {
	f, err := find(c, tx)
	if err != nil {
		return nil, err
	}
	f.Reserved = nil
	return nil, put(tx, f)
}
