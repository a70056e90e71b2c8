package kms

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/newel-run/newel/internal/service/servicetest"
	"github.com/newel-run/newel/internal/store"
)

type object = servicetest.Object

type world struct {
	*servicetest.Client
	t       rapid.TB
	s       *Service
	now     time.Time
	changed []string
}

func newWorld(t rapid.TB) *world {
	w := &world{t: t, now: time.Unix(1_700_000_000, 0)}
	env := servicetest.Env(func() time.Time { return w.now })
	w.s = New(env, Config{Master: NewMaster(), Changed: func(arn string) { w.changed = append(w.changed, arn) }})
	w.Client = &servicetest.Client{T: t, Service: "kms", Caller: w.s}
	return w
}

func (w *world) key() (id, arn string) {
	m := w.Do("CreateKey", object{})["KeyMetadata"].(object)
	return m["KeyId"].(string), m["Arn"].(string)
}

func TestKey(t *testing.T) {
	w := newWorld(t)
	id, arn := w.key()
	want := object{"AWSAccountId": "000000000000", "KeyId": id, "Arn": "arn:aws:kms:us-east-1:000000000000:key/" + id, "CreationDate": 1.7e9, "Enabled": true,
		"Description": "", "KeyUsage": "ENCRYPT_DECRYPT", "KeyState": "Enabled", "Origin": "AWS_KMS", "KeyManager": "CUSTOMER",
		"CustomerMasterKeySpec": "SYMMETRIC_DEFAULT", "KeySpec": "SYMMETRIC_DEFAULT", "EncryptionAlgorithms": []any{"SYMMETRIC_DEFAULT"}, "MultiRegion": false}
	for _, name := range []string{id, arn} {
		got := w.Do("DescribeKey", object{"KeyId": name})["KeyMetadata"].(object)
		for k, v := range want {
			a, _ := json.Marshal(got[k])
			b, _ := json.Marshal(v)
			if !bytes.Equal(a, b) {
				t.Errorf("%s: got %s, want %s", k, a, b)
			}
		}
	}
	none := "11111111-2222-3333-4444-555555555555"
	w.Fails("DescribeKey", object{"KeyId": none}, "NotFoundException", "Key 'arn:aws:kms:us-east-1:000000000000:key/"+none+"' does not exist")
	w.Fails("DescribeKey", object{"KeyId": "nonsense"}, "NotFoundException", "Invalid keyId 'nonsense'")
	w.Fails("DescribeKey", object{"KeyId": "alias/none"}, "NotFoundException", "Alias arn:aws:kms:us-east-1:000000000000:alias/none is not found.")
	w.Fails("CreateKey", object{"KeySpec": "RSA_2048"}, "UnsupportedOperationException", "RSA_2048")
	w.Fails("CreateKey", object{"Policy": "{"}, "MalformedPolicyDocumentException", "")
	if p := w.Do("GetKeyPolicy", object{"KeyId": id, "PolicyName": "default"})["Policy"].(string); !json.Valid([]byte(p)) || !strings.Contains(p, "arn:aws:iam::000000000000:root") {
		t.Errorf("default policy %s", p)
	}
	w.Do("TagResource", object{"KeyId": id, "Tags": []object{{"TagKey": "b", "TagValue": "2"}, {"TagKey": "a", "TagValue": "1"}}})
	w.Do("UntagResource", object{"KeyId": id, "TagKeys": []string{"b"}})
	if tags := w.Do("ListResourceTags", object{"KeyId": id})["Tags"].([]any); len(tags) != 1 {
		t.Errorf("tags %v", tags)
	}
}

func TestAliases(t *testing.T) {
	w := newWorld(t)
	one, oneARN := w.key()
	two, twoARN := w.key()
	w.Do("CreateAlias", object{"AliasName": "alias/SB-KMS", "TargetKeyId": one})
	w.Fails("CreateAlias", object{"AliasName": "alias/SB-KMS", "TargetKeyId": two}, "AlreadyExistsException", "An alias with the name arn:aws:kms:us-east-1:000000000000:alias/SB-KMS already exists")
	w.Fails("CreateAlias", object{"AliasName": "alias/aws/mine", "TargetKeyId": two}, "NotAuthorizedException", "")
	blob := w.Do("Encrypt", object{"KeyId": "alias/SB-KMS", "Plaintext": []byte("x")})["CiphertextBlob"]
	w.Do("UpdateAlias", object{"AliasName": "alias/SB-KMS", "TargetKeyId": two})
	// An ARN of an account that is not here means the caller's own alias.
	if got := w.Do("Encrypt", object{"KeyId": "arn:aws:kms:eu-west-1:111122223333:alias/SB-KMS", "Plaintext": []byte("x")})["KeyId"]; got != twoARN {
		t.Errorf("alias leads to %v", got)
	}
	if got := w.Do("Decrypt", object{"CiphertextBlob": blob})["KeyId"]; got != oneARN {
		t.Errorf("decrypted with %v", got)
	}
	w.Fails("Decrypt", object{"CiphertextBlob": blob, "KeyId": "alias/SB-KMS"}, "IncorrectKeyException", "")
	managed := w.Do("DescribeKey", object{"KeyId": "alias/aws/sqs"})["KeyMetadata"].(object)
	if managed["KeyManager"] != "AWS" || w.Do("DescribeKey", object{"KeyId": "alias/aws/sqs"})["KeyMetadata"].(object)["KeyId"] != managed["KeyId"] {
		t.Errorf("managed key %v", managed)
	}
	w.Fails("DescribeKey", object{"KeyId": "alias/aws/nothing"}, "NotFoundException", "alias/aws/nothing is not found.")
	w.Fails("DisableKey", object{"KeyId": managed["KeyId"]}, "AccessDeniedException", "")
	if list := w.Do("ListAliases", object{})["Aliases"].([]any); len(list) != 2 {
		t.Errorf("aliases %v", list)
	}
	first := w.Do("ListKeys", object{"Limit": 2})
	rest := w.Do("ListKeys", object{"Limit": 2, "Marker": first["NextMarker"]})
	if len(first["Keys"].([]any)) != 2 || len(rest["Keys"].([]any)) != 1 || rest["Truncated"] != false {
		t.Errorf("pages of keys: %v, %v", first, rest)
	}
	w.Do("DeleteAlias", object{"AliasName": "alias/SB-KMS"})
	w.Fails("DeleteAlias", object{"AliasName": "alias/SB-KMS"}, "NotFoundException", "Alias arn:aws:kms:us-east-1:000000000000:alias/SB-KMS is not found.")
}

func TestStates(t *testing.T) {
	w := newWorld(t)
	id, arn := w.key()
	blob := w.Do("Encrypt", object{"KeyId": id, "Plaintext": []byte("secret")})["CiphertextBlob"]
	w.Do("DisableKey", object{"KeyId": id})
	for operation, in := range map[string]object{"Encrypt": {"KeyId": id, "Plaintext": []byte("x")}, "Decrypt": {"CiphertextBlob": blob}, "GenerateDataKey": {"KeyId": id, "KeySpec": "AES_256"}} {
		w.Fails(operation, in, "DisabledException", arn+" is disabled.")
	}
	w.Do("EnableKey", object{"KeyId": id})
	w.Fails("ScheduleKeyDeletion", object{"KeyId": id, "PendingWindowInDays": 6}, "ValidationException", "")
	if out := w.Do("ScheduleKeyDeletion", object{"KeyId": id, "PendingWindowInDays": 7}); out["DeletionDate"] != 1.7e9+7*86400 || out["KeyState"] != "PendingDeletion" || out["KeyId"] != arn {
		t.Errorf("scheduled %v", out)
	}
	w.Fails("Decrypt", object{"CiphertextBlob": blob}, "KMSInvalidStateException", arn+" is pending deletion.")
	w.Fails("EnableKey", object{"KeyId": id}, "KMSInvalidStateException", "pending deletion")
	w.Do("CancelKeyDeletion", object{"KeyId": id})
	w.Fails("Decrypt", object{"CiphertextBlob": blob}, "DisabledException", "")
	w.Do("EnableKey", object{"KeyId": id})
	w.Do("Decrypt", object{"CiphertextBlob": blob})
	if len(w.changed) != 5 {
		t.Errorf("changes told: %v", w.changed)
	}
	w.Do("ScheduleKeyDeletion", object{"KeyId": id, "PendingWindowInDays": 7})
	w.now = w.now.Add(7 * 24 * time.Hour)
	w.Fails("DescribeKey", object{"KeyId": id}, "NotFoundException", "does not exist")
	w.Fails("Decrypt", object{"CiphertextBlob": blob}, "NotFoundException", "does not exist")
	if err := w.s.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(raw(t, w.s.Env.Store), id) {
		t.Error("the deleted key's row is still there")
	}
}

func raw(t testing.TB, s store.Store) string {
	var b strings.Builder
	for p := range s.Partitions() {
		err := s.View(context.Background(), store.Partition(p), func(rd store.Reader) error {
			for k, v := range rd.Scan(nil, nil, false) {
				b.Write(k)
				b.Write(v)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func TestRotation(t *testing.T) {
	w := newWorld(t)
	id, _ := w.key()
	blob := w.Do("Encrypt", object{"KeyId": id, "Plaintext": []byte("before")})["CiphertextBlob"]
	w.Do("RotateKeyOnDemand", object{"KeyId": id})
	if got := w.Do("Decrypt", object{"CiphertextBlob": blob})["Plaintext"]; got != "YmVmb3Jl" {
		t.Errorf("after the rotation: %v", got)
	}
	if n := len(w.Do("ListKeyRotations", object{"KeyId": id})["Rotations"].([]any)); n != 1 {
		t.Errorf("%d rotations", n)
	}
	if w.Do("GetKeyRotationStatus", object{"KeyId": id})["KeyRotationEnabled"] != false {
		t.Error("rotation is on")
	}
	w.Do("EnableKeyRotation", object{"KeyId": id, "RotationPeriodInDays": 90})
	if got := w.Do("GetKeyRotationStatus", object{"KeyId": id}); got["KeyRotationEnabled"] != true || got["NextRotationDate"] != 1.7e9+90*86400 {
		t.Errorf("status %v", got)
	}
}

func TestGrants(t *testing.T) {
	w := newWorld(t)
	id, _ := w.key()
	in := object{"KeyId": id, "GranteePrincipal": "arn:aws:iam::000000000000:role/r", "Operations": []string{"Decrypt"}, "Name": "n"}
	g := w.Do("CreateGrant", in)
	if again := w.Do("CreateGrant", in); again["GrantId"] != g["GrantId"] {
		t.Error("a named grant was made twice")
	}
	if list := w.Do("ListGrants", object{"KeyId": id})["Grants"].([]any); len(list) != 1 {
		t.Errorf("grants %v", list)
	}
	w.Do("RetireGrant", object{"GrantToken": g["GrantToken"]})
	w.Fails("RevokeGrant", object{"KeyId": id, "GrantId": g["GrantId"]}, "NotFoundException", "")
}

// TestCiphertext: what was encrypted comes back with its context, and with no other; a changed byte is noticed.
func TestCiphertext(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		id, _ := w.key()
		plain := rapid.SliceOfN(rapid.Byte(), 1, 4096).Draw(t, "plain")
		text := rapid.StringN(0, 8, 16)
		around := rapid.MapOfN(text, text, 0, 4).Draw(t, "context")
		blob := w.Do("Encrypt", object{"KeyId": id, "Plaintext": plain, "EncryptionContext": around})["CiphertextBlob"].(string)
		var sealed []byte
		if err := json.Unmarshal([]byte(`"`+blob+`"`), &sealed); err != nil {
			t.Fatal(err)
		}
		if len(plain) > 8 && bytes.Contains(sealed, plain) {
			t.Fatal("the plaintext is in the ciphertext")
		}
		var back struct{ Plaintext []byte }
		b, _ := json.Marshal(w.Do("Decrypt", object{"CiphertextBlob": sealed, "EncryptionContext": around}))
		if json.Unmarshal(b, &back) != nil || !bytes.Equal(back.Plaintext, plain) {
			t.Fatalf("got %q", back.Plaintext)
		}
		other := object{"more": "context"}
		for k, v := range around {
			other[k] = v
		}
		if _, there := around["more"]; !there {
			w.Fails("Decrypt", object{"CiphertextBlob": sealed, "EncryptionContext": other}, "InvalidCiphertextException", "")
		}
		sealed[len(sealed)-1-rapid.IntRange(0, len(plain)+15).Draw(t, "at")] ^= 1
		w.Fails("Decrypt", object{"CiphertextBlob": sealed, "EncryptionContext": around}, "InvalidCiphertextException", "")
		w.Fails("Decrypt", object{"CiphertextBlob": sealed[:rapid.IntRange(1, 20).Draw(t, "cut")], "EncryptionContext": around}, "InvalidCiphertextException", "")
	})
}

// TestDataKeys: a data key's ciphertext decrypts to the data key, and can be re-encrypted under another key.
func TestDataKeys(t *testing.T) {
	w := newWorld(t)
	one, _ := w.key()
	two, twoARN := w.key()
	around := object{"aws:sqs:arn": "arn:q"}
	k := w.Do("GenerateDataKey", object{"KeyId": one, "KeySpec": "AES_256", "EncryptionContext": around})
	moved := w.Do("ReEncrypt", object{"CiphertextBlob": k["CiphertextBlob"], "SourceEncryptionContext": around, "DestinationKeyId": two, "DestinationEncryptionContext": object{"a": "b"}})
	back := w.Do("Decrypt", object{"CiphertextBlob": moved["CiphertextBlob"], "EncryptionContext": object{"a": "b"}})
	if back["Plaintext"] != k["Plaintext"] || back["KeyId"] != twoARN || len(k["Plaintext"].(string)) != 44 {
		t.Errorf("%v, %v, %v", k, moved, back)
	}
	if _, there := w.Do("GenerateDataKeyWithoutPlaintext", object{"KeyId": one, "NumberOfBytes": 64})["Plaintext"]; there {
		t.Error("a plaintext was given out")
	}
	w.Fails("GenerateDataKey", object{"KeyId": one}, "ValidationException", "Please specify either number of bytes or key spec.")
	w.Fails("Encrypt", object{"KeyId": one, "Plaintext": make([]byte, 4097)}, "ValidationException", "4096")
	w.Fails("GenerateDataKey", object{"KeyId": one, "KeySpec": "AES_128", "DryRun": true}, "DryRunOperationException", "")
}

// TestMaster: the material of a key cannot be used with another master key.
func TestMaster(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kms.key")
	one, err := OpenMaster(path)
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 || st.Size() != 32 {
		t.Errorf("%v %v", st, err)
	}
	again, err := OpenMaster(path)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.s.cfg.Master = one
	id, _ := w.key()
	blob := w.Do("Encrypt", object{"KeyId": id, "Plaintext": []byte("x")})["CiphertextBlob"]
	w.s.cfg.Master = again
	w.Do("Decrypt", object{"CiphertextBlob": blob})
	w.s.cfg.Master = NewMaster()
	if _, err := w.Try("Decrypt", object{"CiphertextBlob": blob}); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("with another master key: %v", err)
	}
	for name, start := range map[string]struct {
		master Master
		fails  bool
	}{"the first": {one, false}, "the same": {again, false}, "another": {NewMaster(), true}} {
		w.s.cfg.Master = one
		if err := w.s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.s.cfg.Master = start.master
		if err := w.s.Start(t.Context()); (err != nil) != start.fails {
			t.Errorf("start with %s master key: %v", name, err)
		}
	}
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenMaster(path); err == nil {
		t.Error("a short master key was taken")
	}
}
