package sqs

import (
	"strconv"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
)

// A queue with a KmsMasterKeyId keeps its messages encrypted: the row of a message is then sealedVersion and what the
// vault made of the row. A message stays as it was put when the attribute changes.
const sealedVersion = 2

// protection is how the queue's messages are kept, nil for a queue without a key.
func (q *queue) protection(a address) *service.Protection {
	id := q.Attributes["KmsMasterKeyId"]
	if id == "" {
		return nil
	}
	n, _ := strconv.ParseInt(q.attribute("KmsDataKeyReusePeriodSeconds"), 10, 64)
	p := opening(a)
	p.KeyID, p.Reuse = id, time.Duration(n)*time.Second
	return p
}

// opening is what a message of a queue was bound to when it was sealed.
func opening(a address) *service.Protection {
	return &service.Protection{Account: a.account, Region: a.region, Context: map[string]string{"aws:sqs:arn": a.arn()}}
}

// encodeRow is the message as the queue keeps it.
func (b *box) encodeRow(m *message) ([]byte, error) {
	row, err := m.encode()
	p := b.protection(b.address)
	if err != nil || p == nil {
		return row, err
	}
	sealed, err := b.env.Seal(p, row)
	return append([]byte{sealedVersion}, sealed...), err
}

// decodeRow reads a message of the queue at an address.
func decodeRow(env *service.Env, a address, row []byte) (*message, error) {
	if len(row) > 0 && row[0] == sealedVersion {
		plain, err := env.Open(opening(a), row[1:])
		if err != nil {
			return nil, err
		}
		row = plain
	}
	return decodeMessage(row)
}

var keyFaults = map[string][2]string{
	"DisabledException":        {"KmsDisabled", "KMS.DisabledException"},
	"KMSInvalidStateException": {"KmsInvalidState", "KMS.InvalidStateException"},
	"NotFoundException":        {"KmsNotFound", "KMS.NotFoundException"},
	"InvalidArnException":      {"KmsNotFound", "KMS.NotFoundException"},
	"AccessDeniedException":    {"KmsAccessDenied", "KMS.AccessDeniedException"},
	"InvalidKeyUsageException": {"KmsInvalidKeyUsage", "KMS.InvalidKeyUsageException"},
	"ThrottlingException":      {"KmsThrottled", "KMS.ThrottlingException"},
}

// keyFault is SQS's error for a refusal of KMS.
func keyFault(e *aws.Error) error {
	if names, ok := keyFaults[e.Code]; ok {
		return wire(names[0], names[1], "%s (Service: AWSKMS; Status Code: %d; Error Code: %s; Request ID: null)", e.Message, e.HTTPStatus(), e.Code)
	}
	return e
}
