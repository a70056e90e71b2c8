package cfn

import (
	"slices"
	"strings"
	"time"

	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// seconds is a time as the canonical form writes it.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// all reads the stacks of the request's account and region, or the one that it names.
func all(c *service.Context, rd store.Reader) ([]*Stack, error) {
	var in struct{ StackName string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if in.StackName != "" {
		s, err := read(rd, c.Account, c.Region, nameOf(in.StackName))
		if err != nil {
			return nil, err
		}
		if s == nil || strings.HasPrefix(in.StackName, "arn:") && s.ID != in.StackName {
			return nil, invalid("Stack with id %s does not exist", in.StackName)
		}
		return []*Stack{s}, nil
	}
	lo := store.K(store.TableStack, c.Account, c.Region, "stack")
	var out []*Stack
	for _, b := range rd.Scan(lo, lo.End(), false) {
		s, err := decodeStack(b)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func describe(c *service.Context, rd store.Reader) (any, error) {
	stacks, err := all(c, rd)
	if err != nil {
		return nil, err
	}
	out := make([]map[string]any, len(stacks))
	for i, s := range stacks {
		m := summary(s)
		m["Parameters"], m["Outputs"], m["Tags"] = orEmpty(s.Parameters), orEmpty(s.Outputs), orEmpty(s.Tags)
		m["DisableRollback"] = true
		if s.Description != "" {
			m["Description"] = s.Description
		}
		out[i] = m
	}
	return map[string]any{"Stacks": out}, nil
}

func list(c *service.Context, rd store.Reader) (any, error) {
	var in struct{ StackStatusFilter []string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	stacks, err := all(c, rd)
	if err != nil {
		return nil, err
	}
	out := []map[string]any{}
	for _, s := range stacks {
		if len(in.StackStatusFilter) == 0 || slices.Contains(in.StackStatusFilter, s.Status) {
			out = append(out, summary(s))
		}
	}
	return map[string]any{"StackSummaries": out}, nil
}

func summary(s *Stack) map[string]any {
	m := map[string]any{"StackId": s.ID, "StackName": s.Name, "CreationTime": seconds(s.Created), "StackStatus": s.Status}
	if s.Updated.After(s.Created) {
		m["LastUpdatedTime"] = seconds(s.Updated)
	}
	if s.Reason != "" {
		m["StackStatusReason"] = s.Reason
	}
	return m
}

func describeResources(c *service.Context, rd store.Reader) (any, error) {
	stacks, err := all(c, rd)
	if err != nil {
		return nil, err
	}
	out := []map[string]any{}
	for _, s := range stacks {
		for _, r := range s.Resources {
			m := map[string]any{
				"StackName": s.Name, "StackId": s.ID, "LogicalResourceId": r.ID, "ResourceType": r.Type,
				"ResourceStatus": r.Status, "Timestamp": seconds(r.Updated),
			}
			if r.Ref != "" {
				m["PhysicalResourceId"] = r.Ref
			}
			if r.Reason != "" {
				m["ResourceStatusReason"] = r.Reason
			}
			out = append(out, m)
		}
	}
	return map[string]any{"StackResources": out}, nil
}

func getTemplate(c *service.Context, rd store.Reader) (any, error) {
	stacks, err := all(c, rd)
	if err != nil {
		return nil, err
	}
	if len(stacks) != 1 {
		return nil, invalid("StackName is required")
	}
	b, err := rd.Get(templateKey(c.Account, c.Region, stacks[0].Name))
	if err != nil {
		return nil, err
	}
	return map[string]any{"TemplateBody": string(b), "StagesAvailable": []string{"Original", "Processed"}}, nil
}

func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
