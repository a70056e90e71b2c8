package kms

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// The rows of KMS, keyed by kind, account and region.
const (
	rowKey   byte = 'k' // key id -> record (key)
	rowAlias byte = 'a' // alias name -> record (alias)

	rowMaster byte = 'm' // a text under the master key, to know it by
)

const recordVersion = 1

var errCorrupt = errors.Join(store.ErrCorrupt, errors.New("kms: a row cannot be decoded"))

// The states of a key.
const (
	enabled         = "Enabled"
	disabled        = "Disabled"
	pendingDeletion = "PendingDeletion"
)

// key is a KMS key. Times are epoch milliseconds.
type key struct {
	Version             int
	ID, Account, Region string
	Created             int64
	Description         string
	State               string
	Deletion            int64  `json:",omitempty"` // due, if the state is PendingDeletion
	Manager             string // CUSTOMER or AWS
	Policy              string
	Tags                map[string]string
	Materials           []material // the last one encrypts
	RotationDays        int        `json:",omitempty"` // 0: no automatic rotation
	RotationSince       int64      `json:",omitempty"`
	Grants              []grant    `json:",omitempty"`
}

// material is what a key encrypts with between two rotations.
type material struct {
	Sealed   []byte // 32 bytes under the master key
	Made     int64
	OnDemand bool `json:",omitempty"`
}

// alias is another name of a key.
type alias struct {
	Version          int
	Target           string // key id
	Created, Updated int64
}

func rows(kind byte, account, region string) store.Key {
	return append(store.K(store.TableKey), kind).Str(account).Str(region)
}

func (k *key) arn() string {
	return aws.ARN{Service: "kms", Region: k.Region, Account: k.Account, Resource: "key/" + k.ID}.String()
}

func aliasARN(account, region, name string) string {
	return aws.ARN{Service: "kms", Region: region, Account: account, Resource: name}.String()
}

func (k *key) save(tx store.Tx) error { return set(tx, rows(rowKey, k.Account, k.Region).Str(k.ID), k) }

func set(tx store.Tx, at store.Key, record any) error {
	b, err := json.Marshal(record)
	if err == nil {
		tx.Set(at, b)
	}
	return err
}

// gone reports whether the key's deletion is due.
func (k *key) gone(now time.Time) bool {
	return k.State == pendingDeletion && k.Deletion <= now.UnixMilli()
}

func decodeKey(b []byte) (*key, error) {
	k := &key{}
	if json.Unmarshal(b, k) != nil || k.Version != recordVersion {
		return nil, errCorrupt
	}
	return k, nil
}

func readAlias(rd store.Reader, account, region, name string) (*alias, error) {
	b, err := rd.Get(rows(rowAlias, account, region).Str(name))
	if err != nil || b == nil {
		return nil, err
	}
	a := &alias{}
	if json.Unmarshal(b, a) != nil || a.Version != recordVersion {
		return nil, errCorrupt
	}
	return a, nil
}

func readKey(rd store.Reader, account, region, id string, now time.Time) (*key, error) {
	b, err := rd.Get(rows(rowKey, account, region).Str(id))
	if err != nil || b == nil {
		return nil, err
	}
	k, err := decodeKey(b)
	if err != nil || k.gone(now) {
		return nil, err
	}
	return k, nil
}

// find reads the key that an id, an alias or an ARN of either names. An ARN of another account or region that has no
// such key here means the caller's own.
func find(c *service.Context, rd store.Reader, id string) (*key, error) {
	name, places := id, [][2]string{{c.Account, c.Region}}
	if strings.HasPrefix(id, "arn:") {
		a, ok := aws.ParseARN(id)
		if !ok || a.Service != "kms" {
			return nil, aws.Errorf("InvalidArnException", "%s is not a valid ARN.", id)
		}
		name = a.Resource
		if there := [2]string{a.Account, a.Region}; there != places[0] {
			places = [][2]string{there, places[0]}
		}
	}
	for _, at := range places {
		keyID := strings.TrimPrefix(name, "key/")
		if strings.HasPrefix(name, "alias/") {
			a, err := readAlias(rd, at[0], at[1], name)
			if err != nil {
				return nil, err
			}
			if a == nil {
				continue
			}
			keyID = a.Target
		}
		k, err := readKey(rd, at[0], at[1], keyID, c.Now)
		if k != nil || err != nil {
			return k, err
		}
	}
	return nil, missing(name, places[0][0], places[0][1])
}

// missing is AWS's answer to a name that means no key.
func missing(name, account, region string) *aws.Error {
	switch {
	case strings.HasPrefix(name, "alias/"):
		return aws.Errorf("NotFoundException", "Alias %s is not found.", aliasARN(account, region, name))
	case isKeyID(strings.TrimPrefix(name, "key/")):
		return aws.Errorf("NotFoundException", "Key '%s' does not exist", aliasARN(account, region, "key/"+strings.TrimPrefix(name, "key/")))
	}
	return aws.Errorf("NotFoundException", "Invalid keyId '%s'", name)
}

// isKeyID reports whether a name has the form of a key id: a UUID, or mrk- and 32 digits.
func isKeyID(s string) bool {
	if rest, ok := strings.CutPrefix(s, "mrk-"); ok {
		return len(rest) == 32
	}
	if len(s) != 36 {
		return false
	}
	for i, r := range s {
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (r == '-') || !dash && !strings.ContainsRune("0123456789abcdefABCDEF", r) {
			return false
		}
	}
	return true
}

// usable is nil for a key that may encrypt and decrypt.
func (k *key) usable() error {
	switch k.State {
	case disabled:
		return aws.Errorf("DisabledException", "%s is disabled.", k.arn())
	case pendingDeletion:
		return k.pending()
	}
	return nil
}

func (k *key) pending() *aws.Error {
	return aws.Errorf("KMSInvalidStateException", "%s is pending deletion.", k.arn())
}

// changeable is nil for a key whose settings may change.
func (k *key) changeable() error {
	if k.State == pendingDeletion {
		return k.pending()
	}
	return nil
}

func removeDue(tx store.Tx, now time.Time) error {
	all := append(store.K(store.TableKey), rowKey)
	var due []*key
	for _, v := range tx.Scan(all, all.End(), false) {
		k, err := decodeKey(v)
		if err != nil {
			return err
		}
		if k.gone(now) {
			due = append(due, k)
		}
	}
	for _, k := range due {
		tx.Delete(rows(rowKey, k.Account, k.Region).Str(k.ID))
		of := rows(rowAlias, k.Account, k.Region)
		for at, v := range tx.Scan(of, of.End(), false) {
			a := alias{}
			if json.Unmarshal(v, &a) == nil && a.Target == k.ID {
				tx.Delete(at)
			}
		}
	}
	return nil
}
