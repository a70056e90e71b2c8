package ssm_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/kms"
	"github.com/newel-run/newel/internal/kms/envelope"
	"github.com/newel-run/newel/internal/service/servicetest"
	"github.com/newel-run/newel/internal/ssm"
	"github.com/newel-run/newel/internal/store"
)

type object = servicetest.Object

// world is the Parameter Store beside KMS.
type world struct {
	*servicetest.Client
	t     *testing.T
	store store.Store
	kms   aws.Caller
}

func newWorld(t *testing.T) *world {
	now := func() time.Time { return time.Unix(1_700_000_000, 0) }
	env := servicetest.Env(now)
	w := &world{t: t, store: env.Store}
	t.Cleanup(func() { w.store.Close() })
	vault := envelope.New(aws.CallerFunc(func(ctx context.Context, r *aws.Request) (*aws.Output, error) { return w.kms.Call(ctx, r) }), now)
	env.Vault = vault
	w.kms = kms.New(env, kms.Config{Master: kms.NewMaster(), Changed: vault.Forget})
	w.Client = &servicetest.Client{T: t, Service: "ssm", Caller: ssm.New(env)}
	return w
}

func (w *world) put(name, kind, value string) {
	w.t.Helper()
	w.Do("PutParameter", object{"Name": name, "Type": kind, "Value": value})
}

// names lists what an operation gives, page by page.
func (w *world) names(operation string, in object) (out []string) {
	w.t.Helper()
	for {
		got := w.Do(operation, in)
		for _, p := range got["Parameters"].([]any) {
			out = append(out, p.(object)["Name"].(string))
		}
		if got["NextToken"] == nil {
			return out
		}
		in["NextToken"] = got["NextToken"]
	}
}

func TestVersionsAndLabels(t *testing.T) {
	w := newWorld(t)
	w.put("/app/port", "String", "1")
	w.Fails("PutParameter", object{"Name": "/app/port", "Type": "String", "Value": "2"}, "ParameterAlreadyExists", "set the overwrite option")
	if got := w.Do("PutParameter", object{"Name": "/app/port", "Value": "2", "Overwrite": true}); got["Version"] != 2.0 || got["Tier"] != "Standard" {
		t.Errorf("put answered %v", got)
	}
	w.Fails("PutParameter", object{"Name": "/app/port", "Type": "SecureString", "Value": "2", "Overwrite": true}, "HierarchyTypeMismatchException", "")
	w.Do("LabelParameterVersion", object{"Name": "/app/port", "ParameterVersion": 1, "Labels": []string{"live"}})
	arn := "arn:aws:ssm:us-east-1:000000000000:parameter/app/port"
	for name, want := range map[string]string{"/app/port": "2", "/app/port:1": "1", "/app/port:2": "2", "/app/port:live": "1", arn: "2", arn + ":1": "1"} {
		p := w.Do("GetParameter", object{"Name": name})["Parameter"].(object)
		if p["Value"] != want || p["ARN"] != arn || p["Name"] != "/app/port" {
			t.Errorf("%s is %v", name, p)
		}
	}
	w.Do("LabelParameterVersion", object{"Name": "/app/port", "Labels": []string{"live", "2bad"}})
	if p := w.Do("GetParameter", object{"Name": "/app/port:live"})["Parameter"].(object); p["Value"] != "2" || p["Selector"] != ":live" {
		t.Errorf("the label did not move: %v", p)
	}
	w.Fails("GetParameter", object{"Name": "/app/port:9"}, "ParameterVersionNotFound", "could not find version 9 of /app/port")
	w.Fails("GetParameter", object{"Name": "none"}, "ParameterNotFound", "")
	if got := w.Do("GetParameters", object{"Names": []string{"/app/port", "none", "/app/port:9"}}); len(got["Parameters"].([]any)) != 1 || len(got["InvalidParameters"].([]any)) != 2 {
		t.Errorf("got %v", got)
	}
	h := w.Do("GetParameterHistory", object{"Name": "/app/port", "MaxResults": 1})
	rest := w.Do("GetParameterHistory", object{"Name": "/app/port", "NextToken": h["NextToken"]})["Parameters"].([]any)
	if len(rest) != 1 || rest[0].(object)["Value"] != "2" || rest[0].(object)["Labels"].([]any)[0] != "live" {
		t.Errorf("history %v, then %v", h, rest)
	}
	w.Do("DeleteParameter", object{"Name": "/app/port"})
	w.put("/app/port", "String", "new")
	w.Fails("GetParameter", object{"Name": "/app/port:2"}, "ParameterVersionNotFound", "")
}

func TestOldestVersionGoes(t *testing.T) {
	w := newWorld(t)
	for i := range 101 {
		w.Do("PutParameter", object{"Name": "p", "Type": "String", "Value": fmt.Sprint(i + 1), "Overwrite": true})
	}
	w.Fails("GetParameter", object{"Name": "p:1"}, "ParameterVersionNotFound", "")
	w.Do("LabelParameterVersion", object{"Name": "p", "ParameterVersion": 2, "Labels": []string{"keep"}})
	w.Fails("PutParameter", object{"Name": "p", "Value": "x", "Overwrite": true}, "ParameterMaxVersionLimitExceeded", "Version 2, the oldest version")
}

func TestPaths(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"/a/b/c", "/a/d", "/a/e", "/ab/x", "flat", "/a/b/f/g"} {
		w.put(name, "String", "v")
	}
	for _, c := range []struct {
		in   object
		want string
	}{
		{object{"Path": "/a"}, "/a/d /a/e"},
		{object{"Path": "/a/", "Recursive": true, "MaxResults": 2}, "/a/b/c /a/b/f/g /a/d /a/e"},
		{object{"Path": "/", "Recursive": true}, "/a/b/c /a/b/f/g /a/d /a/e /ab/x"},
		{object{"Path": "/none"}, ""},
	} {
		if got := strings.Join(w.names("GetParametersByPath", c.in), " "); got != c.want {
			t.Errorf("%v: %s, want %s", c.in, got, c.want)
		}
	}
	w.Do("AddTagsToResource", object{"ResourceType": "Parameter", "ResourceId": "flat", "Tags": []object{{"Key": "team", "Value": "x"}}})
	for _, c := range []struct {
		in   object
		want string
	}{
		{object{"MaxResults": 4}, "/a/b/c /a/b/f/g /a/d /a/e /ab/x flat"},
		{object{"ParameterFilters": []object{{"Key": "Name", "Option": "BeginsWith", "Values": []string{"/a/b"}}}}, "/a/b/c /a/b/f/g"},
		{object{"ParameterFilters": []object{{"Key": "Path", "Option": "OneLevel", "Values": []string{"/a"}}}}, "/a/d /a/e"},
		{object{"ParameterFilters": []object{{"Key": "tag:team", "Values": []string{"x"}}}}, "flat"},
	} {
		if got := strings.Join(w.names("DescribeParameters", c.in), " "); got != c.want {
			t.Errorf("%v: %s, want %s", c.in, got, c.want)
		}
	}
}

func TestSecureString(t *testing.T) {
	w := newWorld(t)
	const secret = "the-secret-of-this-test"
	w.put("s", "SecureString", secret)
	for p := range w.store.Partitions() {
		err := w.store.View(context.Background(), store.Partition(p), func(rd store.Reader) error {
			for _, v := range rd.Scan(nil, nil, false) {
				if strings.Contains(string(v), secret) {
					t.Error("the value is in the store in the clear")
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := w.Do("GetParameter", object{"Name": "s", "WithDecryption": true})["Parameter"].(object)["Value"]; got != secret {
		t.Errorf("decrypted %v", got)
	}
	if got := w.Do("GetParameter", object{"Name": "s"})["Parameter"].(object)["Value"]; got == secret || got == "" {
		t.Errorf("without decryption %v", got)
	}
	if got := w.Do("DescribeParameters", object{})["Parameters"].([]any)[0].(object)["KeyId"]; got != "alias/aws/ssm" {
		t.Errorf("key %v", got)
	}
	w.Fails("PutParameter", object{"Name": "t", "Type": "SecureString", "Value": "v", "KeyId": "alias/none"}, "InvalidKeyId", "is not found")
}

func TestRefused(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		in            object
		code, message string
	}{
		{object{"Name": "p", "Value": "v"}, "ValidationException", "A parameter type is required"},
		{object{"Name": "a/b", "Type": "String", "Value": "v"}, "ValidationException", "must be a fully qualified name"},
		{object{"Name": "/aws/x", "Type": "String", "Value": "v"}, "AccessDeniedException", "No access to reserved parameter name: /aws/x."},
		{object{"Name": "ssm-x", "Type": "String", "Value": "v"}, "ValidationException", "can't be prefixed"},
		{object{"Name": "/a b", "Type": "String", "Value": "v"}, "ValidationException", "3 symbols .-_"},
		{object{"Name": strings.Repeat("/x", 16), "Type": "String", "Value": "v"}, "HierarchyLevelLimitExceededException", "15 levels"},
		{object{"Name": "p", "Type": "String", "Value": strings.Repeat("v", 4097)}, "ValidationException", "maximum parameter value of 4096"},
		{object{"Name": "p", "Type": "String", "Value": "abc", "AllowedPattern": "^[0-9]+$"}, "ParameterPatternMismatchException", "^[0-9]+$"},
		{object{"Name": "p", "Type": "String", "Value": "abc", "Policies": "[{}]"}, "ValidationException", "policies"},
	} {
		w.Fails("PutParameter", c.in, c.code, c.message)
	}
}
