package ssm

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// The rows, keyed by kind, account and region.
const (
	rowParameter byte = 'p' // name -> record (parameter)
	rowVersion   byte = 'v' // name, number -> record (version)
)

const recordVersion = 1

var errCorrupt = errors.Join(store.ErrCorrupt, errors.New("ssm: a row cannot be decoded"))

const (
	secure          = "SecureString"
	stringList      = "StringList"
	standard        = "Standard"
	advanced        = "Advanced"
	intelligent     = "Intelligent-Tiering"
	textData        = "text"
	versionsMost    = 100
	standardValue   = 4096 // bytes
	advancedValue   = 8192 // bytes
	labelsMost      = 10   // of a version
	hierarchyLevels = 15
)

// parameter is a parameter's record.
type parameter struct {
	Version         int
	Name            string
	Account, Region string
	Type            string
	Latest          uint64            // number of the latest version; the first is 1
	Tags            map[string]string `json:",omitempty"`
}

// version is one version of a parameter. Times are epoch milliseconds.
type version struct {
	Number         uint64
	Value          []byte // sealed for a SecureString
	Modified       int64
	User           string
	Description    string   `json:",omitempty"`
	KeyID          string   `json:",omitempty"`
	AllowedPattern string   `json:",omitempty"`
	Tier           string   `json:",omitempty"`
	DataType       string   `json:",omitempty"`
	Labels         []string `json:",omitempty"`
}

func rows(kind byte, account, region string) store.Key {
	return append(store.K(store.TableParameter), kind).Str(account).Str(region)
}

func (p *parameter) key() store.Key { return rows(rowParameter, p.Account, p.Region).Str(p.Name) }

func (p *parameter) versions() store.Key { return rows(rowVersion, p.Account, p.Region).Str(p.Name) }

func (p *parameter) arn() string {
	return aws.ARN{Service: "ssm", Region: p.Region, Account: p.Account, Resource: "parameter/" + strings.TrimPrefix(p.Name, "/")}.String()
}

func set(tx store.Tx, key store.Key, record any) error {
	b, err := json.Marshal(record)
	if err == nil {
		tx.Set(key, b)
	}
	return err
}

func decodeParameter(b []byte) (*parameter, error) {
	p := &parameter{}
	if json.Unmarshal(b, p) != nil || p.Version != recordVersion {
		return nil, errCorrupt
	}
	return p, nil
}

// nameOf is the name that a name or an ARN means. The ARN of a parameter with a path lacks the name's first slash.
func nameOf(text string) string {
	arn, ok := aws.ParseARN(text)
	if !ok {
		return text
	}
	name := strings.TrimPrefix(arn.Resource, "parameter/")
	if strings.Contains(name, "/") {
		name = "/" + name
	}
	return name
}

// read gives the parameter of a name or ARN; nil if there is none.
func read(c *service.Context, rd store.Reader, name string) (*parameter, error) {
	b, err := rd.Get(rows(rowParameter, c.Account, c.Region).Str(nameOf(name)))
	if err != nil || b == nil {
		return nil, err
	}
	return decodeParameter(b)
}

func find(c *service.Context, rd store.Reader, name string) (*parameter, error) {
	p, err := read(c, rd, name)
	if err == nil && p == nil {
		err = errNoParameter
	}
	return p, err
}

func (p *parameter) version(rd store.Reader, number uint64) (*version, error) {
	b, err := rd.Get(p.versions().U64(number))
	if err != nil || b == nil {
		return nil, err
	}
	v := &version{}
	if json.Unmarshal(b, v) != nil {
		return nil, errCorrupt
	}
	return v, nil
}

// history reads all versions, the oldest first.
func (p *parameter) history(rd store.Reader) ([]*version, error) {
	var list []*version
	for _, b := range rd.Scan(p.versions(), p.versions().End(), false) {
		v := &version{}
		if json.Unmarshal(b, v) != nil {
			return nil, errCorrupt
		}
		list = append(list, v)
	}
	return list, nil
}

// selected reads the version that a selector means: "" the latest, a number, or a label.
func (p *parameter) selected(rd store.Reader, selector string) (*version, error) {
	number := p.Latest
	if selector != "" {
		n, err := strconv.ParseUint(selector, 10, 64)
		if err != nil {
			return p.labelled(rd, selector)
		}
		number = n
	}
	v, err := p.version(rd, number)
	if err == nil && v == nil {
		err = aws.Errorf("ParameterVersionNotFound", "Systems Manager could not find version %s of %s. Verify the version and try again.", selector, p.Name)
	}
	return v, err
}

func (p *parameter) labelled(rd store.Reader, label string) (*version, error) {
	all, err := p.history(rd)
	if err != nil {
		return nil, err
	}
	for _, v := range all {
		if slices.Contains(v.Labels, label) {
			return v, nil
		}
	}
	return nil, aws.Errorf("ParameterVersionLabelNotFound", "Systems Manager could not find label %s of %s. Verify the label and try again.", label, p.Name)
}

// protection says how a version's value is sealed.
func (p *parameter) protection(keyID string) *service.Protection {
	return &service.Protection{Account: p.Account, Region: p.Region, KeyID: keyID, Context: map[string]string{"PARAMETER_ARN": p.arn()}}
}

// text is a version's value as answers show it.
func (p *parameter) text(c *service.Context, v *version, decrypt bool) (string, error) {
	switch {
	case p.Type != secure:
		return string(v.Value), nil
	case !decrypt:
		return base64.StdEncoding.EncodeToString(v.Value), nil
	}
	b, err := c.Env.Open(p.protection(v.KeyID), v.Value)
	return string(b), err
}

// view is a version as GetParameter shows it.
func (p *parameter) view(c *service.Context, v *version, selector string, decrypt bool) (map[string]any, error) {
	text, err := p.text(c, v, decrypt)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"Name": p.Name, "Type": p.Type, "Value": text, "Version": v.Number, "LastModifiedDate": seconds(v.Modified),
		"ARN": p.arn(), "DataType": v.DataType}
	if selector != "" {
		out["Selector"] = ":" + selector
	}
	return out, nil
}

// metadata is a version as DescribeParameters shows it.
func (p *parameter) metadata(v *version) map[string]any {
	out := map[string]any{"Name": p.Name, "Type": p.Type, "Version": v.Number, "LastModifiedDate": seconds(v.Modified), "LastModifiedUser": v.User,
		"Tier": v.Tier, "Policies": []any{}, "DataType": v.DataType}
	for name, text := range map[string]string{"Description": v.Description, "KeyId": v.KeyID, "AllowedPattern": v.AllowedPattern} {
		if text != "" {
			out[name] = text
		}
	}
	return out
}

func seconds(ms int64) float64 { return float64(ms) / 1000 }
