package cfn

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/store"
)

// Stack is what is remembered of a stack: the authority on what it consists of and on what is being done to it.
type Stack struct {
	Version         int // of this record's format: 2
	ID              string
	Name            string
	Account, Region string
	Principal       string `json:",omitempty"` // on whose behalf it is deployed
	Parent, Root    string `json:",omitempty"` // ids of the stacks that it is nested in
	Status          string // CREATE_IN_PROGRESS, ROLLBACK_COMPLETE, ...
	Reason          string `json:",omitempty"`
	Created         time.Time
	Updated         time.Time `json:",omitzero"`
	Deleted         time.Time `json:",omitzero"`
	Settings
	Previous  *Settings     `json:",omitempty"` // before the last update: what a rollback goes back to
	Outputs   []OutputValue `json:",omitempty"`
	Imports   []string      `json:",omitempty"` // names of exports that it uses
	Resources []*Record     `json:",omitempty"`
	Garbage   []*Record     `json:",omitempty"` // replaced or given up, still to be deleted
	Operation uint64        // counts creations, updates and deletions
	Began     time.Time     `json:",omitzero"`  // of the operation
	Token     string        `json:",omitempty"` // the client's, of the operation
	ChangeSet string        `json:",omitempty"` // id of the one that the operation carries out
	Cancel    string        `json:",omitempty"` // "delete" or "rollback": what the operation is to be broken off for
	Skip      []string      `json:",omitempty"` // RetainResources of a deletion
	Protected bool          `json:",omitempty"` // termination protection
	Policy    string        `json:",omitempty"` // stack policy document
	Events    uint64        // number of the last event
}

// Settings are what a creation or an update says.
type Settings struct {
	Description     string              `json:",omitempty"`
	Parameters      []ParameterValue    `json:",omitempty"`
	Tags            []map[string]string `json:",omitempty"`
	Capabilities    []string            `json:",omitempty"`
	Notifications   []string            `json:",omitempty"`
	RoleARN         string              `json:",omitempty"`
	DisableRollback bool                `json:",omitempty"`
	OnFailure       string              `json:",omitempty"` // DO_NOTHING, ROLLBACK, DELETE
	TimeoutMinutes  int                 `json:",omitempty"`
	Transforms      []string            `json:",omitempty"` // that the template declared
	File            string              `json:",omitempty"` // the template's name in messages
}

// ParameterValue is one parameter of a deployment; every value is a string.
type ParameterValue struct {
	ParameterKey   string
	ParameterValue string
	ResolvedValue  string `json:",omitempty"` // of a Systems Manager parameter
}

// OutputValue is one output of a stack.
type OutputValue struct {
	OutputKey   string
	OutputValue string
	Description string `json:",omitempty"`
	ExportName  string `json:",omitempty"`
}

// Record is what is remembered of one resource.
type Record struct {
	ID         string // logical id
	Type       string
	Name       string // physical name
	Ref        string `json:",omitempty"` // what Ref gives; "" until it is known
	Attributes map[string]string
	Properties json.RawMessage `json:",omitempty"` // as last deployed, long strings replaced by their digest; none until it was made
	// While an update is under way or has failed: Base is what it started from, Attempt what it wants.
	Base, Attempt json.RawMessage `json:",omitempty"`
	Shown         json.RawMessage `json:",omitempty"` // the properties as events show them, where a NoEcho parameter hides something
	Follows       []string        `json:",omitempty"` // logical ids of what it refers to
	Generation    int             `json:",omitempty"` // how often it was replaced
	Keep          string          `json:",omitempty"` // DeletionPolicy: "Retain", "RetainExceptOnCreate"
	KeepReplaced  bool            `json:",omitempty"` // UpdateReplacePolicy: Retain
	Status        string
	Reason        string `json:",omitempty"`
	Updated       time.Time
	// Block is the first sequence number of the calls of what is under way: they carry it as idempotency tokens. 0 until
	// the first call may have been made.
	Block  uint64  `json:",omitempty"`
	Before *Record `json:",omitempty"` // what it replaces, until the update is complete
}

// made reports whether the resource was once made completely.
func (r *Record) made() bool { return len(r.Properties) > 0 && string(r.Properties) != "null" }

// gone reports whether only the memory of the resource is left.
func (r *Record) gone() bool { return r.Status == "DELETE_COMPLETE" || r.Status == "DELETE_SKIPPED" }

func parsed(raw json.RawMessage) *value.Object {
	if v, err := value.Parse(raw); err == nil {
		if o, ok := v.(*value.Object); ok {
			return o
		}
	}
	return value.NewObject()
}

// Find returns a resource's record by its logical id, or nil.
func (s *Stack) Find(id string) *Record {
	for _, r := range s.Resources {
		if r.ID == id && !r.gone() {
			return r
		}
	}
	return nil
}

// busy reports whether an operation is under way.
func (s *Stack) busy() bool {
	return strings.HasSuffix(s.Status, "_IN_PROGRESS") && s.Status != reviewing
}

// resource is a Scope's Resource over the records.
func (s *Stack) resource(id string) (string, map[string]string, bool) {
	if r := s.Find(id); r != nil && r.made() {
		return r.Ref, r.Attributes, true
	}
	return "", nil, false
}

// scope is what a template of the stack refers to, without its parameters.
func (s *Stack) scope() Scope {
	return Scope{Account: s.Account, Region: s.Region, StackID: s.ID, StackName: s.Name, Notifications: s.Notifications}
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

// Rows, all in the account's and region's own partition:
//
//	name      NAME                    id of the stack of that name that is not deleted
//	stacks    ID                      Stack
//	template  ID KIND                 text: "original", "current" (expanded), and "previous" of both during and after an update
//	event     ID number               Event
//	change    ID CHANGESET            ChangeSet
//	export    NAME                    {stack id, value}
//	import    EXPORT ID               the stack imports it
//	sequence                          last sequence number given out
func nameKey(account, region, name string) store.Key {
	return store.K(store.TableStack, account, region, "name", name)
}

func stackKey(account, region, id string) store.Key {
	return store.K(store.TableStack, account, region, "stacks", id)
}

func templateKey(account, region, id, kind string) store.Key {
	return store.K(store.TableStack, account, region, "template", id, kind)
}

func eventKey(account, region, id string) store.Key {
	return store.K(store.TableStack, account, region, "event", id)
}

func changeKey(account, region, id string) store.Key {
	return store.K(store.TableStack, account, region, "change", id)
}

func exportKey(account, region, name string) store.Key {
	return store.K(store.TableStack, account, region, "export", name)
}

func importKey(account, region, name string) store.Key {
	return store.K(store.TableStack, account, region, "import", name)
}

func sequenceKey(account, region string) store.Key {
	return store.K(store.TableStack, account, region, "sequence")
}

func decodeStack(b []byte) (*Stack, error) {
	var s Stack
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("%w: stack record: %w", store.ErrCorrupt, err)
	}
	if s.Version != 2 {
		return nil, fmt.Errorf("%w (stack record version %d)", store.ErrFormat, s.Version)
	}
	return &s, nil
}

// readStack finds a stack by its id, or by its name if it is not deleted; nil if there is none.
func readStack(rd store.Reader, account, region, nameOrID string) (*Stack, error) {
	id := nameOrID
	if !strings.HasPrefix(id, "arn:") {
		b, err := rd.Get(nameKey(account, region, nameOrID))
		if err != nil || b == nil {
			return nil, err
		}
		id = string(b)
	}
	b, err := rd.Get(stackKey(account, region, id))
	if err != nil || b == nil {
		return nil, err
	}
	return decodeStack(b)
}

// Event is one entry of a stack's history.
type Event struct {
	ID                                string
	LogicalID, PhysicalID, Type       string
	Status, Reason, Properties, Token string `json:",omitempty"`
	At                                time.Time
}
