package iam

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store/memory"
)

type object = map[string]any

const (
	trust       = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	permissions = `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}}`
	basic       = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
)

type world struct {
	t testing.TB
	s *service.Service
}

func newWorld(t testing.TB) *world {
	return &world{t, New(&service.Env{Store: memory.New(memory.Options{Partitions: 8, RunTwice: true}), Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.Unix(1_700_000_000, 0) }})}
}

func (w *world) call(r *aws.Request, in object) (object, error) {
	input, err := json.Marshal(in)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Service, r.Account, r.Region, r.Input = "iam", "000000000000", "us-east-1", input
	out, err := w.s.Call(context.Background(), r)
	if err != nil {
		return nil, err
	}
	b, err := service.Marshal(out.Value)
	if err != nil {
		w.t.Fatal(err)
	}
	var o object
	return o, json.Unmarshal(b, &o)
}

func (w *world) do(operation string, in object) object {
	w.t.Helper()
	out, err := w.call(&aws.Request{Operation: operation}, in)
	if err != nil {
		w.t.Fatalf("%s %v: %v", operation, in, err)
	}
	return out
}

func (w *world) fails(operation string, in object, code string, status int, message string) {
	w.t.Helper()
	_, err := w.call(&aws.Request{Operation: operation}, in)
	var e *aws.Error
	if !errors.As(err, &e) {
		w.t.Fatalf("%s: got %v", operation, err)
	}
	got := e.QueryCode
	if got == "" {
		got = e.Code
	}
	if got != code || e.HTTPStatus() != status || !strings.Contains(e.Message, message) {
		w.t.Errorf("%s: got %s %d %q, want %s %d %q", operation, got, e.HTTPStatus(), e.Message, code, status, message)
	}
}

func (w *world) role(name string) object {
	return w.do("CreateRole", object{"RoleName": name, "AssumeRolePolicyDocument": trust})["Role"].(object)
}

func TestRole(t *testing.T) {
	w := newWorld(t)
	made := w.do("CreateRole", object{"RoleName": "Worker", "Path": "/a/b/", "AssumeRolePolicyDocument": trust, "Description": "does it",
		"MaxSessionDuration": 7200, "Tags": []object{{"Key": "k", "Value": "v"}}})["Role"].(object)
	want := object{"Path": "/a/b/", "RoleName": "Worker", "RoleId": made["RoleId"], "Arn": "arn:aws:iam::000000000000:role/a/b/Worker", "CreateDate": 1.7e9,
		"AssumeRolePolicyDocument": made["AssumeRolePolicyDocument"], "Description": "does it", "MaxSessionDuration": 7200.0, "Tags": []any{object{"Key": "k", "Value": "v"}}}
	if !reflect.DeepEqual(made, want) {
		t.Errorf("created\n%v, want\n%v", made, want)
	}
	if id := made["RoleId"].(string); !strings.HasPrefix(id, "AROA") || len(id) != 21 {
		t.Errorf("role id %s", id)
	}
	encoded := made["AssumeRolePolicyDocument"].(string)
	if plain, err := url.PathUnescape(encoded); err != nil || plain != trust || strings.ContainsAny(encoded, "{} \"+:/*") {
		t.Errorf("document %s", encoded)
	}
	want["RoleLastUsed"] = object{}
	if got := w.do("GetRole", object{"RoleName": "worker"})["Role"]; !reflect.DeepEqual(got, any(want)) {
		t.Errorf("got\n%v, want\n%v", got, want)
	}
	w.do("UpdateRole", object{"RoleName": "Worker", "MaxSessionDuration": 3600})
	w.do("UpdateAssumeRolePolicy", object{"RoleName": "Worker", "PolicyDocument": strings.ReplaceAll(trust, "lambda", "states")})
	w.do("TagRole", object{"RoleName": "Worker", "Tags": []object{{"Key": "k", "Value": "w"}, {"Key": "l", "Value": "x"}}})
	w.do("UntagRole", object{"RoleName": "Worker", "TagKeys": []string{"l"}})
	got := w.do("GetRole", object{"RoleName": "Worker"})["Role"].(object)
	if got["Description"] != "does it" || got["MaxSessionDuration"] != 3600.0 || !strings.Contains(got["AssumeRolePolicyDocument"].(string), "states.amazonaws.com") || fmt.Sprint(got["Tags"]) != "[map[Key:k Value:w]]" {
		t.Errorf("updated %v", got)
	}
	if out := w.do("ListInstanceProfilesForRole", object{"RoleName": "Worker"}); fmt.Sprint(out) != "map[InstanceProfiles:[] IsTruncated:false]" {
		t.Errorf("instance profiles %v", out)
	}
	w.fails("CreateRole", object{"RoleName": "WORKER", "AssumeRolePolicyDocument": trust}, "EntityAlreadyExists", 409, "Role with name WORKER already exists.")
	w.do("DeleteRole", object{"RoleName": "Worker"})
	w.fails("GetRole", object{"RoleName": "Worker"}, "NoSuchEntity", 404, "The role with name Worker cannot be found.")
	w.fails("DeleteRole", object{"RoleName": "Worker"}, "NoSuchEntity", 404, "The role with name Worker cannot be found.")
}

func TestRoleIsTheSameFromEveryRegion(t *testing.T) {
	w := newWorld(t)
	w.role("r")
	out, err := w.s.Call(t.Context(), &aws.Request{Service: "iam", Operation: "GetRole", Account: "000000000000", Region: "eu-west-1", Input: []byte(`{"RoleName":"r"}`)})
	if err != nil || out == nil {
		t.Error(err)
	}
	if _, err = w.s.Call(t.Context(), &aws.Request{Service: "iam", Operation: "GetRole", Account: "111111111111", Region: "us-east-1", Input: []byte(`{"RoleName":"r"}`)}); err == nil {
		t.Error("another account sees the role")
	}
}

func TestListsArePaged(t *testing.T) {
	w := newWorld(t)
	for _, n := range []string{"c", "A", "b"} {
		w.role(n)
	}
	w.do("CreateRole", object{"RoleName": "x", "Path": "/p/", "AssumeRolePolicyDocument": trust})
	var names []string
	in := object{"MaxItems": 3}
	for {
		out := w.do("ListRoles", in)
		for _, r := range out["Roles"].([]any) {
			names = append(names, r.(object)["RoleName"].(string))
		}
		if out["IsTruncated"] == false {
			break
		}
		in["Marker"] = out["Marker"]
	}
	if got := strings.Join(names, ""); got != "Abcx" {
		t.Errorf("names %s", got)
	}
	if list := w.do("ListRoles", object{"PathPrefix": "/p/"})["Roles"].([]any); len(list) != 1 {
		t.Errorf("under /p/: %v", list)
	}
}

func TestRolePolicies(t *testing.T) {
	w := newWorld(t)
	w.role("r")
	own := w.do("CreatePolicy", object{"PolicyName": "own", "PolicyDocument": permissions})["Policy"].(object)["Arn"].(string)
	w.do("AttachRolePolicy", object{"RoleName": "r", "PolicyArn": basic})
	w.do("AttachRolePolicy", object{"RoleName": "r", "PolicyArn": basic})
	w.do("AttachRolePolicy", object{"RoleName": "r", "PolicyArn": own})
	out := w.do("ListAttachedRolePolicies", object{"RoleName": "r"})
	if got := fmt.Sprint(out["AttachedPolicies"]); got != "[map[PolicyArn:"+basic+" PolicyName:AWSLambdaBasicExecutionRole] map[PolicyArn:"+own+" PolicyName:own]]" {
		t.Errorf("attached %s", got)
	}
	if n := w.do("GetPolicy", object{"PolicyArn": own})["Policy"].(object)["AttachmentCount"]; n != 1.0 {
		t.Errorf("attachments %v", n)
	}
	w.fails("AttachRolePolicy", object{"RoleName": "r", "PolicyArn": own + "x"}, "NoSuchEntity", 404, "does not exist or is not attachable.")
	w.fails("AttachRolePolicy", object{"RoleName": "r", "PolicyArn": "nonsense"}, "InvalidInput", 400, "ARN nonsense is not valid.")
	w.fails("DeletePolicy", object{"PolicyArn": own}, "DeleteConflict", 409, "Cannot delete a policy attached to entities.")
	w.do("PutRolePolicy", object{"RoleName": "r", "PolicyName": "in", "PolicyDocument": permissions})
	got := w.do("GetRolePolicy", object{"RoleName": "r", "PolicyName": "in"})
	if plain, _ := url.PathUnescape(got["PolicyDocument"].(string)); plain != permissions || got["RoleName"] != "r" {
		t.Errorf("inline %v", got)
	}
	w.fails("GetRolePolicy", object{"RoleName": "r", "PolicyName": "no"}, "NoSuchEntity", 404, "The role policy with name no cannot be found.")
	w.fails("DeleteRole", object{"RoleName": "r"}, "DeleteConflict", 409, "Cannot delete entity, must detach all policies first.")
	w.do("DetachRolePolicy", object{"RoleName": "r", "PolicyArn": basic})
	w.do("DetachRolePolicy", object{"RoleName": "r", "PolicyArn": own})
	w.fails("DetachRolePolicy", object{"RoleName": "r", "PolicyArn": own}, "NoSuchEntity", 404, "was not found.")
	w.fails("DeleteRole", object{"RoleName": "r"}, "DeleteConflict", 409, "Cannot delete entity, must delete policies first.")
	if out := w.do("ListRolePolicies", object{"RoleName": "r"}); fmt.Sprint(out["PolicyNames"]) != "[in]" {
		t.Errorf("inline names %v", out)
	}
	w.do("DeleteRolePolicy", object{"RoleName": "r", "PolicyName": "in"})
	w.do("DeleteRole", object{"RoleName": "r"})
	w.do("DeletePolicy", object{"PolicyArn": own})
}

func TestPolicyVersions(t *testing.T) {
	w := newWorld(t)
	p := w.do("CreatePolicy", object{"PolicyName": "p", "Path": "/x/", "PolicyDocument": permissions, "Description": "d"})["Policy"].(object)
	arn := p["Arn"].(string)
	if arn != "arn:aws:iam::000000000000:policy/x/p" || p["DefaultVersionId"] != "v1" || !strings.HasPrefix(p["PolicyId"].(string), "ANPA") {
		t.Errorf("policy %v", p)
	}
	w.fails("CreatePolicy", object{"PolicyName": "p", "PolicyDocument": permissions}, "EntityAlreadyExists", 409, "A policy called p already exists. Duplicate names are not allowed.")
	w.do("CreatePolicyVersion", object{"PolicyArn": arn, "PolicyDocument": strings.ReplaceAll(permissions, "sqs", "sns"), "SetAsDefault": true})
	v := w.do("GetPolicyVersion", object{"PolicyArn": arn, "VersionId": "v2"})["PolicyVersion"].(object)
	if v["IsDefaultVersion"] != true || !strings.Contains(v["Document"].(string), "sns") {
		t.Errorf("version %v", v)
	}
	w.fails("GetPolicyVersion", object{"PolicyArn": arn, "VersionId": "v3"}, "NoSuchEntity", 404, "version v3 does not exist")
	w.fails("DeletePolicyVersion", object{"PolicyArn": arn, "VersionId": "v2"}, "DeleteConflict", 409, "Cannot delete the default version of a policy.")
	w.fails("DeletePolicy", object{"PolicyArn": arn}, "DeleteConflict", 409, "This policy has more than one version.")
	w.do("DeletePolicyVersion", object{"PolicyArn": arn, "VersionId": "v1"})
	for range 4 {
		w.do("CreatePolicyVersion", object{"PolicyArn": arn, "PolicyDocument": permissions})
	}
	w.fails("CreatePolicyVersion", object{"PolicyArn": arn, "PolicyDocument": permissions}, "LimitExceeded", 409, "up to 5 versions")
	list := w.do("ListPolicyVersions", object{"PolicyArn": arn})["Versions"].([]any)
	if len(list) != 5 || list[0].(object)["VersionId"] != "v6" {
		t.Errorf("versions %v", list)
	}
	if list := w.do("ListPolicies", object{"Scope": "Local", "OnlyAttached": true})["Policies"].([]any); len(list) != 0 {
		t.Errorf("attached policies %v", list)
	}
	if list := w.do("ListPolicies", object{"Scope": "Local"})["Policies"].([]any); len(list) != 1 {
		t.Errorf("policies %v", list)
	}
}

func TestMalformedDocuments(t *testing.T) {
	w := newWorld(t)
	w.role("r")
	for _, c := range []struct{ document, text string }{
		{`{`, "This policy contains invalid Json"},
		{`{}`, "Syntax errors in policy."},
		{`{"Version":"2020-01-01","Statement":[{}]}`, "valid version string"},
		{`{"Statement":[{"Principal":"*","Action":"sts:AssumeRole"}]}`, "Missing required field Effect"},
		{`{"Statement":[{"Effect":"Allow","Action":"sts:AssumeRole"}]}`, "Missing required field Principal"},
		{`{"Statement":[{"Effect":"Allow","Principal":"*"}]}`, "Missing required field Action"},
		{permissions, "Has prohibited field Resource"},
	} {
		w.fails("CreateRole", object{"RoleName": "x", "AssumeRolePolicyDocument": c.document}, "MalformedPolicyDocument", 400, c.text)
	}
	for _, c := range []struct{ document, text string }{
		{"x", "This policy contains invalid Json"},
		{trust, "Policy document should not specify a principal."},
		{`{"Statement":{"Effect":"Allow","Resource":"*"}}`, "Policy statement must contain actions."},
		{`{"Statement":{"Effect":"Allow","Action":"*"}}`, "Policy statement must contain resources."},
	} {
		w.fails("PutRolePolicy", object{"RoleName": "r", "PolicyName": "p", "PolicyDocument": c.document}, "MalformedPolicyDocument", 400, c.text)
	}
	w.fails("CreateRole", object{"RoleName": "a b", "AssumeRolePolicyDocument": trust}, "ValidationError", 400, "The specified value for roleName is invalid.")
	w.fails("CreateRole", object{"RoleName": "x", "Path": "p", "AssumeRolePolicyDocument": trust}, "ValidationError", 400, "path")
	w.fails("CreateRole", object{"RoleName": "x", "MaxSessionDuration": 60, "AssumeRolePolicyDocument": trust}, "ValidationError", 400, "greater than or equal to 3600")
}

func TestUsers(t *testing.T) {
	w := newWorld(t)
	u := w.do("CreateUser", object{"UserName": "bob", "Path": "/team/"})["User"].(object)
	if u["Arn"] != "arn:aws:iam::000000000000:user/team/bob" || !strings.HasPrefix(u["UserId"].(string), "AIDA") {
		t.Errorf("user %v", u)
	}
	w.fails("CreateUser", object{"UserName": "bob"}, "EntityAlreadyExists", 409, "User with name bob already exists.")
	w.fails("GetUser", object{"UserName": "eve"}, "NoSuchEntity", 404, "The user with name eve cannot be found.")
	root := w.do("GetUser", nil)["User"].(object)
	if root["Arn"] != "arn:aws:iam::000000000000:root" || root["UserId"] != "000000000000" {
		t.Errorf("root %v", root)
	}
	me, err := w.call(&aws.Request{Operation: "GetUser", Principal: "arn:aws:iam::000000000000:user/team/bob"}, nil)
	if err != nil || me["User"].(object)["UserId"] != u["UserId"] {
		t.Errorf("a user about itself: %v %v", me, err)
	}
	if list := w.do("ListUsers", nil)["Users"].([]any); len(list) != 1 {
		t.Errorf("users %v", list)
	}
	w.do("DeleteUser", object{"UserName": "bob"})
	w.fails("GetUser", object{"UserName": "bob"}, "NoSuchEntity", 404, "bob")
}
