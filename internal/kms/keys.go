package kms

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

type tagEntry struct{ TagKey, TagValue string }

type createInput struct {
	Policy, Description, KeyUsage, CustomerMasterKeySpec, KeySpec, Origin string
	CustomKeyStoreId, XksKeyId                                            string //nolint:revive // the API's names
	MultiRegion                                                           bool
	Tags                                                                  []tagEntry
}

func (in *createInput) check() error {
	spec := in.KeySpec
	if spec == "" {
		spec = in.CustomerMasterKeySpec
	}
	switch {
	case spec != "" && spec != symmetric:
		return unsupported("keys of the spec " + spec)
	case in.KeyUsage != "" && in.KeyUsage != "ENCRYPT_DECRYPT":
		return unsupported("keys for " + in.KeyUsage)
	case in.Origin != "" && in.Origin != "AWS_KMS":
		return unsupported("keys of the origin " + in.Origin)
	case in.CustomKeyStoreId != "" || in.XksKeyId != "":
		return unsupported("custom key stores")
	case in.MultiRegion:
		return unsupported("multi-Region keys")
	}
	return checkPolicy(in.Policy)
}

func checkPolicy(text string) error {
	if text == "" {
		return nil
	}
	var doc struct{ Statement json.RawMessage }
	if json.Unmarshal([]byte(text), &doc) != nil || len(doc.Statement) == 0 {
		return aws.Errorf("MalformedPolicyDocumentException", "Policy contains a statement with one or more invalid principals or is not valid JSON.")
	}
	return nil
}

func (s *Service) createKey(c *service.Context, tx store.Tx) (any, error) {
	var in createInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	if err := removeDue(tx, c.Now); err != nil {
		return nil, err
	}
	k := s.newKey(c.Account, c.Region, c.Now)
	k.Description, k.Policy = in.Description, in.Policy
	if k.Policy == "" {
		k.Policy = defaultPolicy(c.Account, c.Region)
	}
	for _, t := range in.Tags {
		k.Tags[t.TagKey] = t.TagValue
	}
	return map[string]any{"KeyMetadata": k.metadata()}, k.save(tx)
}

func (s *Service) newKey(account, region string, now time.Time) *key {
	k := &key{Version: recordVersion, ID: aws.NewUUID(), Account: account, Region: region, Created: now.UnixMilli(), State: enabled,
		Manager: "CUSTOMER", Tags: map[string]string{}}
	s.addMaterial(k, k.Created, false)
	return k
}

// ensureManaged makes the key that AWS manages for a service in an account, with its alias.
func (s *Service) ensureManaged(tx store.Tx, account, region, name, of string) error {
	a, err := readAlias(tx, account, region, name)
	if err != nil || a != nil {
		return err
	}
	now := s.Env.Now()
	k := s.newKey(account, region, now)
	k.Manager, k.RotationDays, k.RotationSince = "AWS", 365, k.Created
	k.Description = "Default key that protects my data when no other key is defined (" + of + ")"
	k.Policy = defaultPolicy(account, region)
	if err := k.save(tx); err != nil {
		return err
	}
	return set(tx, rows(rowAlias, account, region).Str(name), alias{recordVersion, k.ID, k.Created, k.Created})
}

func defaultPolicy(account, region string) string {
	return fmt.Sprintf("{\n  \"Version\" : \"2012-10-17\",\n  \"Id\" : \"key-default-1\",\n  \"Statement\" : [ {\n    \"Sid\" : \"Enable IAM User Permissions\",\n"+
		"    \"Effect\" : \"Allow\",\n    \"Principal\" : {\n      \"AWS\" : \"arn:%s:iam::%s:root\"\n    },\n    \"Action\" : \"kms:*\",\n    \"Resource\" : \"*\"\n  } ]\n}",
		aws.PartitionOf(region), account)
}

// metadata is KeyMetadata.
func (k *key) metadata() map[string]any {
	m := map[string]any{"AWSAccountId": k.Account, "KeyId": k.ID, "Arn": k.arn(), "CreationDate": seconds(k.Created), "Enabled": k.State == enabled,
		"Description": k.Description, "KeyUsage": "ENCRYPT_DECRYPT", "KeyState": k.State, "Origin": "AWS_KMS", "KeyManager": k.Manager,
		"CustomerMasterKeySpec": symmetric, "KeySpec": symmetric, "EncryptionAlgorithms": []string{symmetric}, "MultiRegion": false}
	if k.State == pendingDeletion {
		m["DeletionDate"] = seconds(k.Deletion)
	}
	return m
}

func seconds(ms int64) float64 { return float64(ms) / 1000 }

type keyInput struct{ KeyId string } //nolint:revive // the API's name

// named finds the key that a request names in KeyId.
func named(c *service.Context, rd store.Reader) (*key, error) {
	var in keyInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	return find(c, rd, in.KeyId)
}

// owned is named for operations that take no alias and change nothing of AWS's own keys.
func owned(c *service.Context, rd store.Reader) (*key, error) {
	k, err := named(c, rd)
	if err != nil {
		return nil, err
	}
	var in keyInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if strings.Contains(in.KeyId, "alias/") {
		return nil, aws.Errorf("InvalidArnException", "Aliases are not supported in this API. Please specify a KeyId or the ARN of the key.")
	}
	if k.Manager == "AWS" {
		return nil, aws.Errorf("AccessDeniedException", "%s is managed by AWS and cannot be changed.", k.arn())
	}
	return k, nil
}

func (s *Service) describeKey(c *service.Context, rd store.Reader) (any, error) {
	k, err := named(c, rd)
	if err != nil {
		return nil, err
	}
	return map[string]any{"KeyMetadata": k.metadata()}, nil
}

func (s *Service) updateDescription(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ Description string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	k, err := owned(c, tx)
	if err == nil {
		err = k.changeable()
	}
	if err != nil {
		return nil, err
	}
	k.Description = in.Description
	return nil, k.save(tx)
}

// become changes a key's state and tells who keeps data keys of it.
func (s *Service) become(c *service.Context, tx store.Tx, k *key, state string) error {
	k.State = state
	arn := k.arn()
	c.After = append(c.After, func() { s.cfg.Changed(arn) })
	return k.save(tx)
}

func (s *Service) enableKey(c *service.Context, tx store.Tx) (any, error) {
	return nil, s.toState(c, tx, enabled)
}

func (s *Service) disableKey(c *service.Context, tx store.Tx) (any, error) {
	return nil, s.toState(c, tx, disabled)
}

func (s *Service) toState(c *service.Context, tx store.Tx, state string) error {
	k, err := owned(c, tx)
	if err == nil {
		err = k.changeable()
	}
	if err != nil {
		return err
	}
	return s.become(c, tx, k, state)
}

func (s *Service) scheduleDeletion(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ PendingWindowInDays *int }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	days := 30
	if in.PendingWindowInDays != nil {
		days = *in.PendingWindowInDays
	}
	if days < 7 || days > 30 {
		return nil, aws.Errorf("ValidationException", "PendingWindowInDays must be between 7 and 30 (inclusive).")
	}
	k, err := owned(c, tx)
	if err == nil {
		err = k.changeable()
	}
	if err != nil {
		return nil, err
	}
	k.Deletion = c.Now.Add(time.Duration(days) * 24 * time.Hour).UnixMilli()
	if err := s.become(c, tx, k, pendingDeletion); err != nil {
		return nil, err
	}
	return map[string]any{"KeyId": k.arn(), "DeletionDate": seconds(k.Deletion), "KeyState": k.State, "PendingWindowInDays": days}, nil
}

func (s *Service) cancelDeletion(c *service.Context, tx store.Tx) (any, error) {
	k, err := owned(c, tx)
	if err != nil {
		return nil, err
	}
	if k.State != pendingDeletion {
		return nil, aws.Errorf("KMSInvalidStateException", "%s is not pending deletion.", k.arn())
	}
	k.Deletion = 0
	return map[string]any{"KeyId": k.arn()}, s.become(c, tx, k, disabled)
}

func (s *Service) getPolicy(c *service.Context, rd store.Reader) (any, error) {
	var in struct{ PolicyName string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	k, err := named(c, rd)
	if err != nil {
		return nil, err
	}
	if in.PolicyName != "" && in.PolicyName != "default" {
		return nil, aws.Errorf("NotFoundException", "No such policy exists")
	}
	return map[string]any{"Policy": k.Policy, "PolicyName": "default"}, nil
}

func (s *Service) putPolicy(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ Policy, PolicyName string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if err := checkPolicy(in.Policy); err != nil {
		return nil, err
	}
	k, err := owned(c, tx)
	if err == nil {
		err = k.changeable()
	}
	if err != nil {
		return nil, err
	}
	k.Policy = in.Policy
	return nil, k.save(tx)
}

func (s *Service) listPolicies(c *service.Context, rd store.Reader) (any, error) {
	if _, err := named(c, rd); err != nil {
		return nil, err
	}
	return map[string]any{"PolicyNames": []string{"default"}, "Truncated": false}, nil
}
