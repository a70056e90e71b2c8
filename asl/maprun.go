package asl

import (
	"crypto/sha256"
	"strconv"

	"github.com/newel-run/newel/asl/jsonpath"
	"github.com/newel-run/newel/asl/value"
)

// MapRun is what a distributed Map asks for: its fields, with what their paths led to when the state was entered. It holds
// plain values, so that it can be stored as JSON.
type MapRun struct {
	MaxConcurrency             int64   `json:",omitempty"` // 0 for AWS's most, 10,000
	ToleratedFailureCount      int64   `json:",omitempty"`
	ToleratedFailurePercentage float64 `json:",omitempty"`
	Express                    bool    `json:",omitempty"` // ExecutionType of the children
	Label                      string
	Reader                     *ItemReader   `json:",omitempty"` // nil: the items are in the state's input
	Batch                      *ItemBatch    `json:",omitempty"`
	Writer                     *ResultWriter `json:",omitempty"` // nil: COMPACT, into the state's output
}

// ItemReader says where the items are and how to read them.
type ItemReader struct {
	Action                                              string // "getObject" or "listObjectsV2"
	Bucket, Key, VersionID, Prefix, ExpectedBucketOwner string `json:",omitempty"`
	InputType                                           string `json:",omitempty"` // CSV, JSON, JSONL or MANIFEST (S3 inventory)
	Delimiter                                           byte
	Headers                                             []string `json:",omitempty"` // nil: the first row has them
	ItemsPointer                                        string   `json:",omitempty"` // RFC 6901; JSON only
	MaxItems                                            int64    `json:",omitempty"` // 0 for all; negative is the reader's to refuse
}

// ItemBatch says how items become one child's input.
type ItemBatch struct {
	MaxItems int64  `json:",omitempty"` // 0 for no limit
	MaxBytes int64  `json:",omitempty"`
	Input    string `json:",omitempty"` // JSON of BatchInput
}

// ResultWriter says what becomes of the results.
type ResultWriter struct {
	Bucket, Prefix string `json:",omitempty"` // Bucket "": the results are the state's output
	Transformation string // NONE, COMPACT or FLATTEN
	OutputType     string // JSON or JSONL
}

// HasItemReader reports whether a distributed Map's items come from S3.
func (s *State) HasItemReader() bool { return s.Map.distributed.reader != nil }

// ItemsInInput reports whether a path leads to a Map's items in its effective input.
func (s *State) ItemsInInput() bool {
	return s.Language == JSONPath && (s.Map.items == nil || s.Map.items.Root == jsonpath.Input)
}

// HasItemSelector reports whether a Map makes its items' inputs with ItemSelector.
func (s *State) HasItemSelector() bool { return s.Map.selector != nil }

// mostBatched is the number of items that a batch may have by AWS.
const mostBatched = maxItems

// MapRun evaluates the fields of a distributed Map. env.Input is the state's effective input.
func (s *State) MapRun(env *Env) (*MapRun, error) {
	d := s.Map.distributed
	run := &MapRun{Express: s.Map.ExecutionType == "EXPRESS", Label: s.Map.Label}
	var err error
	if run.MaxConcurrency, err = s.MaxConcurrency(env); err != nil {
		return nil, err
	}
	if run.ToleratedFailureCount, err = d.toleratedCount.whole(env); err != nil {
		return nil, err
	}
	if run.ToleratedFailureCount < 0 {
		return nil, runtimeError("ToleratedFailureCount cannot be negative.")
	}
	if run.ToleratedFailurePercentage, err = d.toleratedPercentage.float(env); err != nil {
		return nil, err
	}
	if p := run.ToleratedFailurePercentage; p < 0 || p > 100 {
		return nil, runtimeError("ToleratedFailurePercentage must be between 0 and 100.")
	}
	if run.Reader, err = d.read(env); err != nil {
		return nil, err
	}
	if run.Batch, err = d.batched(env); err != nil {
		return nil, err
	}
	run.Writer, err = d.written(env)
	return run, err
}

func (d *distributedFields) read(env *Env) (*ItemReader, error) {
	if d.reader == nil {
		return nil, nil
	}
	r := *d.reader
	n, err := d.maxItems.whole(env)
	if err != nil {
		return nil, err
	}
	r.MaxItems = min(n, maxItems)
	params, err := d.parameters.object(env)
	if err != nil {
		return nil, err
	}
	for name, into := range map[string]*string{"Bucket": &r.Bucket, "Key": &r.Key, "VersionId": &r.VersionID, "Prefix": &r.Prefix,
		"ExpectedBucketOwner": &r.ExpectedBucketOwner} {
		if *into, err = textParameter(params, name, "ItemReader"); err != nil {
			return nil, err
		}
	}
	return &r, nil
}

func (d *distributedFields) batched(env *Env) (*ItemBatch, error) {
	if !d.batch {
		return nil, nil
	}
	b := &ItemBatch{}
	var err error
	if b.MaxItems, err = d.batchItems.whole(env); err != nil {
		return nil, err
	}
	if b.MaxBytes, err = d.batchBytes.whole(env); err != nil {
		return nil, err
	}
	if d.batchItems.given() && (b.MaxItems < 1 || b.MaxItems > mostBatched) {
		return nil, runtimeError("MaxItemsPerBatch must be between 1 and %d.", int64(mostBatched))
	}
	if d.batchBytes.given() && (b.MaxBytes < 1 || b.MaxBytes > maxBatchBytes) {
		return nil, runtimeError("MaxInputBytesPerBatch must be between 1 and %d.", int64(maxBatchBytes))
	}
	if d.batchInput != nil {
		doc, err := d.batchInput.render(env)
		if err != nil {
			return nil, err
		}
		b.Input = doc.String()
	}
	return b, nil
}

func (d *distributedFields) written(env *Env) (*ResultWriter, error) {
	if d.writer == nil {
		return nil, nil
	}
	w := *d.writer
	if d.destination == nil {
		return &w, nil
	}
	params, err := d.destination.object(env)
	if err != nil {
		return nil, err
	}
	if w.Bucket, err = textParameter(params, "Bucket", "ResultWriter"); err != nil {
		return nil, err
	}
	if w.Bucket == "" {
		return nil, runtimeError("The ResultWriter's Bucket must not be empty.")
	}
	w.Prefix, err = textParameter(params, "Prefix", "ResultWriter")
	return &w, err
}

// object renders a template of an object.
func (t *template) object(env *Env) (*value.Object, error) {
	if t == nil {
		return &value.Object{}, nil
	}
	doc, err := t.render(env)
	if err != nil {
		return nil, err
	}
	o, ok := doc.Value().(*value.Object)
	if !ok {
		return nil, runtimeError("The parameters must be an object: %s", doc)
	}
	return o, nil
}

func textParameter(o *value.Object, name, of string) (string, error) {
	v, ok := o.Get(name)
	if !ok || v == nil {
		return "", nil
	}
	text, ok := v.(string)
	if !ok {
		return "", runtimeError("The %s's %s must be a string: %s", of, name, value.Append(nil, v))
	}
	return text, nil
}

// lookup is the number, as text, and the path that it came from; the text is "" if there is no such field.
func (f *countField) lookup(env *Env) (text string, path *jsonpath.Path, err error) {
	if f.query != nil {
		number, err := typed[value.Number](f.query, env, "number")
		return string(number), nil, err
	}
	if f.path == nil {
		return string(f.number), nil, nil
	}
	doc, err := env.find(f.path)
	if err != nil {
		return "", f.path, runtimeError("%s", err.Error())
	}
	return plainText(doc.Value()), f.path, nil
}

func (f *countField) whole(env *Env) (int64, error) {
	text, path, err := f.lookup(env)
	if err != nil || path == nil && text == "" {
		return 0, err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil && f.query != nil {
		return 0, queryError(f.query.field, "The %s field cannot be parsed as a long value: %s", f.name, text)
	}
	if err != nil {
		return 0, runtimeError(`The %s field refers to value "%s" which is not a valid integer: %s`, f.name, text, path)
	}
	return n, nil
}

func (f *countField) float(env *Env) (float64, error) {
	text, path, err := f.lookup(env)
	if err != nil || path == nil && text == "" {
		return 0, err
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, runtimeError(`The %s field refers to value "%s" which is not a valid float: %s`, f.name, text, path)
	}
	return n, nil
}

// automaticLabel is the label of a distributed Map that has none: in the form of a UUID, decided by the state's name, which
// is unique in its machine.
func automaticLabel(state string) string {
	sum := sha256.Sum256([]byte("label of " + state))
	return FormatUUID([16]byte(sum[:16]), 3)
}

// FormatUUID writes 16 bytes as a UUID of a version, whose bits replace those of the bytes.
func FormatUUID(b [16]byte, version byte) string {
	b[6] = b[6]&0x0f | version<<4
	b[8] = b[8]&0x3f | 0x80
	const hex = "0123456789abcdef"
	out := make([]byte, 0, 36)
	for i, c := range b {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			out = append(out, '-')
		}
		out = append(out, hex[c>>4], hex[c&15])
	}
	return string(out)
}

// processorText is a processor as the text of a state machine of its own.
func processorText(p place, language QueryLanguage) string {
	o := &value.Object{}
	if language == JSONata {
		o.Set("QueryLanguage", string(JSONata))
	}
	for _, m := range p.members {
		if m.name != "ProcessorConfig" {
			o.Set(m.name, m.node.value())
		}
	}
	return string(value.Append(nil, o))
}
