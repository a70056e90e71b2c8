package logs

import (
	"encoding/binary"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// A group with a KMS key keeps the messages of its events encrypted. The row of such an event is sealedVersion, then as
// that of any other up to the message, then the message's length and what the vault made of it. Events stay as they were
// put when the key of the group changes.
const sealedVersion = 2

// keyReuse is how long one data key encrypts messages, and is kept for decrypting them.
const keyReuse = time.Hour

// protection is how a group's messages are kept, nil for a group without a key.
func (g *group) protection(a address) *service.Protection {
	if g.KmsKeyID == "" {
		return nil
	}
	p := a.opening()
	p.KeyID = g.KmsKeyID
	return p
}

// opening is what the messages of a group are bound to when they are sealed.
func (a address) opening() *service.Protection {
	return &service.Protection{Account: a.account, Region: a.region, Reuse: keyReuse, Context: map[string]string{"aws:logs:arn": a.arn()}}
}

// encodeEvent is an event as the group keeps it.
func encodeEvent(env *service.Env, p *service.Protection, e *event) ([]byte, error) {
	if p == nil {
		return e.encode(), nil
	}
	sealed, err := env.Seal(p, []byte(e.message))
	if err != nil {
		return nil, err
	}
	head := event{ingested: e.ingested, stream: e.stream}
	b := head.encode()
	b[0] = sealedVersion
	return append(binary.AppendUvarint(b, uint64(len(e.message))), sealed...), nil
}

// unlock makes an event's message readable.
func (a address) unlock(env *service.Env, e *event) error {
	if e.sealed == nil {
		return nil
	}
	plain, err := env.Open(a.opening(), e.sealed)
	if err != nil {
		return err
	}
	e.message, e.sealed = string(plain), nil
	return nil
}

// associateKey has what is put from now on kept under a key.
func (l *logs) associateKey(c *service.Context, tx store.Tx) (any, error) {
	var in struct {
		KmsKeyID           string `json:"kmsKeyId"`
		ResourceIdentifier string `json:"resourceIdentifier"`
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if in.ResourceIdentifier != "" {
		return nil, unsupported("keys of query results (resourceIdentifier)")
	}
	if err := l.usable(c, group{KmsKeyID: in.KmsKeyID}); err != nil {
		return nil, err
	}
	return nil, l.change(c, tx, func(g *group) { g.KmsKeyID = in.KmsKeyID })
}

func (l *logs) disassociateKey(c *service.Context, tx store.Tx) (any, error) {
	return nil, l.change(c, tx, func(g *group) { g.KmsKeyID = "" })
}

// usable makes sure that a group's key can be used.
func (l *logs) usable(c *service.Context, g group) error {
	name, err := groupKey(c.Request)
	if err != nil || c.Env.Vault == nil {
		return err
	}
	_, err = c.Env.Seal(g.protection(address{c.Account, c.Region, name}), nil)
	return err
}

// keyFault is CloudWatch Logs' error for a refusal of KMS.
func keyFault(e *aws.Error) error {
	if e.Code == "NotFoundException" || e.Code == "InvalidArnException" {
		return invalid("The specified KMS Key Id could not be found.")
	}
	return aws.Errorf("AccessDeniedException", "The specified KMS key is not allowed to be used: %s", e.Message)
}
