package states

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// The names under which the ARN of a machine or an activity is in the encryption context.
const (
	machineContext  = "aws:states:stateMachineArn"
	activityContext = "aws:states:activityArn"
)

// customerKey is the type of encryption with a key of the user's.
const customerKey = "CUSTOMER_MANAGED_KMS_KEY"

type encryption struct {
	Type     string `json:"type"`
	KmsKeyID string `json:"kmsKeyId"`
	Reuse    *int   `json:"kmsDataKeyReusePeriodSeconds"`
}

// protection is how the executions of a revision are kept, nil without a customer managed key.
func (r *revision) protection() *service.Protection {
	return protectionOf(r.Machine, machineContext, r.Encryption)
}

// protectionOf reads an encryptionConfiguration: how the data of a resource is kept, nil without a customer managed key.
func protectionOf(arn, context string, configuration json.RawMessage) *service.Protection {
	if !bytes.Contains(configuration, []byte(customerKey)) {
		return nil
	}
	var e encryption
	a, ok := aws.ParseARN(arn)
	if json.Unmarshal(configuration, &e) != nil || e.Type != customerKey || !ok {
		return nil
	}
	p := &service.Protection{Account: a.Account, Region: a.Region, KeyID: e.KmsKeyID, Context: map[string]string{context: arn}}
	if e.Reuse != nil {
		p.Reuse = time.Duration(*e.Reuse) * time.Second
	}
	return p
}

// check holds an encryption configuration to AWS's rules.
func (e *encryption) check() error {
	bad := func(why string) error {
		return aws.Errorf("InvalidEncryptionConfiguration", "Invalid Encryption Configuration: %s", why)
	}
	switch {
	case e.Type != customerKey && (e.KmsKeyID != "" || e.Reuse != nil):
		return bad("kmsKeyId and kmsDataKeyReusePeriodSeconds are for the type " + customerKey + " only.")
	case e.Type == customerKey && e.KmsKeyID == "":
		return bad("kmsKeyId is required for the type " + customerKey + ".")
	}
	return nil
}

// learning tells the engine's store about the keys of the definitions that the engine asks for.
type learning struct {
	*revisions
	sealed *sealedStore
}

// Definition implements engine.Definitions.
func (l learning) Definition(ctx context.Context, id string) (*asl.Definition, error) {
	c, err := l.revision(ctx, id)
	if err != nil {
		return nil, err
	}
	l.sealed.learn(id, c.protection())
	return c.definition, nil
}

// usable makes sure, within a transaction, that a key can be used.
func usable(c *service.Context, p *service.Protection) error {
	_, err := c.Env.Seal(p, nil)
	return err
}

// protectionOfExecution is how an execution's data is kept, whether or not it was stepped since the server's start.
func (s *Service) protectionOfExecution(ctx context.Context, arn string) (*service.Protection, error) {
	var definition string
	err := s.env.Store.View(ctx, s.engine.Partition(arn), func(rd store.Reader) (err error) {
		definition, err = definitionOf(rd, arn)
		return err
	})
	if err != nil || definition == "" {
		return nil, err
	}
	c, err := s.revisions.revision(ctx, definition)
	if err != nil {
		return nil, err
	}
	return c.protection(), nil
}

// keyUsable makes sure that a machine's key can be used, for what would not need it otherwise.
func (s *Service) keyUsable(ctx context.Context, p *service.Protection) error {
	if p == nil {
		return nil
	}
	err := s.env.WithKeys(ctx, func() error {
		_, err := s.env.Seal(p, nil)
		return err
	})
	return wire(err)
}

// keyFault is Step Functions' error for a refusal of KMS.
func keyFault(e *aws.Error) error {
	state := map[string]string{"DisabledException": "DISABLED", "KMSInvalidStateException": "PENDING_DELETION"}[e.Code]
	switch {
	case state != "":
		return &aws.Error{Code: "KmsInvalidStateException", Message: e.Message, Fields: map[string]any{"kmsKeyState": state}}
	case e.Code == "ThrottlingException":
		return aws.Errorf("KmsThrottlingException", "%s", e.Message)
	case e.Code == "NotFoundException", e.Code == "AccessDeniedException", e.Code == "InvalidArnException", e.Code == "InvalidKeyUsageException":
		return aws.Errorf("KmsAccessDeniedException", "%s", e.Message)
	}
	return e
}
