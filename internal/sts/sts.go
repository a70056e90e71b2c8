// Package sts is AWS Security Token Service. It keeps nothing: credentials carry what has to be known about them
// (credentials.go), and no permission is checked.
//
// AssumeRole follows the rule for foreign ARNs: the role's own account if it has such a role here, else the caller's if
// it has one of that name. A role that exists nowhere may be assumed too; its session belongs to the account that the ARN
// names.
package sts

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
)

// New makes the service.
func New(env *service.Env) *service.Service {
	return service.New("sts", env, []service.Operation{
		{Name: "GetCallerIdentity", Do: getCallerIdentity},
		{Name: "AssumeRole", Do: assumeRole},
		{Name: "AssumeRoleWithWebIdentity", Do: assumeRoleWithWebIdentity},
		{Name: "GetSessionToken", Do: getSessionToken},
		{Name: "GetAccessKeyInfo", Do: getAccessKeyInfo},
	})
}

func fault(shape, code, format string, args ...any) *aws.Error {
	e := aws.Errorf(shape, format, args...)
	e.QueryCode = code
	return e
}

func constraint(value any, member, text string) *aws.Error {
	return aws.Errorf("ValidationError", "1 validation error detected: Value %v at '%s' failed to satisfy constraint: %s", value, member, text)
}

func getCallerIdentity(_ context.Context, c *service.Context) (*aws.Output, error) {
	arn, account := c.Principal, c.Account
	if a, ok := aws.ParseARN(arn); ok {
		account = a.Account
	} else {
		arn = aws.ARN{Service: "iam", Account: account, Resource: "root"}.String()
	}
	return service.Answer(map[string]any{"UserId": aws.PrincipalID(c.Principal, account), "Account": account, "Arn": arn}), nil
}

type assumeInput struct {
	RoleArn, RoleSessionName, SourceIdentity, WebIdentityToken string
	DurationSeconds                                            *int64
}

var sessionName = aws.Lazy(`^[\w+=,.@-]{2,64}$`)

const assumeSecondsMax = 43200

// duration checks and defaults a DurationSeconds member.
func duration(seconds *int64, def, most int64) (time.Duration, error) {
	n := def
	if seconds != nil {
		n = *seconds
	}
	switch {
	case n < 900:
		return 0, constraint(n, "durationSeconds", "Member must have value greater than or equal to 900")
	case n > most:
		return 0, constraint(n, "durationSeconds", fmt.Sprintf("Member must have value less than or equal to %d", most))
	}
	return time.Duration(n) * time.Second, nil
}

// assume answers both ways to assume a role with what they have in common.
func assume(ctx context.Context, c *service.Context, in *assumeInput) (map[string]any, error) {
	arn, ok := aws.ParseARN(in.RoleArn)
	path, isRole := strings.CutPrefix(arn.Resource, "role/")
	switch {
	case in.RoleArn == "":
		return nil, constraint("null", "roleArn", "Member must not be null")
	case !ok || arn.Service != "iam" || !isRole || !accountID.MatchString(arn.Account):
		return nil, aws.Errorf("ValidationError", "%s is invalid", in.RoleArn)
	case in.RoleSessionName == "":
		return nil, constraint("null", "roleSessionName", "Member must not be null")
	case !sessionName.MatchString(in.RoleSessionName):
		return nil, constraint("'"+in.RoleSessionName+"'", "roleSessionName", `Member must satisfy regular expression pattern: [\w+=,.@-]*`)
	}
	valid, err := duration(in.DurationSeconds, 3600, assumeSecondsMax)
	if err != nil {
		return nil, err
	}
	name := path[strings.LastIndexByte(path, '/')+1:]
	account, longest, err := findRole(ctx, c, arn.Account, name)
	if err != nil {
		return nil, err
	}
	if longest > 0 && valid > longest {
		return nil, aws.Errorf("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	principal := aws.ARN{Service: "sts", Account: account, Resource: "assumed-role/" + name + "/" + in.RoleSessionName}.String()
	keys, err := issue(account, principal, c.Now.Add(valid))
	if err != nil {
		return nil, err
	}
	out := map[string]any{"Credentials": keys,
		"AssumedRoleUser": map[string]any{"AssumedRoleId": aws.PrincipalID(principal, account), "Arn": principal}}
	if in.SourceIdentity != "" {
		out["SourceIdentity"] = in.SourceIdentity
	}
	return out, nil
}

// findRole looks for a role in its account, then in the caller's. longest is its MaxSessionDuration, 0 if it exists
// nowhere.
func findRole(ctx context.Context, c *service.Context, account, name string) (in string, longest time.Duration, err error) {
	input, err := json.Marshal(map[string]string{"RoleName": name})
	if err != nil {
		return "", 0, err
	}
	for _, in := range []string{account, c.Account} {
		out, err := c.Env.Caller.Call(ctx, &aws.Request{Service: "iam", Operation: "GetRole", Account: in, Region: c.Region, Input: input})
		var answer *aws.Error
		if errors.As(err, &answer) && answer.Code == "NoSuchEntityException" {
			continue
		}
		if err != nil {
			return "", 0, err
		}
		text, err := service.Marshal(out.Value)
		if err != nil {
			return "", 0, err
		}
		var got struct {
			Role struct{ MaxSessionDuration int64 }
		}
		if err := json.Unmarshal(text, &got); err != nil {
			return "", 0, err
		}
		return in, time.Duration(got.Role.MaxSessionDuration) * time.Second, nil
	}
	return account, 0, nil
}

func assumeRole(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in assumeInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	out, err := assume(ctx, c, &in)
	if err != nil {
		return nil, err
	}
	return service.Answer(out), nil
}

// assumeRoleWithWebIdentity takes every JSON web token at its word: the signature is not checked.
func assumeRoleWithWebIdentity(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in assumeInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	parts := strings.Split(in.WebIdentityToken, ".")
	var claims struct {
		Sub, Iss string
		Aud      any
	}
	notJWT := fault("InvalidIdentityTokenException", "InvalidIdentityToken", "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
	if len(parts) != 3 {
		return nil, notJWT
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		return nil, notJWT
	}
	out, err := assume(ctx, c, &in)
	if err != nil {
		return nil, err
	}
	out["SubjectFromWebIdentityToken"], out["Provider"] = claims.Sub, claims.Iss
	switch aud := claims.Aud.(type) {
	case string:
		out["Audience"] = aud
	case []any:
		if len(aud) > 0 {
			out["Audience"] = fmt.Sprint(aud[0])
		}
	}
	return service.Answer(out), nil
}

func getSessionToken(_ context.Context, c *service.Context) (*aws.Output, error) {
	var in struct{ DurationSeconds *int64 }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	valid, err := duration(in.DurationSeconds, assumeSecondsMax, 129600)
	if err != nil {
		return nil, err
	}
	keys, err := issue(c.Account, c.Principal, c.Now.Add(valid))
	if err != nil {
		return nil, err
	}
	return service.Answer(map[string]any{"Credentials": keys}), nil
}

func getAccessKeyInfo(_ context.Context, c *service.Context) (*aws.Output, error) {
	var in struct{ AccessKeyID string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	account, ok := accountOf(in.AccessKeyID)
	switch {
	case ok:
	case accountID.MatchString(in.AccessKeyID):
		account = in.AccessKeyID
	default:
		return nil, constraint("'"+in.AccessKeyID+"'", "accessKeyId", "Member must be the id of an access key that carries its account")
	}
	return service.Answer(map[string]any{"Account": account}), nil
}
