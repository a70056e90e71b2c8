package secretsmanager

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

type tag struct{ Key, Value string }

type createInput struct {
	Name, Description, KmsKeyId string //nolint:revive // the API's names
	Tags                        []tag
	AddReplicaRegions           []json.RawMessage
	Type                        string
	valueInput
}

// owned are the prefixes of names that services keep for the secrets that they manage, by the principal that may use them.
var owned = map[string]string{"events.amazonaws.com": "events!"}

func (s *Service) createSecret(c *service.Context, tx store.Tx) (any, error) {
	var in createInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	switch {
	case !nameForm.MatchString(in.Name):
		return nil, invalidParameter("%s", errBadName)
	case len(in.AddReplicaRegions) > 0:
		return nil, invalidParameter("Newel does not replicate secrets to other regions yet.")
	case in.Type != "":
		return nil, invalidParameter("Newel does not have managed external secrets (Type) yet.")
	}
	if err := removeDue(c, tx); err != nil {
		return nil, err
	}
	there, err := read(c, tx, in.Name)
	if err != nil {
		return nil, err
	}
	if there != nil {
		return repeated(c, tx, there, &in)
	}
	sec := &secret{Version: recordVersion, Name: in.Name, Suffix: suffix(c, in.ClientRequestToken), Account: c.Account, Region: c.Region,
		Created: c.Now.UnixMilli(), Changed: c.Now.UnixMilli(), Description: in.Description, KmsKeyID: in.KmsKeyId, Tags: tagged(nil, in.Tags)}
	if prefix := owned[c.Principal]; prefix != "" && len(in.Name) > len(prefix) && in.Name[:len(prefix)] == prefix {
		sec.Owner = prefix[:len(prefix)-1]
	}
	out := map[string]any{"ARN": sec.arn(), "Name": sec.Name}
	if in.given() {
		v, err := sec.put(c, tx, &in.valueInput, []string{current})
		if err != nil {
			return nil, err
		}
		out["VersionId"] = v.ID
	}
	return out, sec.save(tx)
}

// suffix is the end of a new secret's ARN: other ones for other requests, and for the same request later.
func suffix(c *service.Context, token string) string {
	sum := sha256.Sum256(c.Now.AppendFormat([]byte(token), time.RFC3339Nano))
	b := make([]byte, suffixLength)
	for i := range b {
		b[i] = alphanumeric[int(sum[i])%len(alphanumeric)]
	}
	return string(b)
}

// repeated answers a CreateSecret of a name that is taken: the same request again is the same secret.
func repeated(c *service.Context, tx store.Tx, sec *secret, in *createInput) (any, error) {
	if sec.Deletion != 0 {
		return nil, invalidRequest("You can't create this secret because a secret with this name is already scheduled for deletion.")
	}
	if in.ClientRequestToken != "" && in.given() && sec.byID(in.ClientRequestToken) != nil {
		v, err := sec.put(c, tx, &in.valueInput, nil)
		if err != nil {
			return nil, err
		}
		return map[string]any{"ARN": sec.arn(), "Name": sec.Name, "VersionId": v.ID}, nil
	}
	return nil, exists("The operation failed because the secret %s already exists.", in.Name)
}

// removeDue removes the rows of the secrets whose recovery window is over.
func removeDue(c *service.Context, tx store.Tx) error {
	table := rows(rowSecret, c.Account, c.Region)
	var due []*secret
	for _, b := range tx.Scan(table, table.End(), false) {
		sec, err := decode(b)
		if err != nil {
			return err
		}
		if sec.gone(c.Now) {
			due = append(due, sec)
		}
	}
	for _, sec := range due {
		sec.remove(tx)
	}
	return nil
}

type named struct{ SecretId string } //nolint:revive // the API's name

// found decodes a request that names a secret, and reads it by fn.
func found(c *service.Context, rd store.Reader, fn func(*service.Context, store.Reader, string) (*secret, error)) (*secret, error) {
	var in named
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	return fn(c, rd, in.SecretId)
}

// view is a secret as lists and DescribeSecret show it.
func (s *secret) view(stages string) map[string]any {
	out := map[string]any{"ARN": s.arn(), "Name": s.Name, "CreatedDate": seconds(s.Created), "LastChangedDate": seconds(s.Changed)}
	for name, v := range map[string]string{"Description": s.Description, "KmsKeyId": s.KmsKeyID, "OwningService": s.Owner} {
		if v != "" {
			out[name] = v
		}
	}
	if s.Deleted != 0 {
		out["DeletedDate"] = seconds(s.Deleted)
	}
	tags := []tag{}
	for _, k := range slices.Sorted(maps.Keys(s.Tags)) {
		tags = append(tags, tag{k, s.Tags[k]})
	}
	if len(tags) > 0 {
		out["Tags"] = tags
	}
	of := map[string][]string{}
	for _, v := range s.Versions {
		if len(v.Stages) > 0 {
			of[v.ID] = v.Stages
		}
	}
	if len(of) > 0 {
		out[stages] = of
	}
	return out
}

func (s *Service) describeSecret(c *service.Context, rd store.Reader) (any, error) {
	sec, err := found(c, rd, find)
	if err != nil {
		return nil, err
	}
	return sec.view("VersionIdsToStages"), nil
}

func (s *Service) updateSecret(c *service.Context, tx store.Tx) (any, error) {
	var in struct {
		SecretId              string //nolint:revive // the API's name
		Description, KmsKeyId *string
		valueInput
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	sec, err := live(c, tx, in.SecretId)
	if err != nil {
		return nil, err
	}
	if in.Description != nil {
		sec.Description = *in.Description
	}
	if in.KmsKeyId != nil {
		if err := sec.rekey(c, tx, *in.KmsKeyId); err != nil {
			return nil, err
		}
	}
	sec.Changed = c.Now.UnixMilli()
	out := map[string]any{"ARN": sec.arn(), "Name": sec.Name}
	if in.given() {
		v, err := sec.put(c, tx, &in.valueInput, []string{current})
		if err != nil {
			return nil, err
		}
		out["VersionId"] = v.ID
	}
	return out, sec.save(tx)
}

// rekey seals the labelled versions under another key, as AWS does.
func (s *secret) rekey(c *service.Context, tx store.Tx, key string) error {
	old := *s
	s.KmsKeyID = key
	for _, v := range s.Versions {
		if len(v.Stages) == 0 {
			continue
		}
		value, err := old.open(c, tx, v.ID)
		if err != nil {
			return err
		}
		plain, err := json.Marshal(value)
		if err != nil {
			return err
		}
		sealed, err := c.Env.Seal(s.protection(v.ID), plain)
		if err != nil {
			return err
		}
		tx.Set(s.valueKey(v.ID), sealed)
	}
	return nil
}

// The recovery window, in days.
const (
	windowMin     = 7
	windowMax     = 30
	windowDefault = 30
)

func (s *Service) deleteSecret(c *service.Context, tx store.Tx) (any, error) {
	var in struct {
		SecretId                   string //nolint:revive // the API's name
		RecoveryWindowInDays       *int
		ForceDeleteWithoutRecovery bool
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	days := windowDefault
	if in.RecoveryWindowInDays != nil {
		days = *in.RecoveryWindowInDays
	}
	switch {
	case in.ForceDeleteWithoutRecovery && in.RecoveryWindowInDays != nil:
		return nil, invalidParameter("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.")
	case days < windowMin || days > windowMax:
		return nil, invalidParameter("The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).")
	}
	sec, err := find(c, tx, in.SecretId)
	if in.ForceDeleteWithoutRecovery {
		return forceDelete(c, tx, sec, in.SecretId, err)
	}
	if err != nil {
		return nil, err
	}
	if sec.Deletion != 0 {
		return nil, invalidRequest("You can't perform this operation on the secret because it was already scheduled for deletion.")
	}
	sec.Deleted = c.Now.UnixMilli()
	sec.Deletion = c.Now.Add(time.Duration(days) * 24 * time.Hour).UnixMilli()
	return map[string]any{"ARN": sec.arn(), "Name": sec.Name, "DeletionDate": seconds(sec.Deletion)}, sec.save(tx)
}

// forceDelete removes a secret at once; it succeeds too where there is none.
func forceDelete(c *service.Context, tx store.Tx, sec *secret, id string, err error) (any, error) {
	if err != nil {
		if errors.Is(err, errNoSecret) {
			arn := aws.ARN{Service: "secretsmanager", Region: c.Region, Account: c.Account, Resource: "secret:" + id + "-" + randomText(alphanumeric, suffixLength)}
			return map[string]any{"ARN": arn.String(), "Name": id, "DeletionDate": seconds(c.Now.UnixMilli())}, nil
		}
		return nil, err
	}
	sec.remove(tx)
	return map[string]any{"ARN": sec.arn(), "Name": sec.Name, "DeletionDate": seconds(c.Now.UnixMilli())}, nil
}

func (s *Service) restoreSecret(c *service.Context, tx store.Tx) (any, error) {
	sec, err := found(c, tx, find)
	if err != nil {
		return nil, err
	}
	sec.Deleted, sec.Deletion = 0, 0
	return map[string]any{"ARN": sec.arn(), "Name": sec.Name}, sec.save(tx)
}

func tagged(have map[string]string, tags []tag) map[string]string {
	if have == nil {
		have = map[string]string{}
	}
	for _, t := range tags {
		have[t.Key] = t.Value
	}
	return have
}

// tagsMost is how many tags a secret may have.
const tagsMost = 50

func (s *Service) tagResource(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ Tags []tag }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	sec, err := found(c, tx, live)
	if err != nil {
		return nil, err
	}
	if sec.Tags = tagged(sec.Tags, in.Tags); len(sec.Tags) > tagsMost {
		return nil, invalidParameter("You can't attach more than %d tags to a secret.", tagsMost)
	}
	return nil, sec.save(tx)
}

func (s *Service) untagResource(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ TagKeys []string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	sec, err := found(c, tx, live)
	if err != nil {
		return nil, err
	}
	for _, k := range in.TagKeys {
		delete(sec.Tags, k)
	}
	return nil, sec.save(tx)
}

func (s *Service) getPolicy(c *service.Context, rd store.Reader) (any, error) {
	sec, err := found(c, rd, live)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"ARN": sec.arn(), "Name": sec.Name}
	if sec.Policy != "" {
		out["ResourcePolicy"] = sec.Policy
	}
	return out, nil
}

func (s *Service) putPolicy(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ ResourcePolicy string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if !json.Valid([]byte(in.ResourcePolicy)) {
		return nil, aws.Errorf("MalformedPolicyDocumentException", "This resource policy contains invalid Json.")
	}
	return setPolicy(c, tx, in.ResourcePolicy)
}

func (s *Service) deletePolicy(c *service.Context, tx store.Tx) (any, error) {
	return setPolicy(c, tx, "")
}

func setPolicy(c *service.Context, tx store.Tx, policy string) (any, error) {
	sec, err := found(c, tx, live)
	if err != nil {
		return nil, err
	}
	sec.Policy = policy
	return map[string]any{"ARN": sec.arn(), "Name": sec.Name}, sec.save(tx)
}
