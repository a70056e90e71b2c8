package outbox

import (
	"encoding/json"

	"github.com/newel-run/newel/internal/aws"
)

// calls are what an entry with a Protection keeps encrypted.
type calls struct {
	Request   Call
	OnFailure *Call `json:",omitempty"`
}

// encode is an entry as it is stored.
func (o *Outbox) encode(e Entry) ([]byte, error) {
	if e.Protection != nil {
		plain, err := json.Marshal(calls{e.Request, e.OnFailure})
		if err != nil {
			return nil, err
		}
		if e.Sealed, err = o.env.Seal(e.Protection, plain); err != nil {
			return nil, err
		}
		e.Request, e.OnFailure = Call{}, nil
	}
	return json.Marshal(e)
}

// unlock makes the calls of an entry readable that was read back after a restart. Without its key the entry waits.
func (o *Outbox) unlock(e *Entry) error {
	if e.Sealed == nil {
		return nil
	}
	return o.env.WithKeys(o.ctx, func() error {
		plain, err := o.env.Open(e.Protection, e.Sealed)
		if err != nil {
			return err
		}
		var c calls
		if err := json.Unmarshal(plain, &c); err != nil {
			return err
		}
		e.Request, e.OnFailure, e.Sealed = c.Request, c.OnFailure, nil
		return nil
	})
}

// send makes an entry's call; a call that cannot be read yet is one that can be made later.
func (o *Outbox) send(e *Entry, t aws.Token) error {
	if err := o.unlock(e); err != nil {
		return &aws.Error{Code: "ServiceUnavailable", Status: 503, Fault: true, Message: err.Error()}
	}
	return o.call(&e.Request, t)
}
