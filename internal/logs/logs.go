// Package logs is Amazon CloudWatch Logs: groups, streams and their events.
//
// A log group with all its streams and events is one partition, placed by its name. An event is stored once, ordered by
// its timestamp within the group, which is the order of FilterLogEvents; a second row without a value orders it within its
// stream for GetLogEvents. Tokens of both operations are cuts in that order, so that a reader that follows a stream sees
// what is put later without repeating anything. Retention is evaluated when somebody reads or puts: an expired event is
// never given out, and each put deletes some.
package logs

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// New makes the service.
func New(env *service.Env) *service.Service {
	l := &logs{env: env}
	l.Service = service.New("logs", env, []service.Operation{
		{Name: "CreateLogGroup", Key: groupKey, Update: l.createGroup},
		{Name: "DeleteLogGroup", Key: groupKey, Update: l.deleteGroup},
		{Name: "DescribeLogGroups", Do: l.describeGroups},
		{Name: "PutRetentionPolicy", Key: groupKey, Update: l.putRetention},
		{Name: "DeleteRetentionPolicy", Key: groupKey, Update: l.deleteRetention},
		{Name: "TagLogGroup", Key: groupKey, Update: l.tagGroup},
		{Name: "UntagLogGroup", Key: groupKey, Update: l.untagGroup},
		{Name: "ListTagsLogGroup", Key: groupKey, View: l.listTags},
		{Name: "TagResource", Key: groupKey, Update: l.tagGroup},
		{Name: "UntagResource", Key: groupKey, Update: l.untagGroup},
		{Name: "ListTagsForResource", Key: groupKey, View: l.listTags},
		{Name: "CreateLogStream", Key: groupKey, Update: l.createStream},
		{Name: "DeleteLogStream", Key: groupKey, Update: l.deleteStream},
		{Name: "DescribeLogStreams", Key: groupKey, View: l.describeStreams},
		{Name: "PutLogEvents", Key: groupKey, Update: l.putEvents},
		{Name: "GetLogEvents", Key: groupKey, View: l.getEvents},
		{Name: "FilterLogEvents", Key: groupKey, View: l.filterEvents},
		{Name: "AssociateKmsKey", Key: groupKey, Update: l.associateKey},
		{Name: "DisassociateKmsKey", Key: groupKey, Update: l.disassociateKey},
	})
	l.KeyFault = keyFault
	return l.Service
}

type logs struct {
	*service.Service
	env *service.Env
}

// The rows of a group, keyed by kind, account, region and group.
const (
	rowGroup  byte = 'g' // record (group)
	rowCount  byte = 'n' // counters
	rowStream byte = 's' // stream name -> record (stream)
	rowEvent  byte = 'e' // cut -> event
	rowOrder  byte = 'o' // stream name, cut -> nothing
)

const recordVersion = 1

var errCorrupt = errors.Join(store.ErrCorrupt, errors.New("logs: a row cannot be decoded"))

// address identifies a log group.
type address struct{ account, region, name string }

func (a address) key(kind byte) store.Key {
	return append(store.K(store.TableLogs), kind).Str(a.account).Str(a.region).Str(a.name)
}

func (a address) arn() string {
	return aws.ARN{Service: "logs", Region: a.region, Account: a.account, Resource: "log-group:" + a.name}.String()
}

// cut is a place in the order of events: before the event that has it as its own.
type cut struct {
	timestamp int64 // ms
	seq       uint64
}

func (c cut) append(k store.Key) store.Key { return k.U64(uint64(c.timestamp)).U64(c.seq) }

func (c cut) next() cut { return cut{c.timestamp, c.seq + 1} }

func parseCut(b []byte) (cut, bool) {
	if len(b) != 16 {
		return cut{}, false
	}
	return cut{int64(binary.BigEndian.Uint64(b)), binary.BigEndian.Uint64(b[8:])}, true
}

// digits writes a cut as AWS writes event ids and tokens: a number of 56 digits.
func (c cut) digits() string { return fmt.Sprintf("%036d%020d", c.timestamp, c.seq) }

func parseDigits(s string) (c cut, ok bool) {
	if len(s) != 56 || strings.Trim(s, "0123456789") != "" {
		return c, false
	}
	n, err := fmt.Sscanf(s[:36]+" "+s[36:], "%d %d", &c.timestamp, &c.seq)
	return c, n == 2 && err == nil
}

// group is a log group's record.
type group struct {
	Version   int
	Created   int64 // ms
	Retention int   `json:",omitempty"` // days, 0 for ever
	KmsKeyID  string
	Class     string
	Tags      map[string]string
}

// stream is a log stream's record. Times are ms, 0 for no event yet.
type stream struct {
	Version                   int
	Created                   int64
	First, Last, LastIngested int64
}

// counters of a group.
type counters struct {
	nextSeq uint64
	bytes   uint64
}

func (c counters) encode() []byte {
	return binary.AppendUvarint(binary.AppendUvarint([]byte{recordVersion}, c.nextSeq), c.bytes)
}

func (a address) counters(rd store.Reader) (c counters, err error) {
	b, err := rd.Get(a.key(rowCount))
	if err != nil || b == nil {
		return c, err
	}
	if len(b) == 0 || b[0] != recordVersion {
		return c, errCorrupt
	}
	seq, n := binary.Uvarint(b[1:])
	bytes, m := binary.Uvarint(b[1+max(n, 0):])
	if n <= 0 || m <= 0 {
		return c, errCorrupt
	}
	return counters{seq, bytes}, nil
}

// event is a stored log event.
type event struct {
	ingested int64 // ms
	stream   string
	message  string
	sealed   []byte // the message, if it is encrypted (protect.go)
	length   int    // of the sealed message
}

func (e *event) encode() []byte {
	b := append(make([]byte, 0, len(e.message)+len(e.stream)+16), recordVersion)
	b = binary.AppendUvarint(b, uint64(e.ingested))
	b = binary.AppendUvarint(b, uint64(len(e.stream)))
	return append(append(b, e.stream...), e.message...)
}

func decodeEvent(b []byte) (e event, err error) {
	if len(b) == 0 || b[0] != recordVersion && b[0] != sealedVersion {
		return e, errCorrupt
	}
	version := b[0]
	ingested, n := binary.Uvarint(b[1:])
	if n <= 0 {
		return e, errCorrupt
	}
	b = b[1+n:]
	length, n := binary.Uvarint(b)
	if n <= 0 || uint64(len(b)-n) < length {
		return e, errCorrupt
	}
	b = b[n:]
	e.ingested, e.stream, b = int64(ingested), string(b[:length]), b[length:]
	if version == recordVersion {
		e.message = string(b)
		return e, nil
	}
	size, n := binary.Uvarint(b)
	if n <= 0 {
		return e, errCorrupt
	}
	e.length, e.sealed = int(size), bytes.Clone(b[n:])
	return e, nil
}

// resource is how operations name a group: by name, by identifier (name or ARN) or by ARN.
type resource struct {
	LogGroupName       string `json:"logGroupName"`
	LogGroupIdentifier string `json:"logGroupIdentifier"`
	ResourceArn        string `json:"resourceArn"`
}

var (
	groupName  = aws.Lazy(`^[.\-_/#A-Za-z0-9]{1,512}$`)
	streamName = aws.Lazy(`^[^:*]{1,512}$`)
)

// groupKey is the name of the group that an operation works on.
func groupKey(r *aws.Request) (string, error) {
	var in resource
	if err := service.Decode(r, &in); err != nil {
		return "", err
	}
	name, member := in.LogGroupName, "logGroupName"
	switch {
	case name != "" && in.LogGroupIdentifier != "":
		return "", invalid("LogGroup name and LogGroup ARN are mutually exclusive parameters.")
	case in.LogGroupIdentifier != "":
		name, member = nameOf(in.LogGroupIdentifier), "logGroupIdentifier"
	case in.ResourceArn != "":
		name, member = nameOf(in.ResourceArn), "resourceArn"
	}
	if name == "" {
		return "", constraint("null", member, "Member must not be null")
	}
	if !groupName.MatchString(name) {
		return "", constraint("'"+name+"'", member, `Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+`)
	}
	return name, nil
}

// nameOf is the group's name in an ARN, with or without ":*" at its end; other text is a name itself.
func nameOf(identifier string) string {
	a, ok := aws.ParseARN(identifier)
	if !ok {
		return identifier
	}
	name := strings.TrimPrefix(a.Resource, "log-group:")
	name, _, _ = strings.Cut(name, ":")
	return name
}

// find reads the group that a request names.
func (l *logs) find(c *service.Context, rd store.Reader) (address, *group, error) {
	name, err := groupKey(c.Request)
	if err != nil {
		return address{}, nil, err
	}
	a := address{c.Account, c.Region, name}
	b, err := rd.Get(a.key(rowGroup))
	if err != nil {
		return a, nil, err
	}
	if b == nil {
		return a, nil, noGroup()
	}
	g, err := decodeGroup(b)
	return a, g, err
}

func decodeGroup(b []byte) (*group, error) {
	g := &group{}
	if json.Unmarshal(b, g) != nil || g.Version != recordVersion {
		return nil, errCorrupt
	}
	return g, nil
}

func (a address) streamKey(name string) store.Key { return a.key(rowStream).Str(name) }

func (a address) stream(rd store.Reader, name string) (*stream, error) {
	b, err := rd.Get(a.streamKey(name))
	if err != nil {
		return nil, err
	}
	if b == nil {
		return nil, aws.Errorf("ResourceNotFoundException", "The specified log stream does not exist.")
	}
	return decodeStream(b)
}

func decodeStream(b []byte) (*stream, error) {
	s := &stream{}
	if json.Unmarshal(b, s) != nil || s.Version != recordVersion {
		return nil, errCorrupt
	}
	return s, nil
}

func set(tx store.Tx, key store.Key, record any) error {
	b, err := json.Marshal(record)
	if err == nil {
		tx.Set(key, b)
	}
	return err
}

func noGroup() *aws.Error {
	return aws.Errorf("ResourceNotFoundException", "The specified log group does not exist.")
}

func invalid(format string, args ...any) *aws.Error {
	return aws.Errorf("InvalidParameterException", format, args...)
}

// constraint is AWS's sentence about a member that breaks its model.
func constraint(value, member, text string) *aws.Error {
	return invalid("1 validation error detected: Value %s at '%s' failed to satisfy constraint: %s", value, member, text)
}

// unsupported refuses what the service does not do, by name.
func unsupported(what string) *aws.Error { return invalid("Newel does not implement %s yet.", what) }
