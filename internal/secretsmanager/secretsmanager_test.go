package secretsmanager_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/kms"
	"github.com/newel-run/newel/internal/kms/envelope"
	"github.com/newel-run/newel/internal/secretsmanager"
	"github.com/newel-run/newel/internal/service/servicetest"
	"github.com/newel-run/newel/internal/store"
)

type object = servicetest.Object

// world is Secrets Manager beside KMS.
type world struct {
	*servicetest.Client
	t       *testing.T
	store   store.Store
	now     time.Time
	kms     aws.Caller
	secrets aws.Caller
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, now: time.Unix(1_700_000_000, 0)}
	now := func() time.Time { return w.now }
	env := servicetest.Env(now)
	w.store = env.Store
	t.Cleanup(func() { w.store.Close() })
	vault := envelope.New(aws.CallerFunc(func(ctx context.Context, r *aws.Request) (*aws.Output, error) { return w.kms.Call(ctx, r) }), now)
	env.Vault = vault
	w.kms = kms.New(env, kms.Config{Master: kms.NewMaster(), Changed: vault.Forget})
	w.secrets = secretsmanager.New(env)
	w.Client = &servicetest.Client{T: t, Service: "secretsmanager", Caller: w.secrets}
	return w
}

// stored reports whether a text stands in the raw store.
func (w *world) stored(text string) bool {
	found := false
	for p := range w.store.Partitions() {
		err := w.store.View(context.Background(), store.Partition(p), func(rd store.Reader) error {
			for _, v := range rd.Scan(nil, nil, false) {
				found = found || strings.Contains(string(v), text)
			}
			return nil
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	return found
}

func (w *world) value(in object) any { w.t.Helper(); return w.Do("GetSecretValue", in)["SecretString"] }

func TestVersions(t *testing.T) {
	w := newWorld(t)
	made := w.Do("CreateSecret", object{"Name": "app/db", "SecretString": "the-first-value", "Tags": []object{{"Key": "k", "Value": "v"}}})
	arn := made["ARN"].(string)
	if !strings.HasPrefix(arn, "arn:aws:secretsmanager:us-east-1:000000000000:secret:app/db-") || len(arn) != len("arn:aws:secretsmanager:us-east-1:000000000000:secret:app/db-")+6 {
		t.Errorf("ARN %s", arn)
	}
	if w.stored("the-first-value") {
		t.Error("the value is in the store in the clear")
	}
	first := made["VersionId"].(string)
	for _, id := range []string{"app/db", arn, arn[:len(arn)-7]} {
		if got := w.value(object{"SecretId": id}); got != "the-first-value" {
			t.Errorf("%s has the value %v", id, got)
		}
	}
	token := "11111111-2222-3333-4444-555555555555"
	put := object{"SecretId": "app/db", "SecretString": "second", "ClientRequestToken": token}
	if got := w.Do("PutSecretValue", put); got["VersionId"] != token {
		t.Errorf("put answered %v", got)
	}
	w.Do("PutSecretValue", put) // the same once more is the same version
	w.Fails("PutSecretValue", object{"SecretId": "app/db", "SecretString": "other", "ClientRequestToken": token}, "ResourceExistsException", "already in use for a version of secret "+arn)
	for stage, want := range map[string]string{"AWSCURRENT": "second", "AWSPREVIOUS": "the-first-value"} {
		if got := w.value(object{"SecretId": "app/db", "VersionStage": stage}); got != want {
			t.Errorf("%s is %v", stage, got)
		}
	}
	w.Do("PutSecretValue", object{"SecretId": "app/db", "SecretString": "pending", "VersionStages": []string{"AWSPENDING"}})
	if w.value(object{"SecretId": arn}) != "second" || w.value(object{"SecretId": arn, "VersionStage": "AWSPENDING"}) != "pending" {
		t.Error("a value for another stage became the current one")
	}
	w.Fails("GetSecretValue", object{"SecretId": arn, "VersionId": first, "VersionStage": "AWSCURRENT"}, "InvalidRequestException", "VersionStage")
	w.Fails("GetSecretValue", object{"SecretId": arn, "VersionStage": "none"}, "ResourceNotFoundException", "Secrets Manager can't find the specified secret value for staging label: none")
	w.Fails("GetSecretValue", object{"SecretId": "none"}, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
	w.Do("UpdateSecretVersionStage", object{"SecretId": arn, "VersionStage": "AWSCURRENT", "MoveToVersionId": first, "RemoveFromVersionId": token})
	stages := w.Do("DescribeSecret", object{"SecretId": arn})["VersionIdsToStages"].(object)
	if b, _ := json.Marshal(stages[first]); string(b) != `["AWSCURRENT"]` {
		t.Errorf("stages after the move back %v", stages)
	}
	if b, _ := json.Marshal(stages[token]); string(b) != `["AWSPREVIOUS"]` {
		t.Errorf("stages after the move back %v", stages)
	}
	w.Do("UpdateSecret", object{"SecretId": arn, "SecretString": "third"})
	w.Do("UpdateSecret", object{"SecretId": arn, "SecretString": "fourth"})
	if n := len(w.Do("ListSecretVersionIds", object{"SecretId": arn})["Versions"].([]any)); n != 3 {
		t.Errorf("%d versions with labels", n)
	}
	if n := len(w.Do("ListSecretVersionIds", object{"SecretId": arn, "IncludeDeprecated": true})["Versions"].([]any)); n != 5 {
		t.Errorf("%d versions", n)
	}
}

// TestNames: names that look like the end of an ARN, and ARNs from elsewhere.
func TestNames(t *testing.T) {
	w := newWorld(t)
	prefix := "arn:aws:secretsmanager:us-east-1:000000000000:secret:"
	short := w.Do("CreateSecret", object{"Name": "db", "SecretString": "short"})["ARN"].(string)
	if got := w.value(object{"SecretId": prefix + "db-AbCdEf"}); got != "short" {
		t.Errorf("another ARN of the name gave %v", got)
	}
	long := w.Do("CreateSecret", object{"Name": "db-AbCdEf", "SecretString": "long"})["ARN"].(string)
	for id, want := range map[string]string{"db": "short", short: "short", "db-AbCdEf": "long", long: "long", prefix + "db-AbCdEf": "long", prefix + "db": "short"} {
		if got := w.value(object{"SecretId": id}); got != want {
			t.Errorf("%s gave %v, want %s", id, got, want)
		}
	}
	w.Fails("GetSecretValue", object{"SecretId": prefix + "other-AbCdEf"}, "ResourceNotFoundException", "can't find")
}

func TestBinary(t *testing.T) {
	w := newWorld(t)
	w.Do("CreateSecret", object{"Name": "b", "SecretBinary": []byte{0, 1, 2}})
	if got := w.Do("GetSecretValue", object{"SecretId": "b"}); got["SecretBinary"] != "AAEC" || got["SecretString"] != nil {
		t.Errorf("got %v", got)
	}
	w.Fails("CreateSecret", object{"Name": "c", "SecretBinary": []byte{0}, "SecretString": "x"}, "InvalidParameterException", "both a binary secret value and a string secret value")
	w.Fails("CreateSecret", object{"Name": "b"}, "ResourceExistsException", "The operation failed because the secret b already exists.")
	w.Fails("CreateSecret", object{"Name": "a b"}, "InvalidParameterException", "Invalid name")
}

func TestDeletion(t *testing.T) {
	w := newWorld(t)
	w.Do("CreateSecret", object{"Name": "s", "SecretString": "v"})
	w.Fails("DeleteSecret", object{"SecretId": "s", "RecoveryWindowInDays": 7, "ForceDeleteWithoutRecovery": true}, "InvalidParameterException", "in conjunction")
	w.Fails("DeleteSecret", object{"SecretId": "s", "RecoveryWindowInDays": 3}, "InvalidParameterException", "between 7 and 30")
	if got := w.Do("DeleteSecret", object{"SecretId": "s", "RecoveryWindowInDays": 7}); got["DeletionDate"] != float64(w.now.Unix()+7*86400) {
		t.Errorf("deletion %v", got)
	}
	w.Fails("GetSecretValue", object{"SecretId": "s"}, "InvalidRequestException", "marked for deletion")
	w.Fails("CreateSecret", object{"Name": "s"}, "InvalidRequestException", "already scheduled for deletion")
	if n := len(w.Do("ListSecrets", object{})["SecretList"].([]any)); n != 0 {
		t.Errorf("%d secrets are listed", n)
	}
	w.Do("RestoreSecret", object{"SecretId": "s"})
	if w.value(object{"SecretId": "s"}) != "v" {
		t.Error("not restored")
	}
	w.Do("DeleteSecret", object{"SecretId": "s", "RecoveryWindowInDays": 7})
	w.now = w.now.Add(7 * 24 * time.Hour)
	w.Fails("RestoreSecret", object{"SecretId": "s"}, "ResourceNotFoundException", "can't find")
	w.Do("CreateSecret", object{"Name": "s", "SecretString": "new"})
	if n := len(w.Do("ListSecretVersionIds", object{"SecretId": "s", "IncludeDeprecated": true})["Versions"].([]any)); n != 1 {
		t.Errorf("the new secret has %d versions", n)
	}
	w.Do("DeleteSecret", object{"SecretId": "s", "ForceDeleteWithoutRecovery": true})
	w.Do("DeleteSecret", object{"SecretId": "s", "ForceDeleteWithoutRecovery": true})
	w.Do("CreateSecret", object{"Name": "s"})
	w.Fails("GetSecretValue", object{"SecretId": "s"}, "ResourceNotFoundException", "staging label: AWSCURRENT")
}

func TestLists(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"z", "b/1", "b/2", "b/3"} {
		w.Do("CreateSecret", object{"Name": name, "SecretString": "v" + name, "Description": "For " + name})
		w.now = w.now.Add(time.Second)
	}
	names := func(in object) (out []string, next any) {
		got := w.Do("ListSecrets", in)
		for _, s := range got["SecretList"].([]any) {
			out = append(out, s.(object)["Name"].(string))
		}
		return out, got["NextToken"]
	}
	page, next := names(object{"MaxResults": 2})
	rest, end := names(object{"MaxResults": 2, "NextToken": next})
	if got := strings.Join(append(page, rest...), " "); got != "z b/1 b/2 b/3" || end != nil {
		t.Errorf("pages %v, then %v", got, end)
	}
	if got, _ := names(object{"SortOrder": "desc", "Filters": []object{{"Key": "name", "Values": []string{"b/", "!b/2"}}}}); strings.Join(got, " ") != "b/3 b/1" {
		t.Errorf("filtered %v", got)
	}
	got := w.Do("BatchGetSecretValue", object{"SecretIdList": []string{"z", "none"}})
	if len(got["SecretValues"].([]any)) != 1 || got["Errors"].([]any)[0].(object)["ErrorCode"] != "ResourceNotFoundException" {
		t.Errorf("batch %v", got)
	}
}

// TestKey: a secret under a key of the customer's cannot be read while the key is disabled.
func TestKey(t *testing.T) {
	w := newWorld(t)
	keys := &servicetest.Client{T: t, Service: "kms", Caller: w.kms}
	made := keys.Do("CreateKey", object{})
	key := made["KeyMetadata"].(object)["KeyId"]
	w.Do("CreateSecret", object{"Name": "s", "SecretString": "v", "KmsKeyId": key})
	keys.Do("DisableKey", object{"KeyId": key})
	w.Fails("GetSecretValue", object{"SecretId": "s"}, "DecryptionFailure", "is disabled")
	w.Fails("PutSecretValue", object{"SecretId": "s", "SecretString": "w"}, "EncryptionFailure", "is disabled")
}

func TestPassword(t *testing.T) {
	w := newWorld(t)
	for range 50 {
		p := w.Do("GetRandomPassword", object{"PasswordLength": 4, "ExcludeCharacters": "abc"})["RandomPassword"].(string)
		if len(p) != 4 || !strings.ContainsAny(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") || !strings.ContainsAny(p, "0123456789") || !strings.ContainsAny(p, "defghijklmnopqrstuvwxyz") || strings.ContainsAny(p, "abc") {
			t.Fatalf("password %q", p)
		}
	}
	w.Fails("GetRandomPassword", object{"PasswordLength": 3}, "InvalidParameterException", "at least 4")
	if p := w.Do("GetRandomPassword", object{"ExcludePunctuation": true, "ExcludeUppercase": true, "ExcludeLowercase": true})["RandomPassword"].(string); strings.Trim(p, "0123456789") != "" || len(p) != 32 {
		t.Errorf("password %q", p)
	}
}
