package kms

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"slices"
	"sort"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// grant is kept and shown; nothing here asks for permission, so it grants nothing that was refused before.
type grant struct {
	ID, Token, Name   string
	Created           int64
	Grantee, Retiring string
	Operations        []string
	Constraints       json.RawMessage `json:",omitempty"`
}

func (s *Service) createGrant(c *service.Context, tx store.Tx) (any, error) {
	var in struct {
		GranteePrincipal, RetiringPrincipal, Name string
		Operations                                []string
		Constraints                               json.RawMessage
		DryRun                                    bool
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	k, err := named(c, tx)
	if err == nil {
		err = k.usable()
	}
	if err == nil && in.DryRun {
		err = dryRun()
	}
	if err != nil {
		return nil, err
	}
	if in.Name != "" {
		for _, g := range k.Grants {
			if g.Name == in.Name && g.Grantee == in.GranteePrincipal && slices.Equal(g.Operations, in.Operations) {
				return map[string]any{"GrantId": g.ID, "GrantToken": g.Token}, nil
			}
		}
	}
	g := grant{ID: hex.EncodeToString(random(32)), Token: base64.StdEncoding.EncodeToString(random(96)), Name: in.Name, Created: c.Now.UnixMilli(),
		Grantee: in.GranteePrincipal, Retiring: in.RetiringPrincipal, Operations: in.Operations, Constraints: in.Constraints}
	k.Grants = append(k.Grants, g)
	return map[string]any{"GrantId": g.ID, "GrantToken": g.Token}, k.save(tx)
}

func (k *key) shown(g grant) map[string]any {
	m := map[string]any{"KeyId": k.arn(), "GrantId": g.ID, "Name": g.Name, "CreationDate": seconds(g.Created), "GranteePrincipal": g.Grantee,
		"IssuingAccount": aws.ARN{Service: "iam", Account: k.Account, Resource: "root"}.String(), "Operations": g.Operations}
	if g.Retiring != "" {
		m["RetiringPrincipal"] = g.Retiring
	}
	if len(g.Constraints) > 0 {
		m["Constraints"] = g.Constraints
	}
	return m
}

func (s *Service) listGrants(c *service.Context, rd store.Reader) (any, error) {
	var in struct{ GrantId, GranteePrincipal string } //nolint:revive // the API's names
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	k, err := named(c, rd)
	if err != nil {
		return nil, err
	}
	list := []map[string]any{}
	for _, g := range k.Grants {
		if (in.GrantId == "" || in.GrantId == g.ID) && (in.GranteePrincipal == "" || in.GranteePrincipal == g.Grantee) {
			list = append(list, k.shown(g))
		}
	}
	return paged("Grants", list, ""), nil
}

func (s *Service) listRetirable(c *service.Context, rd store.Reader) (any, error) {
	var in struct{ RetiringPrincipal string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	list := []map[string]any{}
	of := rows(rowKey, c.Account, c.Region)
	for _, v := range rd.Scan(of, of.End(), false) {
		k, err := decodeKey(v)
		if err != nil {
			return nil, err
		}
		for _, g := range k.Grants {
			if g.Retiring == in.RetiringPrincipal && !k.gone(c.Now) {
				list = append(list, k.shown(g))
			}
		}
	}
	return paged("Grants", list, ""), nil
}

// drop removes the grant that matches.
func (k *key) drop(tx store.Tx, matches func(grant) bool) error {
	i := slices.IndexFunc(k.Grants, matches)
	if i < 0 {
		return aws.Errorf("NotFoundException", "Grant ID not found on the key.")
	}
	k.Grants = slices.Delete(k.Grants, i, i+1)
	return k.save(tx)
}

func (s *Service) revokeGrant(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ GrantId string } //nolint:revive // the API's name
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	k, err := named(c, tx)
	if err != nil {
		return nil, err
	}
	return nil, k.drop(tx, func(g grant) bool { return g.ID == in.GrantId })
}

func (s *Service) retireGrant(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ GrantToken, KeyId, GrantId string } //nolint:revive // the API's names
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if in.GrantToken == "" {
		k, err := find(c, tx, in.KeyId)
		if err != nil {
			return nil, err
		}
		return nil, k.drop(tx, func(g grant) bool { return g.ID == in.GrantId })
	}
	of := rows(rowKey, c.Account, c.Region)
	for _, v := range tx.Scan(of, of.End(), false) {
		k, err := decodeKey(v)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(k.Grants, func(g grant) bool { return g.Token == in.GrantToken }) {
			return nil, k.drop(tx, func(g grant) bool { return g.Token == in.GrantToken })
		}
	}
	return nil, aws.Errorf("InvalidGrantTokenException", "The grant token is not valid.")
}

func (s *Service) tag(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ Tags []tagEntry }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	k, err := owned(c, tx)
	if err == nil {
		err = k.changeable()
	}
	if err != nil {
		return nil, err
	}
	for _, t := range in.Tags {
		k.Tags[t.TagKey] = t.TagValue
	}
	return nil, k.save(tx)
}

func (s *Service) untag(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ TagKeys []string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	k, err := owned(c, tx)
	if err == nil {
		err = k.changeable()
	}
	if err != nil {
		return nil, err
	}
	for _, t := range in.TagKeys {
		delete(k.Tags, t)
	}
	return nil, k.save(tx)
}

func (s *Service) listTags(c *service.Context, rd store.Reader) (any, error) {
	k, err := named(c, rd)
	if err != nil {
		return nil, err
	}
	list := []tagEntry{}
	for n, v := range k.Tags {
		list = append(list, tagEntry{n, v})
	}
	sort.Slice(list, func(i, j int) bool { return list[i].TagKey < list[j].TagKey })
	return paged("Tags", list, ""), nil
}
