package sns

import (
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
)

// protection is how a topic's messages are kept until they are delivered, nil for a topic without a key.
func (t *topic) protection(a address) *service.Protection {
	id := t.Attributes["KmsMasterKeyId"]
	if id == "" {
		return nil
	}
	return &service.Protection{Account: a.account, Region: a.region, KeyID: id, Context: map[string]string{"aws:sns:topicArn": a.arn()}}
}

// protectable makes sure that the key of a topic can be used, also where a message goes to nobody.
func (t *topic) protectable(c *service.Context, a address) error {
	p := t.protection(a)
	if p == nil || c.Env.Vault == nil {
		return nil
	}
	_, err := c.Env.Seal(p, nil)
	return err
}

// keyFault is SNS's error for a refusal of KMS.
func keyFault(e *aws.Error) error {
	shape := map[string]string{"DisabledException": "KMSDisabledException", "KMSInvalidStateException": "KMSInvalidStateException",
		"NotFoundException": "KMSNotFoundException", "InvalidArnException": "KMSNotFoundException", "AccessDeniedException": "KMSAccessDeniedException",
		"ThrottlingException": "KMSThrottlingException"}[e.Code]
	if shape == "" {
		return e
	}
	out := aws.Errorf(shape, "%s (Service: AWSKMS; Status Code: %d; Error Code: %s; Request ID: null)", e.Message, e.HTTPStatus(), e.Code)
	out.QueryCode = strings.TrimSuffix(shape, "Exception")
	return out
}
