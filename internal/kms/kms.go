// Package kms is AWS Key Management Service: symmetric keys with real AES-256-GCM.
//
// All of KMS is one partition: keys are few, and whoever has a ciphertext finds its key there whatever the account and
// region. Authoritative is the store. A key's material is 32 random bytes for each rotation, kept encrypted under the
// server's master key, which lies beside the data directory's store in a file of mode 0600 (OpenMaster): a copy of the
// store without that file gives nothing away.
//
// A ciphertext names its key and the version of the material; the encryption context is bound to it as additional
// authenticated data. Encrypting and decrypting write nothing.
//
// A key whose deletion is due is gone for every reader at that moment; its row and its material are removed by the next
// Start or CreateKey.
package kms

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// Config is what the service needs beside the common environment.
type Config struct {
	Master  Master              // encrypts keys' material at rest
	Changed func(keyARN string) // called after the commit that disables, deletes or enables a key; nil for none
}

// Service is KMS.
type Service struct {
	*service.Service
	cfg   Config
	model *aws.Service
}

// New makes the service.
func New(env *service.Env, cfg Config) *Service {
	if cfg.Changed == nil {
		cfg.Changed = func(string) {}
	}
	s := &Service{cfg: cfg, model: aws.MustModel("kms")}
	s.Service = service.New("kms", env, []service.Operation{
		{Name: "CreateKey", Update: s.createKey},
		{Name: "DescribeKey", View: s.describeKey},
		{Name: "ListKeys", View: s.listKeys},
		{Name: "UpdateKeyDescription", Update: s.updateDescription},
		{Name: "EnableKey", Update: s.enableKey},
		{Name: "DisableKey", Update: s.disableKey},
		{Name: "ScheduleKeyDeletion", Update: s.scheduleDeletion},
		{Name: "CancelKeyDeletion", Update: s.cancelDeletion},
		{Name: "GetKeyPolicy", View: s.getPolicy},
		{Name: "PutKeyPolicy", Update: s.putPolicy},
		{Name: "ListKeyPolicies", View: s.listPolicies},
		{Name: "TagResource", Update: s.tag},
		{Name: "UntagResource", Update: s.untag},
		{Name: "ListResourceTags", View: s.listTags},
		{Name: "EnableKeyRotation", Update: s.enableRotation},
		{Name: "DisableKeyRotation", Update: s.disableRotation},
		{Name: "GetKeyRotationStatus", View: s.rotationStatus},
		{Name: "RotateKeyOnDemand", Update: s.rotateOnDemand},
		{Name: "ListKeyRotations", View: s.listRotations},
		{Name: "CreateAlias", Update: s.createAlias},
		{Name: "UpdateAlias", Update: s.updateAlias},
		{Name: "DeleteAlias", Update: s.deleteAlias},
		{Name: "ListAliases", View: s.listAliases},
		{Name: "CreateGrant", Update: s.createGrant},
		{Name: "ListGrants", View: s.listGrants},
		{Name: "ListRetirableGrants", View: s.listRetirable},
		{Name: "RevokeGrant", Update: s.revokeGrant},
		{Name: "RetireGrant", Update: s.retireGrant},
		{Name: "Encrypt", View: s.encrypt},
		{Name: "Decrypt", View: s.decrypt},
		{Name: "ReEncrypt", View: s.reEncrypt},
		{Name: "GenerateDataKey", View: s.generateDataKey},
		{Name: "GenerateDataKeyWithoutPlaintext", View: s.generateDataKeyBlind},
		{Name: "GenerateRandom", View: s.generateRandom},
	})
	s.Place = func(_, _, _ string) store.Partition { return store.Place(env.Store.Partitions(), "kms") }
	return s
}

// Start checks the master key, and removes the keys whose deletion has become due.
func (s *Service) Start(ctx context.Context) error {
	return s.Env.Store.Update(ctx, s.PartitionOf("", "", ""), func(tx store.Tx) error {
		if err := s.cfg.Master.check(tx); err != nil {
			return err
		}
		return removeDue(tx, s.Env.Now())
	})
}

// Call checks the input against the API model, makes AWS's own key of an alias such as alias/aws/sqs at its first use,
// and runs the operation.
func (s *Service) Call(ctx context.Context, r *aws.Request) (*aws.Output, error) {
	if !s.Has(r.Operation) {
		return nil, service.NotImplemented("kms", r.Operation)
	}
	if err := s.model.Operations[r.Operation].Input.Validate(r.Input); err != nil {
		return nil, err
	}
	if err := s.makeManaged(ctx, r); err != nil {
		return nil, service.Wire(err)
	}
	return s.Service.Call(ctx, r)
}

// makeManaged makes the keys that AWS manages for its services and that a request names by their alias.
func (s *Service) makeManaged(ctx context.Context, r *aws.Request) error {
	if !strings.Contains(string(r.Input), "alias/aws/") || strings.HasSuffix(r.Operation, "Alias") {
		return nil
	}
	var in struct{ KeyId, DestinationKeyId string } //nolint:revive // the API's names
	if json.Unmarshal(r.Input, &in) != nil {
		return nil
	}
	for _, id := range []string{in.KeyId, in.DestinationKeyId} {
		account, region, name := r.Account, r.Region, id
		if a, ok := aws.ParseARN(id); ok {
			account, region, name = a.Account, a.Region, a.Resource
		}
		of, managed := strings.CutPrefix(name, "alias/aws/")
		if !managed || !managedServices[of] {
			continue
		}
		err := s.Env.Store.Update(ctx, s.PartitionOf("", "", ""), func(tx store.Tx) error {
			return s.ensureManaged(tx, account, region, name, of)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// managedServices are those that AWS keeps a key for.
var managedServices = func() map[string]bool {
	m := map[string]bool{}
	for _, n := range strings.Fields(`acm backup codeartifact codecommit connect dms dynamodb ebs ec2 elasticfilesystem es fsx glue
		kinesis kinesisvideo lambda lex lightsail mq neptune nimblestudio rds redshift s3 secretsmanager sns sqs ssm states workmail
		workspaces xray`) {
		m[n] = true
	}
	return m
}()
