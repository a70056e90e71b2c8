package cfn

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// stacksOf reads all stacks of an account and region, the newest first, deleted ones too.
func stacksOf(rd store.Reader, account, region string) ([]*Stack, error) {
	prefix := store.K(store.TableStack, account, region, "stacks")
	var out []*Stack
	for _, b := range rd.Scan(prefix, prefix.End(), false) {
		s, err := decodeStack(b)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	slices.SortStableFunc(out, func(a, b *Stack) int { return b.Created.Compare(a.Created) })
	return out, nil
}

// pageSize is how many rows a page of a list has.
const pageSize = 100

// page cuts one page out of a list; a token is the number of rows before it.
func page[T any](list []T, token string) (rows []T, next string, err error) {
	from := 0
	if token != "" {
		if from, err = strconv.Atoi(token); err != nil || from < 0 || from > len(list) {
			return nil, "", invalid("Invalid NextToken")
		}
	}
	rows = list[from:]
	if len(rows) > pageSize {
		rows, next = rows[:pageSize], strconv.Itoa(from+pageSize)
	}
	return rows, next, nil
}

func withNext(m map[string]any, next string) map[string]any {
	if next != "" {
		m["NextToken"] = next
	}
	return m
}

// oneStack decodes a request that names a stack and reads it.
func oneStack(c *service.Context, rd store.Reader, in any, name *string) (*Stack, error) {
	if err := decodeRequest(c.Request, in); err != nil {
		return nil, err
	}
	if *name == "" {
		return nil, invalid("1 validation error detected: Value null at 'stackName' failed to satisfy constraint: Member must not be null")
	}
	st, err := readStack(rd, c.Account, c.Region, *name)
	if err == nil && st == nil {
		err = unknown(*name)
	}
	return st, err
}

func describeStacks(c *service.Context, rd store.Reader) (any, error) {
	var in struct{ StackName, NextToken string }
	if err := decodeRequest(c.Request, &in); err != nil {
		return nil, err
	}
	var list []*Stack
	if in.StackName != "" {
		st, err := oneStack(c, rd, &in, &in.StackName)
		if err != nil {
			return nil, err
		}
		list = []*Stack{st}
	} else {
		every, err := stacksOf(rd, c.Account, c.Region)
		if err != nil {
			return nil, err
		}
		list = slices.DeleteFunc(every, func(s *Stack) bool { return s.Status == "DELETE_COMPLETE" })
	}
	list, next, err := page(list, in.NextToken)
	out := []map[string]any{}
	for _, s := range list {
		m, err := describeStack(rd, s)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return withNext(map[string]any{"Stacks": out}, next), err
}

func describeStack(rd store.Reader, s *Stack) (map[string]any, error) {
	m := summary(s)
	delete(m, "TemplateDescription")
	delete(m, "DriftInformation")
	b, err := rd.Get(templateKey(s.Account, s.Region, s.ID, "current"))
	if err != nil {
		return nil, err
	}
	var t *Template
	if b != nil {
		t, _ = Parse(s.File, b) // shown without NoEcho's knowledge never happens: the text was parsed before it was stored
	}
	m["Parameters"], m["Outputs"], m["Tags"] = shownParameters(t, s.Parameters), orEmpty(s.Outputs), orEmpty(s.Tags)
	m["Capabilities"], m["NotificationARNs"] = orEmpty(s.Capabilities), orEmpty(s.Notifications)
	m["DisableRollback"], m["EnableTerminationProtection"] = s.DisableRollback, s.Protected
	m["RollbackConfiguration"] = map[string]any{}
	m["DriftInformation"] = map[string]string{"StackDriftStatus": "NOT_CHECKED"}
	for name, text := range map[string]string{"Description": s.Description, "RoleARN": s.RoleARN, "ChangeSetId": s.ChangeSet} {
		if text != "" {
			m[name] = text
		}
	}
	if s.TimeoutMinutes > 0 {
		m["TimeoutInMinutes"] = s.TimeoutMinutes
	}
	return m, nil
}

// shownParameters hides the values that the template says must not be shown.
func shownParameters(t *Template, values []ParameterValue) []ParameterValue {
	out := orEmpty(slices.Clone(values))
	for i, v := range out {
		if t == nil {
			continue
		}
		if q := t.parameter(v.ParameterKey); q != nil && q.NoEcho {
			out[i].ParameterValue, out[i].ResolvedValue = hidden, ""
		}
	}
	return out
}

func summary(s *Stack) map[string]any {
	m := map[string]any{"StackId": s.ID, "StackName": s.Name, "CreationTime": seconds(s.Created), "StackStatus": s.Status,
		"DriftInformation": map[string]string{"StackDriftStatus": "NOT_CHECKED"}}
	if !s.Updated.IsZero() {
		m["LastUpdatedTime"] = seconds(s.Updated)
	}
	if !s.Deleted.IsZero() {
		m["DeletionTime"] = seconds(s.Deleted)
	}
	for name, text := range map[string]string{"StackStatusReason": s.Reason, "ParentId": s.Parent, "RootId": s.Root, "TemplateDescription": s.Description} {
		if text != "" {
			m[name] = text
		}
	}
	return m
}

func listStacks(c *service.Context, rd store.Reader) (any, error) {
	var in struct {
		StackStatusFilter []string
		NextToken         string
	}
	if err := decodeRequest(c.Request, &in); err != nil {
		return nil, err
	}
	list, err := stacksOf(rd, c.Account, c.Region)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(s *Stack) bool {
		return len(in.StackStatusFilter) > 0 && !slices.Contains(in.StackStatusFilter, s.Status)
	})
	list, next, err := page(list, in.NextToken)
	out := []map[string]any{}
	for _, s := range list {
		out = append(out, summary(s))
	}
	return withNext(map[string]any{"StackSummaries": out}, next), err
}

// describeEvents lists a stack's events, the newest first. A token is the number of the first event of the next page.
func describeEvents(c *service.Context, rd store.Reader) (any, error) {
	var in struct{ StackName, NextToken string }
	st, err := oneStack(c, rd, &in, &in.StackName)
	if err != nil {
		return nil, err
	}
	prefix := eventKey(st.Account, st.Region, st.ID)
	end := prefix.End()
	if in.NextToken != "" {
		n, err := strconv.ParseUint(in.NextToken, 10, 64)
		if err != nil {
			return nil, invalid("Invalid NextToken")
		}
		end = prefix.U64(n + 1)
	}
	out := []map[string]any{}
	next := ""
	for k, b := range rd.Scan(prefix, end, true) {
		if len(out) == pageSize {
			next = strconv.FormatUint(number64(k), 10)
			break
		}
		var e Event
		if err := json.Unmarshal(b, &e); err != nil {
			return nil, fmt.Errorf("%w: event: %w", store.ErrCorrupt, err)
		}
		out = append(out, e.describe(st))
	}
	return withNext(map[string]any{"StackEvents": out}, next), nil
}

func number64(key []byte) (n uint64) {
	for _, b := range key[len(key)-8:] {
		n = n<<8 | uint64(b)
	}
	return n
}

func (e *Event) describe(st *Stack) map[string]any {
	m := map[string]any{"StackId": st.ID, "StackName": st.Name, "EventId": e.ID, "LogicalResourceId": e.LogicalID, "PhysicalResourceId": e.PhysicalID,
		"ResourceType": e.Type, "ResourceStatus": e.Status, "Timestamp": seconds(e.At)}
	for name, text := range map[string]string{"ResourceStatusReason": e.Reason, "ResourceProperties": e.Properties, "ClientRequestToken": e.Token} {
		if text != "" {
			m[name] = text
		}
	}
	return m
}

// shownResources are the records that a stack's resources are listed from.
func shownResources(s *Stack) []*Record {
	out := slices.DeleteFunc(slices.Clone(s.Resources), func(r *Record) bool { return r.gone() && s.Find(r.ID) != nil })
	slices.SortStableFunc(out, func(a, b *Record) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

func (r *Record) describe() map[string]any {
	m := map[string]any{"LogicalResourceId": r.ID, "ResourceType": r.Type, "ResourceStatus": r.Status,
		"DriftInformation": map[string]string{"StackResourceDriftStatus": "NOT_CHECKED"}}
	if r.Ref != "" {
		m["PhysicalResourceId"] = r.Ref
	}
	if r.Reason != "" {
		m["ResourceStatusReason"] = r.Reason
	}
	return m
}

func (r *Record) ofStack(s *Stack, timeName string) map[string]any {
	m := r.describe()
	m["StackName"], m["StackId"], m[timeName] = s.Name, s.ID, seconds(r.Updated)
	return m
}

func describeResources(c *service.Context, rd store.Reader) (any, error) {
	var in struct{ StackName, LogicalResourceId, PhysicalResourceId string } //nolint:revive // the API's names
	if err := decodeRequest(c.Request, &in); err != nil {
		return nil, err
	}
	var list []*Stack
	var err error
	if in.StackName == "" {
		if in.PhysicalResourceId == "" {
			return nil, invalid("Either StackName or PhysicalResourceId must be specified")
		}
		list, err = stacksOf(rd, c.Account, c.Region)
	} else {
		var st *Stack
		st, err = oneStack(c, rd, &in, &in.StackName)
		list = []*Stack{st}
	}
	if err != nil {
		return nil, err
	}
	out := []map[string]any{}
	for _, st := range list {
		holds := in.PhysicalResourceId == "" || slices.ContainsFunc(st.Resources, func(r *Record) bool { return r.Ref == in.PhysicalResourceId && !r.gone() })
		for _, r := range shownResources(st) {
			if holds && (in.LogicalResourceId == "" || r.ID == in.LogicalResourceId) {
				out = append(out, r.ofStack(st, "Timestamp"))
			}
		}
	}
	if len(out) == 0 && in.StackName == "" {
		return nil, invalid("Stack for %s does not exist", in.PhysicalResourceId)
	}
	return map[string]any{"StackResources": out}, nil
}

func describeResource(c *service.Context, rd store.Reader) (any, error) {
	var in struct{ StackName, LogicalResourceId string } //nolint:revive // the API's names
	st, err := oneStack(c, rd, &in, &in.StackName)
	if err != nil {
		return nil, err
	}
	for _, r := range shownResources(st) {
		if r.ID == in.LogicalResourceId {
			return map[string]any{"StackResourceDetail": r.ofStack(st, "LastUpdatedTimestamp")}, nil
		}
	}
	return nil, invalid("Resource %s does not exist for stack %s", in.LogicalResourceId, in.StackName)
}

func listResources(c *service.Context, rd store.Reader) (any, error) {
	var in struct{ StackName, NextToken string }
	st, err := oneStack(c, rd, &in, &in.StackName)
	if err != nil {
		return nil, err
	}
	list, next, err := page(shownResources(st), in.NextToken)
	out := []map[string]any{}
	for _, r := range list {
		m := r.describe()
		m["LastUpdatedTimestamp"] = seconds(r.Updated)
		out = append(out, m)
	}
	return withNext(map[string]any{"StackResourceSummaries": out}, next), err
}

func getTemplate(c *service.Context, rd store.Reader) (any, error) {
	var in struct{ StackName, ChangeSetName, TemplateStage string }
	if err := decodeRequest(c.Request, &in); err != nil {
		return nil, err
	}
	if in.ChangeSetName != "" {
		_, set, err := named(c, rd, &changeSetRequest{ChangeSetName: in.ChangeSetName, StackName: in.StackName})
		if err != nil {
			return nil, err
		}
		text := set.Original
		if in.TemplateStage == "Processed" {
			text = set.Processed
		}
		return map[string]any{"TemplateBody": text, "StagesAvailable": []string{"Original", "Processed"}}, nil
	}
	st, err := oneStack(c, rd, &in, &in.StackName)
	if err != nil {
		return nil, err
	}
	kind := "original"
	if in.TemplateStage == "Processed" && len(st.Transforms) > 0 {
		kind = "current"
	}
	b, err := rd.Get(templateKey(c.Account, c.Region, st.ID, kind))
	return map[string]any{"TemplateBody": string(b), "StagesAvailable": []string{"Original", "Processed"}}, err
}

func listExports(c *service.Context, rd store.Reader) (any, error) {
	var in struct{ NextToken string }
	if err := decodeRequest(c.Request, &in); err != nil {
		return nil, err
	}
	prefix := store.K(store.TableStack, c.Account, c.Region, "export")
	list := []map[string]string{}
	for k, b := range rd.Scan(prefix, prefix.End(), false) {
		var e export
		if err := json.Unmarshal(b, &e); err != nil {
			return nil, fmt.Errorf("%w: export: %w", store.ErrCorrupt, err)
		}
		name, _, _ := store.CutStr(k[len(prefix):])
		list = append(list, map[string]string{"ExportingStackId": e.StackID, "Name": name, "Value": e.Value})
	}
	list, next, err := page(list, in.NextToken)
	return withNext(map[string]any{"Exports": list}, next), err
}

func listImports(c *service.Context, rd store.Reader) (any, error) {
	var in struct{ ExportName, NextToken string }
	if err := decodeRequest(c.Request, &in); err != nil {
		return nil, err
	}
	var names []string
	for _, id := range importers(rd, c.Account, c.Region, in.ExportName) {
		names = append(names, stackNameOf(id))
	}
	if len(names) == 0 {
		return nil, invalid("Export '%s' is not imported by any stack.", in.ExportName)
	}
	names, next, err := page(names, in.NextToken)
	return withNext(map[string]any{"Imports": names}, next), err
}

func getPolicy(c *service.Context, rd store.Reader) (any, error) {
	var in struct{ StackName string }
	st, err := oneStack(c, rd, &in, &in.StackName)
	if err != nil || st.Policy == "" {
		return nil, err
	}
	return map[string]string{"StackPolicyBody": st.Policy}, nil
}

// setPolicy keeps a stack policy. It is shown and not enforced.
func (s *Service) setPolicy(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ StackName, StackPolicyBody string }
	if err := decodeRequest(c.Request, &in); err != nil {
		return nil, err
	}
	if !json.Valid([]byte(in.StackPolicyBody)) {
		return nil, invalid("Error validating stack policy: Invalid stack policy")
	}
	_, err := s.adjust(c, tx, in.StackName, func(st *Stack) { st.Policy = in.StackPolicyBody })
	return nil, err
}

func (s *Service) setProtection(c *service.Context, tx store.Tx) (any, error) {
	var in struct {
		StackName                   string
		EnableTerminationProtection bool
	}
	if err := decodeRequest(c.Request, &in); err != nil {
		return nil, err
	}
	st, err := s.adjust(c, tx, in.StackName, func(st *Stack) { st.Protected = in.EnableTerminationProtection })
	if err != nil {
		return nil, err
	}
	return map[string]string{"StackId": st.ID}, nil
}

// adjust changes a stack that is at rest.
func (s *Service) adjust(c *service.Context, tx store.Tx, name string, fn func(*Stack)) (*Stack, error) {
	st, err := readStack(tx, c.Account, c.Region, name)
	switch {
	case err != nil:
		return nil, err
	case st == nil || st.Status == "DELETE_COMPLETE":
		return nil, unknown(name)
	case st.busy():
		return nil, invalid("Stack:%s is in %s state and can not be changed.", st.ID, st.Status)
	}
	fn(st)
	return st, put(tx, st, nil)
}

func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// templateSummary and validateTemplate look at a template alone.
func (s *Service) templateSummary(ctx context.Context, c *service.Context) (*aws.Output, error) {
	t, transforms, err := s.look(ctx, c)
	if err != nil {
		return nil, err
	}
	var kinds []string
	for _, r := range t.Resources {
		if !slices.Contains(kinds, r.TypeName) {
			kinds = append(kinds, r.TypeName)
		}
	}
	out := []map[string]any{}
	for _, q := range t.Parameters {
		m := q.declare()
		m["ParameterType"] = q.Type
		m["ParameterConstraints"] = map[string]any{"AllowedValues": orEmpty(q.AllowedValues)}
		out = append(out, m)
	}
	m := map[string]any{"Parameters": out, "ResourceTypes": orEmpty(kinds), "Version": formatVersions[0]}
	return service.Answer(t.needs(m, transforms)), nil
}

func (s *Service) validateTemplate(ctx context.Context, c *service.Context) (*aws.Output, error) {
	t, transforms, err := s.look(ctx, c)
	if err != nil {
		return nil, err
	}
	out := []map[string]any{}
	for _, q := range t.Parameters {
		out = append(out, q.declare())
	}
	return service.Answer(t.needs(map[string]any{"Parameters": out}, transforms)), nil
}

func (q *Parameter) declare() map[string]any {
	m := map[string]any{"ParameterKey": q.Name, "NoEcho": q.NoEcho}
	if q.Default != nil {
		m["DefaultValue"] = textOf(q.Default)
	}
	if q.Description != "" {
		m["Description"] = q.Description
	}
	return m
}

// needs adds what a template asks of who deploys it.
func (t *Template) needs(m map[string]any, transforms []string) map[string]any {
	if t.Description != "" {
		m["Description"] = t.Description
	}
	macros := slices.ContainsFunc(transforms, func(n string) bool { return n != includeName })
	need := needed(t, macros)
	m["Capabilities"], m["DeclaredTransforms"] = orEmpty(need), orEmpty(transforms)
	if len(need) > 0 && strings.HasSuffix(need[0], "IAM") {
		var kinds []string
		for _, r := range t.Resources {
			if r.Type.Capability != "" && !slices.Contains(kinds, r.TypeName) {
				kinds = append(kinds, r.TypeName)
			}
		}
		m["CapabilitiesReason"] = "The following resource(s) require capabilities: [" + strings.Join(kinds, ", ") + "]"
	}
	return m
}

// look reads the template of a request that deploys nothing.
func (s *Service) look(ctx context.Context, c *service.Context) (*Template, []string, error) {
	var in request
	if err := decodeRequest(c.Request, &in); err != nil {
		return nil, nil, err
	}
	var old *Stack
	if in.StackName != "" {
		var err error
		if old, err = s.load(ctx, c.Account, c.Region, in.StackName); err != nil {
			return nil, nil, err
		}
		if old == nil {
			return nil, nil, unknown(in.StackName)
		}
		in.UsePreviousTemplate = true
	}
	text, file, err := s.source(ctx, callerOf(c.Request), &in, old)
	if err != nil {
		return nil, nil, err
	}
	root, transforms, err := s.expand(ctx, callerOf(c.Request), text, file, nil, Pseudo{AccountID: c.Account, Region: c.Region})
	if err != nil {
		return nil, nil, err
	}
	t, err := ParseTree(file, root)
	if err != nil {
		return nil, nil, formatError(err)
	}
	return t, transforms, nil
}
