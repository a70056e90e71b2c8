package lambda

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/store"
)

// record is a function ($LATEST) or one of its published versions as it is stored. V is the format: 1.
type record struct {
	V int
	identity
	Version        string `json:",omitempty"` // "3"; "" for $LATEST
	Published      int    `json:",omitempty"` // $LATEST: the last version number that was given out
	Fingerprint    string `json:",omitempty"` // version: of the code and configuration that it was published from
	Description    string
	Runtime        string
	Handler        string
	Role           string
	Timeout        int // seconds
	MemorySize     int // MB
	Environment    map[string]string
	HasEnvironment bool
	Architectures  []string
	TracingMode    string
	KMSKeyArn      string
	DeadLetterArn  string
	EphemeralMB    int
	Logging        loggingConfig
	VPC            json.RawMessage `json:",omitempty"`
	CodeHash       string          // SHA-256, hex
	CodeSize       int
	LastModified   time.Time
	RevisionID     string
	Generation     string // changes with code and configuration: workers of another generation are retired
	Tags           map[string]string
	Reserved       *int // reserved concurrency
	attachment
	Qualified map[string]*attachment `json:",omitempty"` // $LATEST: what is attached to its versions and aliases
}

// attachment is what can be attached to a function, and to each of its versions and aliases.
type attachment struct {
	Policy            []statement
	PolicyRevisionID  string
	EventInvokeConfig *eventInvokeConfig
	Provisioned       *provisioned `json:",omitempty"` // versions and aliases only
}

type loggingConfig struct {
	LogFormat           string `json:",omitempty"`
	ApplicationLogLevel string `json:",omitempty"`
	SystemLogLevel      string `json:",omitempty"`
	LogGroup            string `json:",omitempty"`
}

const timeFormat = "2006-01-02T15:04:05.000-0700"

func (f *record) logGroup() string {
	if f.Logging.LogGroup != "" {
		return f.Logging.LogGroup
	}
	return "/aws/lambda/" + f.Name
}

// revise notes a change of code or configuration.
func (f *record) revise(now time.Time) {
	f.LastModified = now.UTC()
	f.RevisionID = aws.NewUUID()
	f.Generation = f.RevisionID
}

func codeSha256(hash string) string {
	b, _ := hex.DecodeString(hash)
	return base64.StdEncoding.EncodeToString(b)
}

// configuration is AWS's FunctionConfiguration.
type configuration struct {
	FunctionName         string
	FunctionArn          string
	Runtime              string
	Role                 string
	Handler              string
	CodeSize             int
	Description          string
	Timeout              int
	MemorySize           int
	LastModified         string
	CodeSha256           string
	Version              string
	VpcConfig            json.RawMessage  `json:",omitempty"`
	DeadLetterConfig     *deadLetter      `json:",omitempty"`
	Environment          *environment     `json:",omitempty"`
	KMSKeyArn            string           `json:",omitempty"`
	TracingConfig        tracing          `json:"TracingConfig"`
	RevisionId           string           //nolint:revive // AWS's name
	State                string           `json:",omitempty"`
	LastUpdateStatus     string           `json:",omitempty"`
	PackageType          string           `json:"PackageType"`
	Architectures        []string         `json:"Architectures"`
	EphemeralStorage     ephemeralStorage `json:"EphemeralStorage"`
	SnapStart            snapStart        `json:"SnapStart"`
	RuntimeVersionConfig runtimeVersion   `json:"RuntimeVersionConfig"`
	LoggingConfig        loggingConfig    `json:"LoggingConfig"`
}

type (
	environment      struct{ Variables map[string]string }
	tracing          struct{ Mode string }
	ephemeralStorage struct{ Size int }
	snapStart        struct{ ApplyOn, OptimizationStatus string }
	deadLetter       struct{ TargetArn string }
	runtimeVersion   struct{ RuntimeVersionArn string }
)

// configuration answers with the function's settings. A function is ready at once, so its state is always Active.
func (f *record) configuration() *configuration {
	c := &configuration{
		FunctionName: f.Name, FunctionArn: f.arn(), Runtime: f.Runtime, Role: f.Role, Handler: f.Handler,
		CodeSize: f.CodeSize, Description: f.Description, Timeout: f.Timeout, MemorySize: f.MemorySize,
		LastModified: f.LastModified.UTC().Format(timeFormat), CodeSha256: codeSha256(f.CodeHash), Version: f.version(),
		VpcConfig: f.VPC, KMSKeyArn: f.KMSKeyArn, TracingConfig: tracing{f.TracingMode}, RevisionId: f.RevisionID,
		State: "Active", LastUpdateStatus: "Successful", PackageType: "Zip", Architectures: f.Architectures,
		EphemeralStorage: ephemeralStorage{f.EphemeralMB}, SnapStart: snapStart{"None", "Off"},
		RuntimeVersionConfig: runtimeVersion{"arn:aws:lambda:" + f.Region + "::runtime:" + f.Runtime},
		LoggingConfig:        f.Logging,
	}
	if f.HasEnvironment {
		c.Environment = &environment{f.Environment}
	}
	if f.DeadLetterArn != "" {
		c.DeadLetterConfig = &deadLetter{f.DeadLetterArn}
	}
	c.LoggingConfig.LogGroup = f.logGroup()
	if c.LoggingConfig.LogFormat == "" {
		c.LoggingConfig.LogFormat = "Text"
	}
	return c
}

// get reads a function; nil if there is none.
func get(r store.Reader, id identity) (*record, error) {
	b, err := r.Get(id.key())
	if err != nil || b == nil {
		return nil, err
	}
	return decode(b)
}

// need reads a function that has to be there.
func need(r store.Reader, id identity) (*record, error) {
	f, err := get(r, id)
	if err == nil && f == nil {
		err = notFound(id.arn())
	}
	return f, err
}

func decode(b []byte) (*record, error) {
	f := new(record)
	if err := json.Unmarshal(b, f); err != nil {
		return nil, err
	}
	return f, nil
}

func put(tx store.Tx, f *record) error {
	f.V = 1
	b, err := json.Marshal(f)
	if err == nil {
		tx.Set(f.rowKey(), b)
	}
	return err
}

// loaded is a decoded record and the bytes that it was decoded from.
type loaded struct {
	raw []byte
	f   *record
}

// decodeCached decodes the row of a key, or returns what it was decoded to the last time. The record is shared.
func (s *Service) decodeCached(key store.Key, b []byte) (*record, error) {
	s.mu.Lock()
	c := s.cached[string(key)]
	s.mu.Unlock()
	if c != nil && bytes.Equal(c.raw, b) {
		return c.f, nil
	}
	f, err := decode(b)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.cached[string(key)] = &loaded{bytes.Clone(b), f}
	s.mu.Unlock()
	return f, nil
}

// load reads a function outside a transaction. The record is shared: it must not be changed.
func (s *Service) load(ctx context.Context, id identity) (*record, error) {
	var f *record
	key := id.key()
	err := s.Env.Store.View(ctx, s.PartitionOf(id.Account, id.Region, ""), func(r store.Reader) error {
		b, err := r.Get(key)
		if err != nil {
			return err
		}
		if b == nil {
			return errNoSuchFunction
		}
		f, err = s.decodeCached(key, b)
		return err
	})
	return f, err
}
