package sts

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
)

type object = map[string]any

// call performs an operation; roles are the names that IAM knows, by account.
func call(t *testing.T, r *aws.Request, in object, roles map[string]string) (object, error) {
	t.Helper()
	iam := aws.CallerFunc(func(_ context.Context, r *aws.Request) (*aws.Output, error) {
		var in struct{ RoleName string }
		if err := json.Unmarshal(r.Input, &in); err != nil {
			return nil, err
		}
		if r.Service+":"+r.Operation != "iam:GetRole" || roles[r.Account] != in.RoleName {
			return nil, aws.Errorf("NoSuchEntityException", "none")
		}
		return &aws.Output{Value: object{"Role": object{"MaxSessionDuration": 3600}}}, nil
	})
	s := New(&service.Env{Caller: iam, Now: func() time.Time { return time.Unix(1_700_000_000, 0) }})
	r.Service, r.Region = "sts", "us-east-1"
	if r.Account == "" {
		r.Account = "000000000000"
	}
	var err error
	if r.Input, err = json.Marshal(in); err != nil {
		t.Fatal(err)
	}
	out, err := s.Call(t.Context(), r)
	if err != nil {
		return nil, err
	}
	text, err := service.Marshal(out.Value)
	if err != nil {
		t.Fatal(err)
	}
	var o object
	return o, json.Unmarshal(text, &o)
}

func TestCallerIdentity(t *testing.T) {
	for _, c := range []struct{ principal, arn, id string }{
		{"", "arn:aws:iam::000000000000:root", "000000000000"},
		{"arn:aws:iam::111111111111:user/a/bob", "arn:aws:iam::111111111111:user/a/bob", aws.UniqueID("AIDA", "111111111111", "bob")},
		{"arn:aws:sts::111111111111:assumed-role/r/s", "arn:aws:sts::111111111111:assumed-role/r/s", aws.UniqueID("AROA", "111111111111", "r") + ":s"},
	} {
		out, err := call(t, &aws.Request{Operation: "GetCallerIdentity", Principal: c.principal}, nil, nil)
		if err != nil || out["Arn"] != c.arn || out["UserId"] != c.id || out["Account"] != strings.Split(c.arn, ":")[4] {
			t.Errorf("%s: %v %v", c.principal, out, err)
		}
	}
}

func TestAssumedCredentialsLeadBackToTheRole(t *testing.T) {
	const foreign = "304000509264"
	for _, c := range []struct {
		name    string
		roles   map[string]string
		account string
	}{
		{"the named account has it", map[string]string{foreign: "worker", "000000000000": "worker"}, foreign},
		{"only the caller has it", map[string]string{"000000000000": "worker"}, "000000000000"},
		{"nobody has it", nil, foreign},
	} {
		in := object{"RoleArn": "arn:aws:iam::" + foreign + ":role/path/worker", "RoleSessionName": "me", "SourceIdentity": "x"}
		out, err := call(t, &aws.Request{Operation: "AssumeRole"}, in, c.roles)
		if err != nil {
			t.Fatal(err)
		}
		principal := "arn:aws:sts::" + c.account + ":assumed-role/worker/me"
		keys := out["Credentials"].(object)
		account, got, ok := Identify(keys["AccessKeyId"].(string), keys["SessionToken"].(string))
		if !ok || account != c.account || got != principal {
			t.Errorf("%s: identified as %s %s %v", c.name, account, got, ok)
		}
		user := out["AssumedRoleUser"].(object)
		if user["Arn"] != principal || user["AssumedRoleId"] != aws.UniqueID("AROA", c.account, "worker")+":me" || out["SourceIdentity"] != "x" {
			t.Errorf("%s: %v", c.name, out)
		}
		if keys["Expiration"] != 1_700_003_600.0 || len(keys["AccessKeyId"].(string)) != 20 || len(keys["SecretAccessKey"].(string)) != 40 {
			t.Errorf("%s: credentials %v", c.name, keys)
		}
		info, err := call(t, &aws.Request{Operation: "GetAccessKeyInfo"}, object{"AccessKeyId": keys["AccessKeyId"]}, nil)
		if err != nil || info["Account"] != c.account {
			t.Errorf("%s: GetAccessKeyInfo %v %v", c.name, info, err)
		}
	}
}

func TestSessionTokenKeepsThePrincipal(t *testing.T) {
	const bob = "arn:aws:iam::999999999999:user/bob"
	out, err := call(t, &aws.Request{Operation: "GetSessionToken", Account: "999999999999", Principal: bob}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	keys := out["Credentials"].(object)
	id, token := keys["AccessKeyId"].(string), keys["SessionToken"].(string)
	if account, principal, ok := Identify(id, token); !ok || account != "999999999999" || principal != bob {
		t.Errorf("%s %s %v", account, principal, ok)
	}
	if account, principal, ok := Identify(id, ""); !ok || account != "999999999999" || principal != "" {
		t.Errorf("without token: %s %s %v", account, principal, ok)
	}
	if account, principal, ok := Identify(accessKeyID("000000000001"), token); !ok || account != "000000000001" || principal != "" {
		t.Errorf("with another account's token: %s %s %v", account, principal, ok)
	}
	for _, id := range []string{"AKIAIOSFODNN7EXAMPLE", "test", "", "123456789012", "NSIA", "NSIA0000000000000000"} {
		if account, _, ok := Identify(id, token); ok {
			t.Errorf("%s is taken for %s", id, account)
		}
	}
}

func TestWebIdentity(t *testing.T) {
	claims := base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"me","iss":"https://issuer","aud":["them"]}`))
	in := object{"RoleArn": "arn:aws:iam::000000000000:role/worker", "RoleSessionName": "me", "WebIdentityToken": "e30." + claims + ".x"}
	out, err := call(t, &aws.Request{Operation: "AssumeRoleWithWebIdentity"}, in, nil)
	if err != nil || out["SubjectFromWebIdentityToken"] != "me" || out["Audience"] != "them" || out["Provider"] != "https://issuer" {
		t.Errorf("%v %v", out, err)
	}
}

func TestRefusals(t *testing.T) {
	const arn = "arn:aws:iam::000000000000:role/worker"
	for _, c := range []struct {
		operation, code, text string
		in                    object
	}{
		{"AssumeRole", "ValidationError", "'roleArn'", object{"RoleSessionName": "me"}},
		{"AssumeRole", "ValidationError", "arn:aws:s3:::b is invalid", object{"RoleArn": "arn:aws:s3:::b", "RoleSessionName": "me"}},
		{"AssumeRole", "ValidationError", "'roleSessionName'", object{"RoleArn": arn, "RoleSessionName": "m e"}},
		{"AssumeRole", "ValidationError", "greater than or equal to 900", object{"RoleArn": arn, "RoleSessionName": "me", "DurationSeconds": 899}},
		{"AssumeRole", "ValidationError", "exceeds the MaxSessionDuration set for this role", object{"RoleArn": arn, "RoleSessionName": "me", "DurationSeconds": 3601}},
		{"AssumeRoleWithWebIdentity", "InvalidIdentityTokenException", "not a valid JWT", object{"RoleArn": arn, "RoleSessionName": "me", "WebIdentityToken": "x"}},
		{"GetSessionToken", "ValidationError", "less than or equal to 129600", object{"DurationSeconds": 129601}},
		{"GetAccessKeyInfo", "ValidationError", "accessKeyId", object{"AccessKeyId": "x"}},
		{"GetFederationToken", "NotImplemented", "sts:GetFederationToken", nil},
	} {
		_, err := call(t, &aws.Request{Operation: c.operation}, c.in, map[string]string{"000000000000": "worker"})
		var e *aws.Error
		if !errors.As(err, &e) || e.Code != c.code || !strings.Contains(e.Message, c.text) {
			t.Errorf("%s %v: %v", c.operation, c.in, err)
		}
	}
}
