package lambda

import (
	"regexp"
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/aws"
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
	f, q, err := findNamed(c, tx, in.named)
	if err != nil {
		return nil, err
	}
	if in.Qualifier == latest {
		return nil, invalid("We currently do not support adding policies for $LATEST.")
	}
	to := f.attach(q)
	if slices.ContainsFunc(to.Policy, func(s statement) bool { return s.Sid == in.StatementId }) {
		return nil, fail("ResourceConflictException", 409,
			"The statement id (%s) provided already exists. Please provide a new statement id, or remove the existing statement.", in.StatementId)
	}
	st := statement{Sid: in.StatementId, Effect: "Allow", Principal: principal(in.Principal), Action: in.Action, Resource: qualify(f.arn(), q)}
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
	to.Policy = append(to.Policy, st)
	to.PolicyRevisionID = aws.NewUUID()
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
	f, q, err := findNamed(c, tx, in.named)
	if err != nil {
		return nil, err
	}
	from := f.attach(q)
	i := slices.IndexFunc(from.Policy, func(s statement) bool { return s.Sid == in.StatementId })
	if len(from.Policy) == 0 {
		return nil, fail("ResourceNotFoundException", 404, "No policy is associated with the given resource.")
	}
	if i < 0 {
		return nil, fail("ResourceNotFoundException", 404, "Statement %s is not found in resource policy.", in.StatementId)
	}
	from.Policy = slices.Delete(from.Policy, i, i+1)
	from.PolicyRevisionID = aws.NewUUID()
	return nil, put(tx, f)
}

func getPolicy(c *service.Context, rd store.Reader) (any, error) {
	f, q, err := find(c, rd)
	if err != nil {
		return nil, err
	}
	a := f.at(q)
	if len(a.Policy) == 0 {
		return nil, fail("ResourceNotFoundException", 404, "The resource you requested does not exist.")
	}
	b, err := service.Marshal(struct {
		Version   string
		Id        string //nolint:revive // AWS's name
		Statement []statement
	}{"2012-10-17", "default", a.Policy})
	if err != nil {
		return nil, err
	}
	return map[string]string{"Policy": string(b), "RevisionId": a.PolicyRevisionID}, nil
}
