package cfn

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/newel-run/newel/asl/value"
)

// Stack is what is remembered of a stack: the authority on what it consists of.
type Stack struct {
	Version     int // of this record's format: 1
	ID          string
	Name        string
	Account     string
	Region      string
	Description string `json:",omitempty"`
	Status      string // CREATE_IN_PROGRESS, CREATE_COMPLETE, CREATE_FAILED, UPDATE_..., DELETE_...
	Reason      string `json:",omitempty"`
	Created     time.Time
	Updated     time.Time           `json:",omitzero"`
	Parameters  []ParameterValue    `json:",omitempty"`
	Outputs     []OutputValue       `json:",omitempty"`
	Tags        []map[string]string `json:",omitempty"`
	Resources   []*Record           `json:",omitempty"` // in the order in which they were made
	Replaced    []*Record           `json:",omitempty"` // still there, to be deleted at the end of the update
}

// ParameterValue is one parameter of a deployment; every value is a string.
type ParameterValue struct {
	ParameterKey   string
	ParameterValue string
}

// OutputValue is one output of a stack.
type OutputValue struct {
	OutputKey   string
	OutputValue string
	Description string `json:",omitempty"`
}

// Record is what is remembered of one resource.
type Record struct {
	ID         string // logical id
	Type       string
	Name       string // physical name
	Ref        string // what Ref gives; "" until it was made
	Attributes map[string]string
	Properties json.RawMessage // as deployed, long strings replaced by their digest; null until it was made
	Generation int             `json:",omitempty"` // how often it was replaced under a made-up name
	Retain     bool            `json:",omitempty"`
	Status     string
	Reason     string `json:",omitempty"`
	Updated    time.Time
}

// made reports whether the resource was once made completely.
func (r *Record) made() bool { return len(r.Properties) > 0 && string(r.Properties) != "null" }

// properties are those of the last deployment, none for a resource that was never made.
func (r *Record) properties() *value.Object {
	if r.made() {
		if v, err := value.Parse(r.Properties); err == nil {
			if o, ok := v.(*value.Object); ok {
				return o
			}
		}
	}
	return value.NewObject()
}

// Find returns a resource's record by its logical id, or nil.
func (s *Stack) Find(id string) *Record {
	for _, r := range s.Resources {
		if r.ID == id {
			return r
		}
	}
	return nil
}

// Scope is what references to the stack's resources stand for.
func (s *Stack) Scope(t *Template) *Scope {
	sc := &Scope{Account: s.Account, Region: s.Region, StackID: s.ID, StackName: s.Name, Parameters: map[string]value.Value{}}
	for _, p := range s.Parameters {
		sc.Parameters[p.ParameterKey] = parameterValue(t, p)
	}
	sc.Resource = func(id string) (string, map[string]string, bool) {
		if r := s.Find(id); r != nil && r.made() {
			return r.Ref, r.Attributes, true
		}
		return "", nil, false
	}
	return sc
}

// longText is the length above which the record keeps a string's digest only (packages, definitions).
const longText = 1024

func digest(v value.Value) value.Value {
	switch v := v.(type) {
	case string:
		if len(v) > longText {
			sum := sha256.Sum256([]byte(v))
			return "sha256:" + hex.EncodeToString(sum[:])
		}
	case value.Array:
		out := make(value.Array, len(v))
		for i, e := range v {
			out[i] = digest(e)
		}
		return out
	case *value.Object:
		o := value.NewObject()
		for k, e := range v.All() {
			o.Set(k, digest(e))
		}
		return o
	}
	return v
}

// digestText is a text that is equal for equal values, whatever the order of their members.
func digestText(v value.Value) string {
	if v == nil {
		return ""
	}
	return string(value.Append(nil, sortKeys(digest(v))))
}
