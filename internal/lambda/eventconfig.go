package lambda

import (
	"cmp"
	"encoding/json"
	"time"

	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// eventInvokeConfig bounds a function's asynchronous invocations.
type eventInvokeConfig struct {
	MaximumRetryAttempts     *int
	MaximumEventAgeInSeconds *int
	LastModified             time.Time
}

// limits are the age at which an event is given up and the retries after function errors.
func (c *eventInvokeConfig) limits() (age time.Duration, retries int) {
	age, retries = eventAgeMax, eventRetryMax
	if c != nil && c.MaximumRetryAttempts != nil {
		retries = *c.MaximumRetryAttempts
	}
	if c != nil && c.MaximumEventAgeInSeconds != nil {
		age = time.Duration(*c.MaximumEventAgeInSeconds) * time.Second
	}
	return age, retries
}

func (f *record) eventInvoke(q string) any {
	c := f.at(q).EventInvokeConfig
	out := map[string]any{
		"FunctionArn": f.arn() + ":" + cmp.Or(q, latest), "LastModified": float64(c.LastModified.UnixMilli()) / 1000,
		"DestinationConfig": json.RawMessage(`{"OnSuccess":{},"OnFailure":{}}`),
	}
	if c.MaximumRetryAttempts != nil {
		out["MaximumRetryAttempts"] = *c.MaximumRetryAttempts
	}
	if c.MaximumEventAgeInSeconds != nil {
		out["MaximumEventAgeInSeconds"] = *c.MaximumEventAgeInSeconds
	}
	return out
}

func (f *record) noEventInvokeConfig(q string) error {
	return fail("ResourceNotFoundException", 404, "The function %s doesn't have an EventInvokeConfig", f.arn()+":"+cmp.Or(q, latest))
}

func putEventInvokeConfig(c *service.Context, tx store.Tx) (any, error) {
	return setEventInvoke(c, tx, false)
}

func updateEventInvokeConfig(c *service.Context, tx store.Tx) (any, error) {
	return setEventInvoke(c, tx, true)
}

func setEventInvoke(c *service.Context, tx store.Tx, keep bool) (any, error) {
	var in struct {
		named
		MaximumRetryAttempts, MaximumEventAgeInSeconds *int
		DestinationConfig                              struct{ OnSuccess, OnFailure struct{ Destination string } }
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	f, q, err := findNamed(c, tx, in.named)
	n, age := in.MaximumRetryAttempts, in.MaximumEventAgeInSeconds
	if err != nil {
		return nil, err
	}
	to := f.attach(q)
	switch {
	case in.DestinationConfig.OnSuccess.Destination+in.DestinationConfig.OnFailure.Destination != "":
		return nil, unsupported("destinations of asynchronous invocations yet: use DeadLetterConfig")
	case n != nil && (*n < 0 || *n > eventRetryMax):
		return nil, constraint("maximumRetryAttempts", *n, "Member must have value less than or equal to %d", eventRetryMax)
	case age != nil && (*age < 60 || *age > 21600):
		return nil, constraint("maximumEventAgeInSeconds", *age, "Member must have value between 60 and 21600")
	case keep && to.EventInvokeConfig == nil:
		return nil, f.noEventInvokeConfig(q)
	case !keep:
		to.EventInvokeConfig = new(eventInvokeConfig)
	}
	if n != nil {
		to.EventInvokeConfig.MaximumRetryAttempts = n
	}
	if age != nil {
		to.EventInvokeConfig.MaximumEventAgeInSeconds = age
	}
	to.EventInvokeConfig.LastModified = c.Now
	return f.eventInvoke(q), put(tx, f)
}

func getEventInvokeConfig(c *service.Context, rd store.Reader) (any, error) {
	f, q, err := find(c, rd)
	if err != nil {
		return nil, err
	}
	if f.at(q).EventInvokeConfig == nil {
		return nil, f.noEventInvokeConfig(q)
	}
	return f.eventInvoke(q), nil
}

func deleteEventInvokeConfig(c *service.Context, tx store.Tx) (any, error) {
	f, q, err := find(c, tx)
	if err != nil {
		return nil, err
	}
	if f.at(q).EventInvokeConfig == nil {
		return nil, f.noEventInvokeConfig(q)
	}
	f.attach(q).EventInvokeConfig = nil
	return nil, put(tx, f)
}
