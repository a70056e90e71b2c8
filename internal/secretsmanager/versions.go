package secretsmanager

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"slices"

	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

const (
	// valueMax is the size of a value, in bytes.
	valueMax = 65536
	// versionsMost is how many versions a secret keeps; beyond it the oldest deprecated ones go.
	versionsMost = 100
	suffixLength = 6
)

// valueInput is the part of requests that brings a value.
type valueInput struct {
	SecretString       *string
	SecretBinary       []byte
	ClientRequestToken string
}

func (in *valueInput) given() bool { return in.SecretString != nil || in.SecretBinary != nil }

func (in *valueInput) check() error {
	switch {
	case in.SecretString != nil && in.SecretBinary != nil:
		return invalidParameter("You can't specify both a binary secret value and a string secret value in the same secret.")
	case in.SecretString != nil && len(*in.SecretString) > valueMax, len(in.SecretBinary) > valueMax:
		return invalidParameter("The secret value is too long: at most %d bytes.", valueMax)
	}
	return nil
}

func (v content) equals(o content) bool {
	if (v.SecretString == nil) != (o.SecretString == nil) {
		return false
	}
	return (v.SecretString == nil || *v.SecretString == *o.SecretString) && bytes.Equal(v.SecretBinary, o.SecretBinary)
}

// put adds a value under the request's token as the version's id. A token that has the same value already changes
// nothing.
func (s *secret) put(c *service.Context, tx store.Tx, in *valueInput, stages []string) (*version, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	id, value := in.ClientRequestToken, content{in.SecretString, in.SecretBinary}
	if v := s.byID(id); v != nil {
		had, err := s.open(c, tx, id)
		if err != nil {
			return nil, err
		}
		if !had.equals(value) {
			return nil, exists("You can't use ClientRequestToken %s because that value is already in use for a version of secret %s.", id, s.arn())
		}
		return v, nil
	}
	plain, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	sealed, err := c.Env.Seal(s.protection(id), plain)
	if err != nil {
		return nil, err
	}
	tx.Set(s.valueKey(id), sealed)
	s.Versions = append(s.Versions, version{ID: id, Created: c.Now.UnixMilli()})
	for _, stage := range stages {
		s.label(s.byID(id), stage)
	}
	if s.byStage(current) == nil {
		s.label(s.byID(id), current) // a secret's first value is always its current one
	}
	s.Changed = c.Now.UnixMilli()
	s.prune(tx)
	return s.byID(id), nil
}

// prune removes the oldest deprecated versions of a secret that has too many.
func (s *secret) prune(tx store.Tx) {
	over := len(s.Versions) - versionsMost
	s.Versions = slices.DeleteFunc(s.Versions, func(v version) bool {
		if over <= 0 || len(v.Stages) > 0 {
			return false
		}
		over--
		tx.Delete(s.valueKey(v.ID))
		return true
	})
}

func (s *Service) putSecretValue(c *service.Context, tx store.Tx) (any, error) {
	var in struct {
		SecretId      string //nolint:revive // the API's name
		VersionStages []string
		valueInput
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if !in.given() {
		return nil, invalidRequest("You must provide either SecretString or SecretBinary.")
	}
	sec, err := live(c, tx, in.SecretId)
	if err != nil {
		return nil, err
	}
	if in.VersionStages == nil {
		in.VersionStages = []string{current}
	}
	v, err := sec.put(c, tx, &in.valueInput, in.VersionStages)
	if err != nil {
		return nil, err
	}
	return map[string]any{"ARN": sec.arn(), "Name": sec.Name, "VersionId": v.ID, "VersionStages": v.Stages}, sec.save(tx)
}

// pick is the version that a request names by id, by label or by both; AWSCURRENT unless it says.
func (s *secret) pick(id, stage string) (*version, error) {
	if id == "" {
		if stage == "" {
			stage = current
		}
		if v := s.byStage(stage); v != nil {
			return v, nil
		}
		return nil, missing("Secrets Manager can't find the specified secret value for staging label: %s", stage)
	}
	v := s.byID(id)
	if v == nil {
		return nil, missing("Secrets Manager can't find the specified secret value for VersionId: %s", id)
	}
	if stage != "" && !slices.Contains(v.Stages, stage) {
		return nil, invalidRequest("You provided a VersionStage that is not associated to the provided VersionId.")
	}
	return v, nil
}

func (s *Service) getSecretValue(c *service.Context, rd store.Reader) (any, error) {
	var in struct{ SecretId, VersionId, VersionStage string } //nolint:revive // the API's names
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	sec, err := live(c, rd, in.SecretId)
	if err != nil {
		return nil, err
	}
	v, err := sec.pick(in.VersionId, in.VersionStage)
	if err != nil {
		return nil, err
	}
	return sec.valued(c, rd, v)
}

// valued is a version with its value as answers show it.
func (s *secret) valued(c *service.Context, rd store.Reader, v *version) (map[string]any, error) {
	value, err := s.open(c, rd, v.ID)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"ARN": s.arn(), "Name": s.Name, "VersionId": v.ID, "VersionStages": v.Stages, "CreatedDate": seconds(v.Created)}
	if value.SecretString != nil {
		out["SecretString"] = *value.SecretString
	} else {
		out["SecretBinary"] = value.SecretBinary
	}
	return out, nil
}

// batchMost is how many values one request gives without saying how many.
const batchMost = 20

func (s *Service) batchGetSecretValue(c *service.Context, rd store.Reader) (any, error) {
	var in struct {
		SecretIdList []string //nolint:revive // the API's name
		listInput
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if (len(in.SecretIdList) > 0) == (len(in.Filters) > 0) {
		return nil, invalidParameter("Either 'SecretIdList' or 'Filters' must be provided, but not both.")
	}
	list, failed := []any{}, []any{}
	give := func(id string, sec *secret, err error) error {
		var v *version
		var out map[string]any
		if err == nil {
			v, err = sec.pick("", "")
		}
		if err == nil {
			out, err = sec.valued(c, rd, v)
		}
		if e := asWire(err); e != nil {
			failed = append(failed, map[string]string{"SecretId": id, "ErrorCode": e.Code, "Message": e.Message})
			return nil
		}
		if err == nil {
			list = append(list, out)
		}
		return err
	}
	for _, id := range in.SecretIdList {
		sec, err := live(c, rd, id)
		if err := give(id, sec, err); err != nil {
			return nil, err
		}
	}
	answer := map[string]any{}
	if len(in.Filters) > 0 {
		found, next, err := in.page(c, rd, batchMost)
		if err != nil {
			return nil, err
		}
		for _, sec := range found {
			if err := give(sec.arn(), sec, nil); err != nil {
				return nil, err
			}
		}
		if next != "" {
			answer["NextToken"] = next
		}
	}
	answer["SecretValues"], answer["Errors"] = list, failed
	return answer, nil
}

func (s *Service) listVersions(c *service.Context, rd store.Reader) (any, error) {
	var in struct {
		SecretId, NextToken string //nolint:revive // the API's name
		MaxResults          int
		IncludeDeprecated   bool
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	sec, err := find(c, rd, in.SecretId)
	if err != nil {
		return nil, err
	}
	if in.MaxResults == 0 {
		in.MaxResults = versionsMost
	}
	after, err := base64.StdEncoding.DecodeString(in.NextToken)
	if err != nil {
		return nil, errToken
	}
	list, out := []any{}, map[string]any{"ARN": sec.arn(), "Name": sec.Name}
	last, skipping := "", len(after) > 0
	for _, v := range sec.Versions {
		if skipping {
			skipping = v.ID != string(after)
			continue
		}
		if len(v.Stages) == 0 && !in.IncludeDeprecated {
			continue
		}
		if len(list) == in.MaxResults {
			out["NextToken"] = base64.StdEncoding.EncodeToString([]byte(last))
			break
		}
		entry := map[string]any{"VersionId": v.ID, "CreatedDate": seconds(v.Created)}
		if len(v.Stages) > 0 {
			entry["VersionStages"] = v.Stages
		}
		list, last = append(list, entry), v.ID
	}
	out["Versions"] = list
	return out, nil
}

func (s *Service) updateStage(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ SecretId, VersionStage, RemoveFromVersionId, MoveToVersionId string } //nolint:revive // the API's names
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	sec, err := live(c, tx, in.SecretId)
	if err != nil {
		return nil, err
	}
	had := sec.byStage(in.VersionStage)
	switch {
	case in.RemoveFromVersionId != "" && sec.byID(in.RemoveFromVersionId) == nil:
		return nil, missing("Secrets Manager can't find the specified secret value for VersionId: %s", in.RemoveFromVersionId)
	case in.RemoveFromVersionId != "" && (had == nil || had.ID != in.RemoveFromVersionId):
		return nil, invalidParameter("The parameter RemoveFromVersionId can't be %s. Staging label %s is not currently attached to that version.", in.RemoveFromVersionId, in.VersionStage)
	case in.MoveToVersionId != "" && had != nil && had.ID != in.MoveToVersionId && in.RemoveFromVersionId == "":
		return nil, invalidParameter("The parameter RemoveFromVersionId can't be empty. Staging label %s is currently attached to version %s, so you must explicitly reference that version in RemoveFromVersionId.", in.VersionStage, had.ID)
	case in.VersionStage == current && in.MoveToVersionId == "":
		return nil, invalidParameter("You can only move staging label %s to a different secret version. It can’t be completely removed.", current)
	}
	if in.MoveToVersionId == "" {
		if had != nil {
			had.unlabel(in.VersionStage)
		}
	} else {
		to := sec.byID(in.MoveToVersionId)
		if to == nil {
			return nil, missing("Secrets Manager can't find the specified secret value for VersionId: %s", in.MoveToVersionId)
		}
		sec.label(to, in.VersionStage)
	}
	sec.Changed = c.Now.UnixMilli()
	return map[string]any{"ARN": sec.arn(), "Name": sec.Name}, sec.save(tx)
}
