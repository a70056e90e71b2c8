package s3

import (
	"encoding/json"
	"fmt"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
)

// Kinds of configurations of a bucket.
const (
	kindTagging      = "tagging"
	kindPolicy       = "policy"
	kindPublicAccess = "publicAccessBlock"
	kindEncryption   = "encryption"
	kindCORS         = "cors"
	kindLifecycle    = "lifecycle"
	kindNotification = "notification"
	kindOwnership    = "ownershipControls"
	kindVersioning   = "versioning"
)

// config is a row of the table of configurations: what is put is kept as canonical JSON and answered again.
type config struct {
	kind             string
	put, get, remove string // operations; "" for none
	member           string // of Put's input that holds it
	payload          bool   // Get answers it in the same member; else its members
	code, message    string // Get's error while there is none; "" answers absent
	absent           string
	check            func(c *service.Context, raw json.RawMessage) (json.RawMessage, error)
	status           int // of Put
}

// fresh is what a new bucket has.
var fresh = map[string]string{
	kindPublicAccess: `{"BlockPublicAcls":true,"IgnorePublicAcls":true,"BlockPublicPolicy":true,"RestrictPublicBuckets":true}`,
	kindOwnership:    `{"Rules":[{"ObjectOwnership":"BucketOwnerEnforced"}]}`,
}

const defaultEncryption = `{"Rules":[{"ApplyServerSideEncryptionByDefault":{"SSEAlgorithm":"AES256"},"BucketKeyEnabled":false}]}`

var configs = []config{
	{kind: kindTagging, put: "PutBucketTagging", get: "GetBucketTagging", remove: "DeleteBucketTagging", member: "Tagging",
		code: "NoSuchTagSet", message: "The TagSet does not exist", check: checkBucketTags, status: 204},
	{kind: kindPolicy, put: "PutBucketPolicy", get: "GetBucketPolicy", remove: "DeleteBucketPolicy", member: "Policy", payload: true,
		code: "NoSuchBucketPolicy", message: "The bucket policy does not exist", check: checkPolicy, status: 204},
	{kind: kindPublicAccess, put: "PutPublicAccessBlock", get: "GetPublicAccessBlock", remove: "DeletePublicAccessBlock", member: "PublicAccessBlockConfiguration", payload: true,
		code: "NoSuchPublicAccessBlockConfiguration", message: "The public access block configuration was not found", check: checkPublicAccess},
	{kind: kindEncryption, put: "PutBucketEncryption", get: "GetBucketEncryption", remove: "DeleteBucketEncryption", member: "ServerSideEncryptionConfiguration", payload: true,
		absent: defaultEncryption, check: checkEncryption},
	{kind: kindCORS, put: "PutBucketCors", get: "GetBucketCors", remove: "DeleteBucketCors", member: "CORSConfiguration",
		code: "NoSuchCORSConfiguration", message: "The CORS configuration does not exist"},
	{kind: kindLifecycle, put: "PutBucketLifecycleConfiguration", get: "GetBucketLifecycleConfiguration", remove: "DeleteBucketLifecycle", member: "LifecycleConfiguration",
		code: "NoSuchLifecycleConfiguration", message: "The lifecycle configuration does not exist", check: checkLifecycle},
	{kind: kindOwnership, put: "PutBucketOwnershipControls", get: "GetBucketOwnershipControls", remove: "DeleteBucketOwnershipControls", member: "OwnershipControls", payload: true,
		code: "OwnershipControlsNotFoundError", message: "The bucket ownership controls were not found"},
	{kind: kindVersioning, put: "PutBucketVersioning", get: "GetBucketVersioning", member: "VersioningConfiguration", absent: "{}", check: checkVersioning},
	{kind: kindNotification, get: "GetBucketNotificationConfiguration", absent: "{}"},
	{kind: "accelerate", get: "GetBucketAccelerateConfiguration", absent: "{}"},
	{kind: "logging", get: "GetBucketLogging", absent: "{}"},
	{kind: "requestPayment", get: "GetBucketRequestPayment", absent: `{"Payer":"BucketOwner"}`},
	{kind: "abac", get: "GetBucketAbac", member: "AbacStatus", payload: true, absent: `{"Status":"Disabled"}`},
	{kind: "replication", get: "GetBucketReplication", code: "ReplicationConfigurationNotFoundError", message: "The replication configuration was not found"},
	{kind: "website", get: "GetBucketWebsite", code: "NoSuchWebsiteConfiguration", message: "The specified bucket does not have a website configuration"},
	{kind: "object-lock", get: "GetObjectLockConfiguration", code: "ObjectLockConfigurationNotFoundError", message: "Object Lock configuration does not exist for this bucket"},
}

func (s *Service) configOperations() []service.Operation {
	rows := []service.Operation{
		{Name: "PutBucketNotificationConfiguration", Do: s.putNotification},
		{Name: "GetBucketAcl", Key: keyBucket, View: s.look(getBucketACL)},
		{Name: "PutBucketAcl", Key: keyBucket, Update: s.change(putBucketACL)},
	}
	for i := range configs {
		k := &configs[i]
		if k.put != "" {
			rows = append(rows, service.Operation{Name: k.put, Key: keyBucket, Update: s.change(k.onPut)})
		}
		if k.get != "" {
			rows = append(rows, service.Operation{Name: k.get, Key: keyBucket, View: s.look(k.onGet)})
		}
		if k.remove != "" {
			rows = append(rows, service.Operation{Name: k.remove, Key: keyBucket, Update: s.change(k.onRemove)})
		}
	}
	return rows
}

func (k *config) onPut(c *service.Context, b *box) (any, error) {
	var in map[string]json.RawMessage
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	raw := in[k.member]
	if len(raw) == 0 || string(raw) == "null" {
		return nil, malformedXML()
	}
	if k.check != nil {
		var err error
		if raw, err = k.check(c, raw); err != nil {
			return nil, err
		}
	}
	b.tx.Set(row(rowConfig, b.name, k.kind), raw)
	return &aws.Output{Value: json.RawMessage("{}"), Status: k.status}, nil
}

func (k *config) onGet(_ *service.Context, b *box) (any, error) {
	raw, err := b.config(k.kind)
	switch {
	case err != nil:
		return nil, err
	case raw == nil && k.code != "":
		return nil, fail(404, k.code, k.message, map[string]any{"BucketName": b.name})
	case raw == nil:
		raw = json.RawMessage(k.absent)
	}
	if k.payload {
		return map[string]any{k.member: raw}, nil
	}
	return raw, nil
}

func (k *config) onRemove(_ *service.Context, b *box) (any, error) {
	b.tx.Delete(row(rowConfig, b.name, k.kind))
	return nil, nil
}

// config reads a configuration; nil if there is none.
func (b *box) config(kind string) (json.RawMessage, error) {
	raw, err := b.rd.Get(row(rowConfig, b.name, kind))
	if err != nil || raw == nil {
		return nil, err
	}
	return append(json.RawMessage{}, raw...), nil
}

func checkBucketTags(_ *service.Context, raw json.RawMessage) (json.RawMessage, error) {
	var in struct{ TagSet []tag }
	if json.Unmarshal(raw, &in) != nil {
		return nil, malformedXML()
	}
	return raw, checkTags(in.TagSet, bucketTagsMax)
}

func checkPolicy(_ *service.Context, raw json.RawMessage) (json.RawMessage, error) {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return nil, fail(400, "MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'", nil)
	}
	var policy struct{ Statement json.RawMessage }
	if len(text) == 0 || text[0] != '{' || json.Unmarshal([]byte(text), &policy) != nil {
		return nil, fail(400, "MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'", nil)
	}
	if policy.Statement == nil {
		return nil, fail(400, "MalformedPolicy", "Missing required field Statement", nil)
	}
	return raw, nil
}

func checkPublicAccess(_ *service.Context, raw json.RawMessage) (json.RawMessage, error) {
	var in struct{ BlockPublicAcls, IgnorePublicAcls, BlockPublicPolicy, RestrictPublicBuckets bool }
	if json.Unmarshal(raw, &in) != nil {
		return nil, malformedXML()
	}
	return encodeRow(in), nil
}

func checkEncryption(_ *service.Context, raw json.RawMessage) (json.RawMessage, error) {
	var in encryptionConfig
	if json.Unmarshal(raw, &in) != nil || len(in.Rules) != 1 {
		return nil, malformedXML()
	}
	return raw, nil
}

type encryptionConfig struct {
	Rules []struct {
		ApplyServerSideEncryptionByDefault struct{ SSEAlgorithm, KMSMasterKeyID string }
		BucketKeyEnabled                   bool
	}
}

// encryptByDefault gives new objects the encryption that their bucket says.
func (b *box) encryptByDefault(p *properties) error {
	if p.ServerSideEncryption == "AES256" {
		p.ServerSideEncryption = "" // as it is kept
		return nil
	}
	if p.ServerSideEncryption != "" {
		return nil
	}
	var in encryptionConfig
	found, err := get(b.rd, row(rowConfig, b.name, kindEncryption), &in)
	if err != nil || !found || len(in.Rules) == 0 {
		return err
	}
	if d := in.Rules[0].ApplyServerSideEncryptionByDefault; d.SSEAlgorithm != "" && d.SSEAlgorithm != "AES256" {
		p.ServerSideEncryption, p.SSEKMSKeyId, p.BucketKeyEnabled = d.SSEAlgorithm, d.KMSMasterKeyID, in.Rules[0].BucketKeyEnabled
	}
	return nil
}

func checkLifecycle(_ *service.Context, raw json.RawMessage) (json.RawMessage, error) {
	var in struct {
		Rules                              []map[string]json.RawMessage
		TransitionDefaultMinimumObjectSize string
	}
	if json.Unmarshal(raw, &in) != nil || len(in.Rules) == 0 {
		return nil, malformedXML()
	}
	ids := map[string]bool{}
	for i, r := range in.Rules {
		var id, status string
		_ = json.Unmarshal(r["ID"], &id)         // none is allowed
		_ = json.Unmarshal(r["Status"], &status) // checked below
		if status != "Enabled" && status != "Disabled" {
			return nil, malformedXML()
		}
		if id == "" {
			id = fmt.Sprintf("rule-%d", i+1)
			r["ID"] = encodeRow(id)
		}
		if ids[id] {
			return nil, invalidArgument("ID", id, "Rule ID must be unique. Found same ID for more than one rule")
		}
		ids[id] = true
	}
	out := map[string]any{"Rules": in.Rules, "TransitionDefaultMinimumObjectSize": "all_storage_classes_128K"}
	if in.TransitionDefaultMinimumObjectSize != "" {
		out["TransitionDefaultMinimumObjectSize"] = in.TransitionDefaultMinimumObjectSize
	}
	return encodeRow(out), nil
}

// checkVersioning takes what leaves the bucket as it is: versions are not implemented.
func checkVersioning(c *service.Context, raw json.RawMessage) (json.RawMessage, error) {
	var in struct{ Status, MFADelete string }
	if json.Unmarshal(raw, &in) != nil {
		return nil, malformedXML()
	}
	switch {
	case in.MFADelete == "Enabled":
		return nil, notImplemented(c.Operation, "MFADelete")
	case in.Status == "Enabled":
		return nil, notImplemented(c.Operation, "the status Enabled")
	case in.Status != "Suspended":
		return nil, fail(400, "IllegalVersioningConfigurationException", "The Versioning element must be specified", nil)
	}
	return encodeRow(map[string]string{"Status": in.Status}), nil
}
