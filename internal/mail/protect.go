package mail

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
)

// content is what is encrypted of a mail whose sender has a KMS key.
type content struct {
	Subject, Body string            `json:",omitempty"`
	Headers       map[string]string `json:",omitempty"`
}

// seal is a mail as it is kept.
func (m *Mail) seal(env *service.Env) (*Mail, error) {
	if m.Protection == nil {
		return m, nil
	}
	plain, err := json.Marshal(content{m.Subject, m.Body, m.Headers})
	if err != nil {
		return nil, err
	}
	kept := *m
	kept.Subject, kept.Body, kept.Headers = "", "", nil
	kept.Sealed, err = env.Seal(m.Protection, plain)
	return &kept, err
}

// open makes a mail readable that was kept.
func (m *Mail) open(env *service.Env) error {
	if m.Sealed == nil {
		return nil
	}
	plain, err := env.Open(m.Protection, m.Sealed)
	if err != nil {
		return err
	}
	var c content
	if err := json.Unmarshal(plain, &c); err != nil {
		return err
	}
	m.Subject, m.Body, m.Headers, m.Protection, m.Sealed = c.Subject, c.Body, c.Headers, nil, nil
	return nil
}

// openOrSay opens a mail for a list; one whose key cannot be used says why and has no subject.
func (m *Mail) openOrSay(ctx context.Context, env *service.Env) error {
	err := env.WithKeys(ctx, func() error { return m.open(env) })
	var refused *service.KeyError
	if errors.As(err, &refused) {
		m.Locked, m.Protection, m.Sealed, err = refused.Error(), nil, nil, nil
	}
	return err
}

// keyFault is the error about a mail whose key cannot be used now: it may be again, so who sends one goes on trying.
func keyFault(e *aws.Error) error {
	return &aws.Error{Code: "KMS." + e.Code, Message: e.Message, Status: 503, Fault: true}
}
