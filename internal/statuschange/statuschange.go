// Package statuschange tells EventBridge when a Standard execution has started or ended.
//
// The event is an outbox entry that is written in the execution's own transaction, and only if a rule could match it: a
// start or end that is durable has its event exactly once, and costs nothing where nobody listens. The events of one
// execution arrive on the bus in their order.
package statuschange

import (
	"context"
	"encoding/json"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/outbox"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/machine"
)

const (
	source     = "aws.states"
	detailType = "Step Functions Execution Status Change"
	principal  = "states.amazonaws.com"
)

// payloadMax is how large input and output may be together, as they are escaped in the event; larger ones are left out.
const payloadMax = 248 << 10

// Emitter makes the events.
type Emitter struct {
	wanted func(account, region, source, detailType string) bool
	outbox *outbox.Outbox
}

// New makes an emitter; wanted says cheaply whether a rule could match.
func New(env *service.Env, wanted func(account, region, source, detailType string) bool) *Emitter {
	return &Emitter{wanted: wanted, outbox: outbox.New(env, "states")}
}

// Start goes on with the events that are owed.
func (e *Emitter) Start(ctx context.Context) error { return e.outbox.Start(ctx) }

// Close ends the deliveries; the next Start goes on with them.
func (e *Emitter) Close() { e.outbox.Close() }

// Changed is engine.Config.Changed for an execution whose data is kept under p: so is the event, until it is delivered.
func (e *Emitter) Changed(c *engine.Change, p *service.Protection) engine.Write {
	arn, ok := aws.ParseARN(c.ARN)
	if !ok || !e.wanted(arn.Account, arn.Region, source, detailType) {
		return nil
	}
	input, err := service.Marshal(map[string]any{"Entries": []any{map[string]any{
		"Source": source, "DetailType": detailType, "Resources": []string{c.ARN}, "Detail": string(detail(c)), "Time": c.At.Unix(), "Protection": p,
	}}})
	if err != nil {
		panic(err)
	}
	entry := outbox.Entry{Chain: c.ARN, Protection: p, Accepted: c.At, Request: outbox.Call{Service: "events", Operation: "PutEvents",
		Account: arn.Account, Region: arn.Region, Principal: principal, Input: input}}
	return func(p store.Partition, tx store.Tx) (func(), error) { return e.outbox.Put(p, tx, entry) }
}

var names = map[machine.Status]string{machine.Running: "RUNNING", machine.Succeeded: "SUCCEEDED", machine.Failed: "FAILED",
	machine.TimedOut: "TIMED_OUT", machine.Aborted: "ABORTED"}

// included says whether a payload is in the event.
type included struct {
	Included bool `json:"included"`
}

// body is an event's detail, with AWS's members in AWS's order; what there is not is null.
type body struct {
	ExecutionARN           string    `json:"executionArn"`
	StateMachineARN        string    `json:"stateMachineArn"`
	Name                   string    `json:"name"`
	Status                 string    `json:"status"`
	StartDate              int64     `json:"startDate"` // ms
	StopDate               *int64    `json:"stopDate"`
	Input                  *string   `json:"input"`
	Output                 *string   `json:"output"`
	StateMachineVersionARN *string   `json:"stateMachineVersionArn"`
	StateMachineAliasARN   *string   `json:"stateMachineAliasArn"`
	RedriveCount           uint32    `json:"redriveCount"`
	RedriveDate            *int64    `json:"redriveDate"`
	RedriveStatus          string    `json:"redriveStatus"`
	RedriveStatusReason    string    `json:"redriveStatusReason"`
	InputDetails           included  `json:"inputDetails"`
	OutputDetails          *included `json:"outputDetails"`
	Error                  *string   `json:"error"`
	Cause                  *string   `json:"cause"`
}

func detail(c *engine.Change) json.RawMessage {
	status := names[c.Status]
	b := body{ExecutionARN: c.ARN, StateMachineARN: c.MachineARN, Name: c.Name, Status: status, StartDate: c.StartMs(),
		StateMachineVersionARN: orNull(c.VersionARN), StateMachineAliasARN: orNull(c.AliasARN),
		RedriveCount: c.Redrives, RedriveStatus: "NOT_REDRIVABLE", RedriveStatusReason: c.NotRedrivable, Error: c.Error, Cause: c.Cause}
	if c.Status != machine.Running {
		at := c.At.UnixMilli()
		b.StopDate = &at
	}
	if c.Redrives > 0 {
		at := c.Redriven.UnixMilli()
		b.RedriveDate = &at
	}
	if c.NotRedrivable == "" {
		b.RedriveStatus, b.RedriveStatusReason = "REDRIVABLE", "Execution is "+status+" and is redrivable"
	}
	in, size := payload(c.Input, 0)
	b.Input, b.InputDetails = in, included{in != nil}
	if c.Output != nil {
		out, _ := payload(c.Output, size)
		b.Output, b.OutputDetails = out, &included{out != nil}
	}
	text, err := service.Marshal(b)
	if err != nil {
		panic(err)
	}
	return text
}

// payload is a document's text, nil if it would make the event too large.
func payload(d *value.Doc, before int) (text *string, size int) {
	s := string(d.Bytes())
	if size = before + len(value.AppendString(nil, s)); size > payloadMax {
		return nil, before
	}
	return &s, size
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
