package cfn

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// ChangeSet is a prepared creation or update that waits to be carried out.
type ChangeSet struct {
	ID, Name, StackID   string
	Type                string // CREATE, UPDATE
	Status, Reason      string // CREATE_COMPLETE, FAILED
	Execution           string // AVAILABLE, UNAVAILABLE, EXECUTE_COMPLETE
	About               string `json:",omitempty"`
	Created             time.Time
	Token               string `json:",omitempty"`
	Operation           uint64 // of the stack when it was made
	Settings            Settings
	Original, Processed string
	Changes             []change
}

// executed change sets are kept for who asks by their id; their names are free.
const executed = "EXECUTE_COMPLETE"

func changeSetKey(st *Stack, id string) store.Key {
	return changeKey(st.Account, st.Region, st.ID).Str(id)
}

func (s *Service) createChangeSet(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in request
	if err := decodeRequest(c.Request, &in); err != nil {
		return nil, err
	}
	if in.ChangeSetType == "" {
		in.ChangeSetType = "UPDATE"
	}
	if in.ChangeSetType == "IMPORT" {
		return nil, invalid("Newel does not support change sets of type IMPORT yet; supported: CREATE, UPDATE")
	}
	old, err := s.load(ctx, c.Account, c.Region, in.StackName)
	if err != nil {
		return nil, err
	}
	if err := reviewable(&in, old); err != nil {
		return nil, err
	}
	fresh := old == nil
	if fresh {
		id := stackID(c.Account, c.Region, in.StackName, uuid())
		old = &Stack{Version: 2, ID: id, Name: in.StackName, Account: c.Account, Region: c.Region, Principal: c.Principal, Created: c.Now, Status: reviewing}
	}
	p, err := s.prepare(ctx, callerOf(c.Request), &in, old, old.ID)
	if err != nil {
		return nil, err
	}
	if in.ChangeSetType == "UPDATE" {
		inherit(&in, c.Request, p, old)
	}
	list, err := s.changes(ctx, old, p)
	if err != nil {
		return nil, err
	}
	set := &ChangeSet{
		Name: in.ChangeSetName, StackID: old.ID, Type: in.ChangeSetType, Status: "CREATE_COMPLETE", Execution: "AVAILABLE", About: in.Description, Created: c.Now,
		Token: in.ClientRequestToken, Operation: old.Operation, Settings: p.Settings, Original: p.Original, Processed: p.Current, Changes: list.Changes,
	}
	set.ID = aws.ARN{Service: "cloudformation", Region: c.Region, Account: c.Account, Resource: "changeSet/" + set.Name + "/" + uuid()}.String()
	if !list.any() && sameSettings(&old.Settings, &p.Settings) {
		set.Status, set.Execution = "FAILED", "UNAVAILABLE"
		set.Reason = "The submitted information didn't contain changes. Submit different information to create a change set."
	}
	return s.commitChangeSet(ctx, c, old, set, fresh)
}

// reviewable checks that the stack fits the change set's type.
func reviewable(in *request, old *Stack) error {
	switch {
	case !stackNamePattern.MatchString(stackNameOf(in.StackName)):
		return invalid("1 validation error detected: Value '%s' at 'stackName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*", in.StackName)
	case in.ChangeSetType == "CREATE" && old != nil && old.Status != reviewing:
		return invalid("Stack [%s] already exists and cannot be created again with the changeSet [%s].", in.StackName, in.ChangeSetName)
	case in.ChangeSetType == "UPDATE" && (old == nil || old.Status == "DELETE_COMPLETE" || old.Status == reviewing):
		return invalid("Stack [%s] does not exist", in.StackName)
	case in.ChangeSetType == "UPDATE" && !slices.Contains(updatable, old.Status):
		return notUpdatable(old)
	}
	return nil
}

func (s *Service) commitChangeSet(ctx context.Context, c *service.Context, old *Stack, set *ChangeSet, fresh bool) (*aws.Output, error) {
	out, err := s.Update(ctx, c, s.partition(c.Account, c.Region), func(c *service.Context, tx store.Tx) (any, error) {
		if again, err := findChangeSet(tx, old, set.Name); err != nil || again != nil {
			if again != nil {
				err = aws.Errorf("AlreadyExistsException", "ChangeSet %s cannot be created due to a mismatch with existing attribute(s): it already exists", set.Name)
			}
			return nil, err
		}
		if fresh {
			if b, err := tx.Get(nameKey(old.Account, old.Region, old.Name)); err != nil || b != nil {
				return nil, exists(old.Name)
			}
			tx.Set(nameKey(old.Account, old.Region, old.Name), []byte(old.ID))
			st := *old
			var events []Event
			status(&st, reviewing, "User Initiated", c.Now, func(e Event) { events = append(events, e) })
			if err := put(tx, &st, events); err != nil {
				return nil, err
			}
		}
		return map[string]string{"Id": set.ID, "StackId": old.ID}, putChangeSet(tx, old, set)
	})
	if err != nil {
		return nil, service.Wire(err)
	}
	return service.Answer(out), nil
}

func putChangeSet(tx store.Tx, st *Stack, set *ChangeSet) error {
	b, err := json.Marshal(set)
	if err != nil {
		return err
	}
	tx.Set(changeSetKey(st, set.ID), b)
	return nil
}

func changeSets(rd store.Reader, st *Stack) ([]*ChangeSet, error) {
	prefix := changeKey(st.Account, st.Region, st.ID)
	var out []*ChangeSet
	for _, b := range rd.Scan(prefix, prefix.End(), false) {
		var set ChangeSet
		if err := json.Unmarshal(b, &set); err != nil {
			return nil, fmt.Errorf("%w: change set: %w", store.ErrCorrupt, err)
		}
		out = append(out, &set)
	}
	slices.SortFunc(out, func(a, b *ChangeSet) int { return a.Created.Compare(b.Created) })
	return out, nil
}

func findChangeSet(rd store.Reader, st *Stack, nameOrID string) (*ChangeSet, error) {
	list, err := changeSets(rd, st)
	for _, set := range list {
		if set.ID == nameOrID || set.Name == nameOrID && set.Execution != executed {
			return set, err
		}
	}
	return nil, err
}

// changeSetRequest is how operations name a change set: by its id, or by name and stack.
type changeSetRequest struct{ ChangeSetName, StackName, NextToken, ClientRequestToken string }

// named finds the change set of a request and its stack.
func named(c *service.Context, rd store.Reader, in *changeSetRequest) (*Stack, *ChangeSet, error) {
	missing := aws.Errorf("ChangeSetNotFound", "ChangeSet [%s] does not exist", in.ChangeSetName)
	missing.Status = 404
	var candidates []*Stack
	if in.StackName != "" {
		st, err := readStack(rd, c.Account, c.Region, in.StackName)
		if err != nil {
			return nil, nil, err
		}
		if st == nil {
			return nil, nil, invalid("Stack [%s] does not exist", in.StackName)
		}
		candidates = []*Stack{st}
	} else {
		if !strings.HasPrefix(in.ChangeSetName, "arn:") {
			return nil, nil, invalid("StackName must be specified if ChangeSetName is not specified as an ARN.")
		}
		var err error
		if candidates, err = stacksOf(rd, c.Account, c.Region); err != nil {
			return nil, nil, err
		}
	}
	for _, st := range candidates {
		if set, err := findChangeSet(rd, st, in.ChangeSetName); err != nil || set != nil {
			return st, set, err
		}
	}
	return nil, nil, missing
}

func (s *Service) executeChangeSet(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in changeSetRequest
	if err := decodeRequest(c.Request, &in); err != nil {
		return nil, err
	}
	out, err := s.Update(ctx, c, s.partition(c.Account, c.Region), func(c *service.Context, tx store.Tx) (any, error) {
		st, set, err := named(c, tx, &in)
		if err != nil {
			return nil, err
		}
		if set.Execution != "AVAILABLE" {
			e := aws.Errorf("InvalidChangeSetStatus", "ChangeSet [%s] cannot be executed in its current status of [%s]", set.ID, set.Status)
			return nil, e
		}
		if st.Operation != set.Operation || set.Type == "UPDATE" && !slices.Contains(updatable, st.Status) {
			return nil, notUpdatable(st)
		}
		to := "CREATE_IN_PROGRESS"
		if set.Type == "UPDATE" {
			to = "UPDATE_IN_PROGRESS"
			previous := st.Settings
			st.Previous = &previous
			for from, into := range map[string]string{"original": "previous original", "current": "previous"} {
				if err := copyTemplate(tx, st, from, into); err != nil {
					return nil, err
				}
			}
			st.Updated = c.Now
			st.Resources = slices.DeleteFunc(st.Resources, (*Record).gone)
		}
		st.ChangeSet, st.Token = set.ID, firstText(in.ClientRequestToken, set.Token)
		list, err := changeSets(tx, st)
		if err != nil {
			return nil, err
		}
		for _, o := range list { // the others no longer fit the stack
			tx.Delete(changeSetKey(st, o.ID))
		}
		set.Execution = executed
		if err := putChangeSet(tx, st, set); err != nil {
			return nil, err
		}
		p := &prepared{Settings: set.Settings, Original: set.Original, Current: set.Processed}
		_, err = s.launch(c, tx, st, p, to)
		return nil, err
	})
	if err != nil {
		return nil, service.Wire(err)
	}
	return service.Answer(out), nil
}

func deleteChangeSet(c *service.Context, tx store.Tx) (any, error) {
	var in changeSetRequest
	if err := decodeRequest(c.Request, &in); err != nil {
		return nil, err
	}
	st, set, err := named(c, tx, &in)
	if isCode(err, []string{"ChangeSetNotFound"}) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	tx.Delete(changeSetKey(st, set.ID))
	return nil, nil
}

func listChangeSets(c *service.Context, rd store.Reader) (any, error) {
	var in struct{ StackName string }
	if err := decodeRequest(c.Request, &in); err != nil {
		return nil, err
	}
	st, err := readStack(rd, c.Account, c.Region, in.StackName)
	if err != nil {
		return nil, err
	}
	if st == nil {
		return nil, invalid("Stack [%s] does not exist", in.StackName)
	}
	list, err := changeSets(rd, st)
	out := []map[string]any{}
	for _, set := range list {
		if set.Execution != executed {
			out = append(out, changeSetSummary(st, set))
		}
	}
	return map[string]any{"Summaries": out}, err
}

func changeSetSummary(st *Stack, set *ChangeSet) map[string]any {
	m := map[string]any{"StackId": st.ID, "StackName": st.Name, "ChangeSetId": set.ID, "ChangeSetName": set.Name, "Status": set.Status,
		"ExecutionStatus": set.Execution, "CreationTime": seconds(set.Created), "IncludeNestedStacks": false}
	if set.Reason != "" {
		m["StatusReason"] = set.Reason
	}
	if set.About != "" {
		m["Description"] = set.About
	}
	return m
}

func describeChangeSet(c *service.Context, rd store.Reader) (any, error) {
	var in changeSetRequest
	if err := decodeRequest(c.Request, &in); err != nil {
		return nil, err
	}
	st, set, err := named(c, rd, &in)
	if err != nil {
		return nil, err
	}
	m := changeSetSummary(st, set)
	changes := []map[string]any{}
	for _, ch := range set.Changes {
		changes = append(changes, map[string]any{"Type": "Resource", "ResourceChange": ch.describe()})
	}
	t, err := Parse(set.Settings.File, []byte(set.Processed))
	if err != nil {
		return nil, err
	}
	m["Changes"], m["Parameters"], m["Tags"] = changes, shownParameters(t, set.Settings.Parameters), orEmpty(set.Settings.Tags)
	m["Capabilities"], m["NotificationARNs"] = orEmpty(set.Settings.Capabilities), orEmpty(set.Settings.Notifications)
	return m, nil
}

func (ch *change) describe() map[string]any {
	m := map[string]any{"Action": ch.Action, "LogicalResourceId": ch.ID, "ResourceType": ch.Type}
	if ch.Ref != "" {
		m["PhysicalResourceId"] = ch.Ref
	}
	details := []map[string]any{}
	for _, d := range ch.Properties {
		details = append(details, map[string]any{
			"Target": map[string]string{"Attribute": "Properties", "Name": d.Name, "RequiresRecreation": d.Recreation}, "Evaluation": "Static", "ChangeSource": "DirectModification",
		})
	}
	m["Scope"], m["Details"] = []string{}, details
	if ch.Action == "Modify" {
		m["Replacement"] = ch.Replacement
		m["Scope"] = []string{"Properties"}
	}
	return m
}
