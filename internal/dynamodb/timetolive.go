package dynamodb

import "github.com/newel-run/newel/internal/dynamodb/attr"

type updateTimeToLiveInput struct {
	tableInput
	TimeToLiveSpecification *struct {
		AttributeName *string
		Enabled       *bool
	}
}

func (in *updateTimeToLiveInput) check() error {
	if err := in.tableInput.check(); err != nil {
		return err
	}
	var c constraints
	c.required(in.TimeToLiveSpecification != nil, "timeToLiveSpecification")
	if s := in.TimeToLiveSpecification; s != nil {
		c.required(s.AttributeName != nil, "timeToLiveSpecification.attributeName")
		if s.AttributeName != nil {
			c.length(len(*s.AttributeName), 1, 255, "'"+*s.AttributeName+"'", "timeToLiveSpecification.attributeName")
		}
		c.required(s.Enabled != nil, "timeToLiveSpecification.enabled")
	}
	return c.err()
}

func (t *txn) updateTimeToLive(in *updateTimeToLiveInput) (any, error) {
	old, err := t.described(in.name)
	if err != nil {
		return nil, err
	}
	name, enabled := *in.TimeToLiveSpecification.AttributeName, *in.TimeToLiveSpecification.Enabled
	switch {
	case enabled && old.TTL != "":
		return nil, attr.Invalid("TimeToLive is already enabled")
	case !enabled && old.TTL == "":
		return nil, attr.Invalid("TimeToLive is already disabled")
	case !enabled && old.TTL != name:
		return nil, attr.Invalid("TimeToLive is active on a different AttributeName: current AttributeName is " + old.TTL)
	}
	tb := *old
	if enabled {
		tb.TTL = name
		err = t.eachItem(&tb, func(key []byte, m *attr.Map) {
			if at := expiryKey(&tb, m, key); at != nil {
				t.tx.Set(at, key)
			}
		})
	} else {
		tb.TTL = ""
		t.tx.DeleteRange(expiryOf(tb.Number), expiryOf(tb.Number).End())
	}
	if err != nil {
		return nil, err
	}
	return map[string]any{"TimeToLiveSpecification": map[string]any{"AttributeName": name, "Enabled": enabled}}, t.save(&tb)
}

func (t *txn) describeTimeToLive(in *tableInput) (any, error) {
	tb, err := t.described(in.name)
	if err != nil {
		return nil, err
	}
	d := map[string]any{"TimeToLiveStatus": "DISABLED"}
	if tb.TTL != "" {
		d = map[string]any{"TimeToLiveStatus": "ENABLED", "AttributeName": tb.TTL}
	}
	return map[string]any{"TimeToLiveDescription": d}, nil
}
