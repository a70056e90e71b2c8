package secretsmanager

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// The rows, keyed by kind, account and region.
const (
	rowSecret byte = 's' // name -> record (secret)
	rowValue  byte = 'v' // name, version id -> sealed value
)

const recordVersion = 1

var errCorrupt = errors.Join(store.ErrCorrupt, errors.New("secretsmanager: a row cannot be decoded"))

// The staging labels that Secrets Manager itself moves.
const (
	current  = "AWSCURRENT"
	previous = "AWSPREVIOUS"
)

// secret is a secret's record. Times are epoch milliseconds.
type secret struct {
	Version          int
	Name             string
	Suffix           string // the six characters after the name in the ARN
	Account, Region  string
	Created, Changed int64
	Description      string            `json:",omitempty"`
	KmsKeyID         string            `json:",omitempty"` // as it was given
	Owner            string            `json:",omitempty"` // the service that manages it
	Tags             map[string]string `json:",omitempty"`
	Policy           string            `json:",omitempty"`
	Deletion         int64             `json:",omitempty"` // when the recovery window is over
	Deleted          int64             `json:",omitempty"` // when deletion was asked for
	Versions         []version         // in the order of their creation
}

// version is one value of a secret. A version without labels is deprecated.
type version struct {
	ID      string
	Created int64
	Stages  []string `json:",omitempty"`
}

// content is a version's value: exactly one of the two.
type content struct {
	SecretString *string `json:",omitempty"`
	SecretBinary []byte  `json:",omitempty"`
}

func rows(kind byte, account, region string) store.Key {
	return append(store.K(store.TableSecret), kind).Str(account).Str(region)
}

func (s *secret) arn() string {
	return aws.ARN{Service: "secretsmanager", Region: s.Region, Account: s.Account, Resource: "secret:" + s.Name + "-" + s.Suffix}.String()
}

func (s *secret) save(tx store.Tx) error {
	b, err := json.Marshal(s)
	if err == nil {
		tx.Set(rows(rowSecret, s.Account, s.Region).Str(s.Name), b)
	}
	return err
}

// gone reports whether the recovery window of a deleted secret is over.
func (s *secret) gone(now time.Time) bool { return s.Deletion != 0 && s.Deletion <= now.UnixMilli() }

func (s *secret) remove(tx store.Tx) {
	tx.Delete(rows(rowSecret, s.Account, s.Region).Str(s.Name))
	for _, v := range s.Versions {
		tx.Delete(s.valueKey(v.ID))
	}
}

func (s *secret) valueKey(id string) store.Key {
	return rows(rowValue, s.Account, s.Region).Str(s.Name).Str(id)
}

func decode(b []byte) (*secret, error) {
	s := &secret{}
	if json.Unmarshal(b, s) != nil || s.Version != recordVersion {
		return nil, errCorrupt
	}
	return s, nil
}

// read gives the secret of a name; nil if there is none.
func read(c *service.Context, rd store.Reader, name string) (*secret, error) {
	b, err := rd.Get(rows(rowSecret, c.Account, c.Region).Str(name))
	if err != nil || b == nil {
		return nil, err
	}
	s, err := decode(b)
	if err != nil || s.gone(c.Now) {
		return nil, err
	}
	return s, nil
}

var errNoSecret = missing("Secrets Manager can't find the specified secret.")

// find reads the secret that an id names: its name, its ARN, or its ARN without the random characters. An ARN with other
// random characters, which nobody can choose, is that of the secret of the same name on AWS.
func find(c *service.Context, rd store.Reader, id string) (*secret, error) {
	name, short := id, ""
	if arn, ok := aws.ParseARN(id); ok {
		name = strings.TrimPrefix(arn.Resource, "secret:")
		if cut := len(name) - suffixLength - 1; cut > 0 && name[cut] == '-' {
			short = name[:cut]
		}
	}
	whole, err := read(c, rd, name)
	if err != nil {
		return nil, err
	}
	s := whole
	if short != "" {
		if s, err = read(c, rd, short); err != nil {
			return nil, err
		}
		if s == nil || whole != nil && s.arn() != id {
			s = whole
		}
	}
	if s == nil {
		return nil, errNoSecret
	}
	return s, nil
}

// live is find for what a deleted secret does not allow.
func live(c *service.Context, rd store.Reader, id string) (*secret, error) {
	s, err := find(c, rd, id)
	if err == nil && s.Deletion != 0 {
		return nil, invalidRequest("You can't perform this operation on the secret because it was marked for deletion.")
	}
	return s, err
}

// byID is the version of an id; nil if there is none.
func (s *secret) byID(id string) *version {
	for i := range s.Versions {
		if s.Versions[i].ID == id {
			return &s.Versions[i]
		}
	}
	return nil
}

// byStage is the version that a staging label means; nil if none has it.
func (s *secret) byStage(stage string) *version {
	for i := range s.Versions {
		if slices.Contains(s.Versions[i].Stages, stage) {
			return &s.Versions[i]
		}
	}
	return nil
}

// label gives a version a staging label and takes it from the version that had it, which becomes the previous one if
// the label is AWSCURRENT.
func (s *secret) label(v *version, stage string) {
	had := s.byStage(stage)
	if had == v {
		return
	}
	if had != nil {
		had.unlabel(stage)
	}
	v.Stages = append(v.Stages, stage)
	if stage != current || had == nil {
		return
	}
	if older := s.byStage(previous); older != nil {
		older.unlabel(previous)
	}
	had.Stages = append(had.Stages, previous)
}

func (v *version) unlabel(stage string) {
	v.Stages = slices.DeleteFunc(v.Stages, func(s string) bool { return s == stage })
}

// protection says how a version's value is sealed.
func (s *secret) protection(id string) *service.Protection {
	key := s.KmsKeyID
	if key == "" {
		key = "alias/aws/secretsmanager"
	}
	return &service.Protection{Account: s.Account, Region: s.Region, KeyID: key, Context: map[string]string{"SecretARN": s.arn(), "SecretVersionId": id}}
}

// open reads a version's value.
func (s *secret) open(c *service.Context, rd store.Reader, id string) (content, error) {
	var v content
	b, err := rd.Get(s.valueKey(id))
	if err != nil {
		return v, err
	}
	if b, err = c.Env.Open(s.protection(id), b); err != nil {
		return v, err
	}
	if json.Unmarshal(b, &v) != nil {
		return v, errCorrupt
	}
	return v, nil
}

var (
	nameForm   = regexp.MustCompile(`^[A-Za-z0-9/_+=.@!-]+$`)
	errBadName = "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!"
)

func seconds(ms int64) float64 { return float64(ms) / 1000 }
