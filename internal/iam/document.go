package iam

import (
	"encoding/json"
	"strconv"

	"github.com/newel-run/newel/internal/aws"
)

func itoa(n int) string { return strconv.Itoa(n) }

func malformed(text string) *aws.Error {
	return fault("MalformedPolicyDocumentException", "MalformedPolicyDocument", 400, "%s", text)
}

// oneOrMore decodes what policies may write as one value or as a list of values.
type oneOrMore []json.RawMessage

func (l *oneOrMore) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' {
		return json.Unmarshal(b, (*[]json.RawMessage)(l))
	}
	*l = oneOrMore{append(json.RawMessage(nil), b...)}
	return nil
}

type statement struct {
	Effect                                                            string
	Principal, NotPrincipal, Action, NotAction, Resource, NotResource json.RawMessage
}

// checkDocument validates the form of a policy document: of a role's trust (who may assume it) or of permissions.
func checkDocument(text string, trust bool) error {
	var document struct {
		Version   string
		Statement oneOrMore
	}
	var object map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &object) != nil {
		return malformed("This policy contains invalid Json")
	}
	if json.Unmarshal([]byte(text), &document) != nil || len(document.Statement) == 0 {
		return malformed("Syntax errors in policy.")
	}
	if v := document.Version; v != "" && v != "2012-10-17" && v != "2008-10-17" {
		return malformed("The policy must contain a valid version string")
	}
	for _, raw := range document.Statement {
		var s statement
		if json.Unmarshal(raw, &s) != nil {
			return malformed("Syntax errors in policy.")
		}
		if err := s.check(trust); err != nil {
			return err
		}
	}
	return nil
}

func (s *statement) check(trust bool) error {
	hasPrincipal, hasResource := s.Principal != nil || s.NotPrincipal != nil, s.Resource != nil || s.NotResource != nil
	switch {
	case s.Effect != "Allow" && s.Effect != "Deny":
		if s.Effect == "" {
			return malformed("Missing required field Effect")
		}
		return malformed("Invalid effect: " + s.Effect)
	case trust && hasResource:
		return malformed("Has prohibited field Resource")
	case trust && !hasPrincipal:
		return malformed("Missing required field Principal")
	case trust && s.Action == nil && s.NotAction == nil:
		return malformed("Missing required field Action")
	case trust:
		return nil
	case hasPrincipal:
		return malformed("Policy document should not specify a principal.")
	case s.Action == nil && s.NotAction == nil:
		return malformed("Policy statement must contain actions.")
	case !hasResource:
		return malformed("Policy statement must contain resources.")
	}
	return nil
}
