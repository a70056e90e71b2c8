package states

import (
	"errors"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

func appendInt(b []byte, n int64) []byte { return strconv.AppendInt(b, n, 10) }

// name is an ARN of Step Functions taken apart: arn:P:states:R:A:TYPE:REST.
type name struct {
	aws.ARN
	Type string   // "stateMachine", "execution", "express", "activity", "mapRun"
	Tail []string // what follows the type, split at ":"
}

func invalidARN(format string, args ...any) *aws.Error {
	e := aws.Errorf("InvalidArn", format, args...)
	e.Message = "Invalid Arn: '" + e.Message + "'"
	return e
}

// parse takes an ARN apart, or answers AWS's InvalidArn.
func parse(s string) (name, error) {
	if !strings.HasPrefix(s, "arn:") {
		return name{}, invalidARN("Invalid ARN prefix: %s", s)
	}
	a, ok := aws.ParseARN(s)
	if !ok || a.Service != "states" {
		return name{}, invalidARN("Invalid ARN prefix: %s", s)
	}
	parts := strings.Split(a.Resource, ":")
	if len(parts) < 2 || parts[1] == "" {
		return name{}, invalidARN("Resource type not valid in this context: %s", parts[0])
	}
	return name{ARN: a, Type: parts[0], Tail: parts[1:]}, nil
}

// parseType takes an ARN apart that must be of a type.
func parseType(s, want string) (name, error) {
	n, err := parse(s)
	if err == nil && n.Type != want {
		err = invalidARN("Resource type not valid in this context: %s", n.Type)
	}
	return n, err
}

// machineARN is the unqualified ARN of the machine that a state machine, version or alias ARN names.
func (n name) machineARN() string {
	a := n.ARN
	a.Resource = "stateMachine:" + n.Tail[0]
	return a.String()
}

// qualifier is the version number or alias name of a state machine ARN, "" if it has none.
func (n name) qualifier() string {
	if len(n.Tail) > 1 {
		return n.Tail[1]
	}
	return ""
}

func newARN(r *aws.Request, resource string) string {
	return aws.ARN{Service: "states", Region: r.Region, Account: r.Account, Resource: resource}.String()
}

// checkName applies the rules for names of machines, executions and activities.
func checkName(s string) error {
	bad := s == "" || utf8.RuneCountInString(s) > 80
	for _, c := range s {
		bad = bad || unicode.IsSpace(c) || strings.ContainsRune("<>{}[]?*\"#%\\^|~`$&,;:/", c) ||
			c < 0x20 || c >= 0x7f && c <= 0x9f || c == 0xfffe || c == 0xffff || c == utf8.RuneError
	}
	if bad {
		return aws.Errorf("InvalidName", "Invalid Name: '%s'", s)
	}
	return nil
}

// Keys of rows: the text that is hashed into a partition.

func machineByName(r *aws.Request) (string, error) {
	var in struct{ Name string }
	if err := service.Decode(r, &in); err != nil {
		return "", err
	}
	return newARN(r, "stateMachine:"+in.Name), nil
}

func machineByARN(r *aws.Request) (string, error) {
	var in struct{ StateMachineArn string }
	if err := service.Decode(r, &in); err != nil {
		return "", err
	}
	n, err := parseType(in.StateMachineArn, "stateMachine")
	if err != nil {
		return "", err
	}
	return n.machineARN(), nil
}

func resourceByARN(r *aws.Request) (string, error) {
	var in struct{ ResourceArn string }
	if err := service.Decode(r, &in); err != nil {
		return "", err
	}
	n, err := parse(in.ResourceArn)
	if err != nil {
		return "", err
	}
	if n.Type == "stateMachine" {
		return n.machineARN(), nil
	}
	return in.ResourceArn, nil
}

// wire turns an engine's or the store's error into the API's.
func wire(err error) error {
	var refused *service.KeyError
	switch {
	case errors.As(err, &refused):
		return keyFault(refused.Cause)
	case errors.Is(err, engine.ErrToken):
		return aws.Errorf("InvalidToken", "Invalid Token: 'Invalid token'")
	case errors.Is(err, store.ErrFull):
		return service.Wire(err)
	}
	return service.Wire(err)
}
