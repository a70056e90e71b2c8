package states

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"strings"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// head is what can change about a state machine.
type head struct {
	ARN      string `json:"arn"`
	Name     string `json:"name"`
	Type     string `json:"type"`
	Created  int64  `json:"created"` // epoch milliseconds
	Revision string `json:"rev"`     // id of the current revision record
	Tags     []tag  `json:"tags,omitempty"`
	Deleting bool   `json:"deleting,omitempty"`

	LastVersion int64  `json:"last,omitempty"`      // number of the newest version ever published
	Published   string `json:"published,omitempty"` // revision that it was made of
	Format      int    `json:"v"`                   // version of the record
}

// revision is what an execution keeps for its whole life.
type revision struct {
	Machine    string          `json:"machine"`
	Name       string          `json:"name"`
	Type       string          `json:"type"`
	ID         string          `json:"id,omitempty"` // revisionId; the first one has none
	Definition string          `json:"definition"`
	Sealed     []byte          `json:"sealed,omitempty"` // the definition, as it is kept with a customer managed key
	RoleARN    string          `json:"role"`
	Logging    json.RawMessage `json:"logging"`
	Tracing    json.RawMessage `json:"tracing"`
	Untraced   bool            `json:"untraced,omitempty"` // tracing was given, and says no
	Encryption json.RawMessage `json:"encryption,omitempty"`
	Updated    int64           `json:"updated"` // epoch milliseconds
	// Variables are the workflow variables that each state reads.
	Variables map[string][]string `json:"variables,omitempty"`
}

type tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

const (
	noLogging = `{"includeExecutionData":false,"level":"OFF"}`
	noTracing = `{"enabled":false}`
)

func headKey(arn string) store.Key     { return store.K(store.TableMachine, "head", arn) }
func revisionKey(id string) store.Key  { return store.K(store.TableMachine, "rev", id) }
func revisionID(arn, id string) string { return arn + "#" + id }

func readHead(rd store.Reader, arn string) (*head, error) {
	b, err := rd.Get(headKey(arn))
	if err != nil || b == nil {
		return nil, err
	}
	h := &head{}
	return h, json.Unmarshal(b, h)
}

// machineOf reads the machine that a request names by its unqualified ARN, or answers that there is none.
func machineOf(c *service.Context, rd store.Reader) (*head, error) {
	var in struct{ StateMachineArn string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	h, err := readHead(rd, in.StateMachineArn)
	if err == nil && h == nil {
		err = noMachine(in.StateMachineArn)
	}
	return h, err
}

func writeHead(tx store.Tx, h *head) error {
	h.Format = 1
	b, err := service.Marshal(h)
	if err == nil {
		tx.Set(headKey(h.ARN), b)
	}
	return err
}

// readRevision reads a revision whose definition may be sealed (openRevision).
func readRevision(rd store.Reader, id string) (*revision, error) {
	b, err := rd.Get(revisionKey(id))
	if err != nil || b == nil {
		return nil, err
	}
	r := &revision{}
	return r, json.Unmarshal(b, r)
}

// openRevision reads a revision with its definition.
func openRevision(env *service.Env, rd store.Reader, id string) (*revision, error) {
	r, err := readRevision(rd, id)
	if err != nil || r == nil || r.Sealed == nil {
		return r, err
	}
	text, err := env.Open(r.protection(), r.Sealed)
	r.Definition, r.Sealed = string(text), nil
	return r, err
}

func writeRevision(env *service.Env, tx store.Tx, id string, r *revision) error {
	kept := *r
	if p := r.protection(); p != nil {
		sealed, err := env.Seal(p, []byte(r.Definition))
		if err != nil {
			return err
		}
		kept.Definition, kept.Sealed = "", sealed
	}
	b, err := service.Marshal(&kept)
	if err == nil {
		tx.Set(revisionKey(id), b)
	}
	return err
}

// untraced reports whether a tracing configuration is there and says no.
func untraced(raw json.RawMessage) bool {
	var c struct{ Enabled *bool }
	return json.Unmarshal(raw, &c) == nil && c.Enabled != nil && !*c.Enabled
}

func noMachine(arn string) *aws.Error {
	return aws.Errorf("StateMachineDoesNotExist", "State Machine Does Not Exist: '%s'", arn)
}

type machineInput struct {
	Name                    string
	Definition              *string
	RoleArn                 *string
	Type                    string
	LoggingConfiguration    json.RawMessage
	TracingConfiguration    json.RawMessage
	EncryptionConfiguration json.RawMessage
	Tags                    []tag
	Publish                 bool
	VersionDescription      string
	StateMachineArn         string
}

// compile checks a definition as the API does at create and update time.
func (s *Service) compile(definition, machineType string) (*asl.Definition, error) {
	d, diagnostics := asl.Compile([]byte(definition), asl.Options{Express: machineType == "EXPRESS", Resource: s.resource})
	if d == nil {
		return nil, aws.Errorf("InvalidDefinition", "Invalid State Machine Definition: '%s'", asl.InvalidDefinition(diagnostics))
	}
	return d, nil
}

func (s *Service) createStateMachine(c *service.Context, tx store.Tx) (any, error) {
	var in machineInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	in.Type = cmp.Or(in.Type, "STANDARD")
	if err := checkName(in.Name); err != nil {
		return nil, err
	}
	if in.VersionDescription != "" && !in.Publish {
		return nil, aws.Errorf("ValidationException", "Version description can only be set when publish is true")
	}
	if in.Definition == nil || in.RoleArn == nil {
		return nil, aws.Errorf("ValidationException", "definition and roleArn are required")
	}
	d, err := s.compile(*in.Definition, in.Type)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(*in.RoleArn, "arn:") {
		return nil, invalidARN("Invalid ARN prefix: %s", *in.RoleArn)
	}
	arn := newARN(c.Request, "stateMachine:"+in.Name)
	r := &revision{Machine: arn, Name: in.Name, Type: in.Type, Definition: *in.Definition, Variables: d.VariableReferences, RoleARN: *in.RoleArn,
		Logging: in.LoggingConfiguration, Tracing: rawOr(in.TracingConfiguration, noTracing), Untraced: untraced(in.TracingConfiguration),
		Encryption: rawOr(in.EncryptionConfiguration, ""), Updated: c.Now.UnixMilli()}
	if err := s.checkRevision(r); err != nil {
		return nil, err
	}
	old, err := readHead(tx, arn)
	if err != nil {
		return nil, err
	}
	if old != nil {
		return s.createdBefore(c, tx, old, r, in.Publish)
	}
	h := &head{ARN: arn, Name: in.Name, Type: in.Type, Created: c.Now.UnixMilli(), Revision: revisionID(arn, aws.NewUUID())}
	if h.Tags, err = mergeTags(nil, in.Tags); err != nil {
		return nil, err
	}
	if err := writeRevision(c.Env, tx, h.Revision, r); err != nil {
		return nil, err
	}
	c.After = append(c.After, func() { s.revisions.forget(arn) })
	out := map[string]any{"stateMachineArn": arn, "creationDate": epoch(h.Created)}
	if in.Publish {
		v, err := publish(tx, h, in.VersionDescription, c.Now.UnixMilli())
		if err != nil {
			return nil, err
		}
		out["stateMachineVersionArn"] = versionARN(arn, v.Number)
	}
	return out, writeHead(tx, h)
}

// createdBefore answers a create whose name is taken: the same again is answered as before, by the definition's text.
func (s *Service) createdBefore(c *service.Context, tx store.Tx, old *head, r *revision, publishing bool) (any, error) {
	was, err := openRevision(c.Env, tx, old.Revision)
	if err != nil {
		return nil, err
	}
	same := was.Definition == r.Definition && was.Type == r.Type && bytes.Equal(was.Logging, r.Logging) &&
		bytes.Equal(was.Tracing, r.Tracing) && bytes.Equal(was.Encryption, r.Encryption)
	if !same {
		return nil, aws.Errorf("StateMachineAlreadyExists", "State Machine Already Exists: '%s'", old.ARN)
	}
	out := map[string]any{"stateMachineArn": old.ARN, "creationDate": epoch(old.Created)}
	if !publishing {
		return out, nil
	}
	v, err := publish(tx, old, "", c.Now.UnixMilli())
	if err != nil {
		return nil, err
	}
	out["stateMachineVersionArn"] = versionARN(old.ARN, v.Number)
	return out, writeHead(tx, old)
}

// checkRevision fills in defaults and refuses what this version cannot honour, naming it.
func (s *Service) checkRevision(r *revision) error {
	var err error
	if r.Logging, err = normalLogging(r.Logging); err != nil {
		return err
	}
	if _, err = checkEncryption(r.Encryption); err == nil {
		_, err = s.env.Seal(r.protection(), nil)
	}
	return err
}

func checkEncryption(raw json.RawMessage) (e encryption, err error) {
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &e); err != nil {
			return e, aws.Errorf("InvalidEncryptionConfiguration", "Invalid Encryption Configuration: %s", err)
		}
	}
	return e, e.check()
}

func unsupported(what string) *aws.Error {
	return aws.Errorf("ValidationException", "Newel does not support %s yet.", what)
}

func (s *Service) updateStateMachine(c *service.Context, tx store.Tx) (any, error) {
	var in machineInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	h, err := machineOf(c, tx)
	if err != nil {
		return nil, err
	}
	arn := h.ARN
	if in.VersionDescription != "" && !in.Publish {
		return nil, aws.Errorf("ValidationException", "Version description can only be set when publish is true")
	}
	if !in.Publish && in.Definition == nil && in.RoleArn == nil && in.LoggingConfiguration == nil && in.TracingConfiguration == nil && in.EncryptionConfiguration == nil {
		return nil, aws.Errorf("MissingRequiredParameter", "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be specified")
	}
	was, err := openRevision(c.Env, tx, h.Revision)
	if err != nil {
		return nil, err
	}
	now := *was
	if in.Definition != nil {
		now.Definition = *in.Definition
		d, err := s.compile(now.Definition, h.Type)
		if err != nil {
			return nil, err
		}
		now.Variables = d.VariableReferences
	}
	if in.RoleArn != nil {
		now.RoleARN = *in.RoleArn
		if !strings.HasPrefix(now.RoleARN, "arn:") {
			return nil, invalidARN("Invalid ARN prefix: %s", now.RoleARN)
		}
	}
	now.Logging = rawOr(in.LoggingConfiguration, string(was.Logging))
	if in.TracingConfiguration != nil {
		now.Tracing, now.Untraced = rawOr(in.TracingConfiguration, noTracing), untraced(in.TracingConfiguration)
	}
	now.Encryption = rawOr(in.EncryptionConfiguration, string(was.Encryption))
	if err := s.checkRevision(&now); err != nil {
		return nil, err
	}
	out := map[string]any{"updateDate": epochOf(c.Now)}
	if !same(was, &now) {
		now.ID, now.Updated = aws.NewUUID(), c.Now.UnixMilli()
		h.Revision = revisionID(arn, now.ID)
		if err := writeRevision(c.Env, tx, h.Revision, &now); err != nil {
			return nil, err
		}
		c.After = append(c.After, func() { s.revisions.forget(arn) })
	}
	if now.ID != "" {
		out["revisionId"] = now.ID
	}
	if in.Publish {
		v, err := publish(tx, h, in.VersionDescription, c.Now.UnixMilli())
		if err != nil {
			return nil, err
		}
		out["stateMachineVersionArn"] = versionARN(arn, v.Number)
	}
	return out, writeHead(tx, h)
}

func same(a, b *revision) bool {
	return a.Definition == b.Definition && a.RoleARN == b.RoleARN && bytes.Equal(a.Logging, b.Logging) &&
		bytes.Equal(a.Tracing, b.Tracing) && bytes.Equal(a.Encryption, b.Encryption)
}

// deleteStateMachine answers success for a machine that is not there, as AWS does. Running executions keep their
// revision and are stopped.
func (s *Service) deleteStateMachine(c *service.Context, tx store.Tx) (any, error) {
	arn, err := machineByARN(c.Request)
	if err != nil {
		return nil, err
	}
	tx.Delete(headKey(arn))
	for _, kind := range []string{"version", "alias"} {
		rows := store.K(store.TableMachine, kind, arn)
		for k := range tx.Scan(rows, rows.End(), false) {
			tx.Delete(k)
		}
	}
	c.After = append(c.After, func() {
		s.revisions.forget(arn)
		s.engine.StopAll(arn)
	})
	return nil, nil
}

func (s *Service) describeStateMachine(c *service.Context, rd store.Reader) (any, error) {
	var in struct{ StateMachineArn, IncludedData string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	n, err := parseType(in.StateMachineArn, "stateMachine")
	if err != nil {
		return nil, err
	}
	t, err := resolve(rd, n)
	if err != nil {
		return nil, err
	}
	if t == nil || t.aliasARN != "" {
		return nil, noMachine(in.StateMachineArn)
	}
	r, err := describedRevision(c.Env, rd, t.revision, in.IncludedData)
	if err != nil {
		return nil, err
	}
	out := r.describe()
	out["status"], out["type"], out["creationDate"] = "ACTIVE", t.head.Type, epoch(t.head.Created)
	if t.version != nil {
		out["stateMachineArn"], out["creationDate"] = t.versionARN, epoch(t.version.Created)
		if t.version.Description != "" {
			out["description"] = t.version.Description
		}
	}
	return out, nil
}

// describedRevision reads a revision, with METADATA_ONLY without what a customer managed key encrypts.
func describedRevision(env *service.Env, rd store.Reader, id, includedData string) (*revision, error) {
	if includedData != "METADATA_ONLY" {
		return openRevision(env, rd, id)
	}
	r, err := readRevision(rd, id)
	if r != nil {
		r.Definition = "{}"
	}
	return r, err
}

// describe has the members that DescribeStateMachine and DescribeStateMachineForExecution share. AWS adds
// encryptionConfiguration also where none was given; recordings before and after that change differ (docs/conformance.md).
func (r *revision) describe() map[string]any {
	out := map[string]any{
		"stateMachineArn": r.Machine, "name": r.Name, "definition": r.Definition, "roleArn": r.RoleARN,
		"loggingConfiguration": r.Logging, "tracingConfiguration": r.Tracing,
	}
	if r.ID != "" {
		out["revisionId"] = r.ID
	}
	if len(r.Variables) > 0 {
		out["variableReferences"] = r.Variables
	}
	if len(r.Encryption) > 0 {
		out["encryptionConfiguration"] = r.Encryption
	}
	return out
}

// validateDefinition is ValidateStateMachineDefinition.
func (s *Service) validateDefinition(_ context.Context, c *service.Context) (any, error) {
	var in struct {
		Definition string
		Type       string
		Severity   string
		MaxResults int
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	d, found := asl.Compile([]byte(in.Definition), asl.Options{Express: in.Type == "EXPRESS", Resource: s.resource})
	result := "OK"
	if d == nil {
		result = "FAIL"
	}
	list := []map[string]any{}
	for _, x := range found {
		if x.Severity == asl.SeverityWarning && in.Severity != "WARNING" {
			continue
		}
		m := map[string]any{"severity": x.Severity, "code": x.Code, "message": x.Message}
		if x.Location != "" {
			m["location"] = x.Location
		}
		list = append(list, m)
	}
	limit := pageSize(in.MaxResults)
	truncated := len(list) > limit
	return map[string]any{"result": result, "diagnostics": list[:min(limit, len(list))], "truncated": truncated}, nil
}
