// Package source is what a queue's messages become on their way to a function: events in AWS's shape, filters over them, and
// the function's report of what failed. It is pure.
package source

import (
	"encoding/json"
	"errors"
	"slices"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/events/pattern"
	"github.com/newel-run/newel/internal/service"
)

// Message is a message as SQS hands it out.
type Message struct {
	MessageID         string `json:"MessageId"`
	ReceiptHandle     string
	Body              string
	MD5OfBody         string
	Attributes        map[string]string
	AttributesMD5     string               `json:"MD5OfMessageAttributes"`
	MessageAttributes map[string]attribute `json:"MessageAttributes"`
}

type attribute struct {
	StringValue, BinaryValue *string
	DataType                 string
}

// Event is a message in the shape in which AWS gives it to functions.
type Event struct {
	MessageID     string                    `json:"messageId"`
	ReceiptHandle string                    `json:"receiptHandle"`
	Body          string                    `json:"body"`
	Attributes    map[string]string         `json:"attributes"`
	UserValues    map[string]attributeValue `json:"messageAttributes"`
	UserMD5       string                    `json:"md5OfMessageAttributes,omitempty"`
	BodyMD5       string                    `json:"md5OfBody"`
	Source        string                    `json:"eventSource"`
	SourceARN     string                    `json:"eventSourceARN"`
	Region        string                    `json:"awsRegion"`
}

type attributeValue struct {
	StringValue  *string  `json:"stringValue,omitempty"`
	BinaryValue  *string  `json:"binaryValue,omitempty"`
	StringValues []string `json:"stringListValues"`
	BinaryValues []string `json:"binaryListValues"`
	DataType     string   `json:"dataType"`
}

// Event is the event of a message of the queue whose ARN is source.
func (r *Message) Event(source string) Event {
	a, _ := aws.ParseARN(source)
	e := Event{MessageID: r.MessageID, ReceiptHandle: r.ReceiptHandle, Body: r.Body, Attributes: r.Attributes,
		UserValues: map[string]attributeValue{}, UserMD5: r.AttributesMD5, BodyMD5: r.MD5OfBody, Source: "aws:sqs", SourceARN: source, Region: a.Region}
	for name, v := range r.MessageAttributes {
		e.UserValues[name] = attributeValue{v.StringValue, v.BinaryValue, []string{}, []string{}, v.DataType}
	}
	return e
}

// filtered is the document that a filter sees: the event, with a body that is a JSON object as an object.
func (e *Event) filtered() (value.Value, error) {
	b, err := service.Marshal(e)
	if err != nil {
		return nil, err
	}
	doc, err := value.Parse(b)
	if err != nil {
		return nil, err
	}
	if body, err := value.Parse([]byte(e.Body)); err == nil {
		if body, ok := body.(*value.Object); ok {
			doc.(*value.Object).Set("body", body)
		}
	}
	return doc, nil
}

// ErrReport: what a function says about the items that failed makes the whole batch fail.
var ErrReport = errors.New("the function's report of failed items cannot be used")

// FailedItems reads a function's report: the ids of the messages that failed. A report that is missing or empty means
// that all went well; one that AWS cannot use means that nothing did.
func FailedItems(payload []byte, batch []Message) (map[string]bool, error) {
	if len(payload) == 0 {
		return nil, nil
	}
	var top any
	if err := json.Unmarshal(payload, &top); err != nil {
		return nil, ErrReport
	}
	if s, ok := top.(string); ok && s != "" {
		return nil, ErrReport
	}
	report, ok := top.(map[string]any)
	if !ok {
		return nil, nil
	}
	items, there := report["batchItemFailures"]
	if !there || items == nil {
		return nil, nil
	}
	list, ok := items.([]any)
	if !ok {
		return nil, ErrReport
	}
	known, failed := map[string]bool{}, map[string]bool{}
	for _, m := range batch {
		known[m.MessageID] = true
	}
	for _, item := range list {
		fields, _ := item.(map[string]any)
		id, _ := fields["itemIdentifier"].(string)
		if !known[id] {
			return nil, ErrReport
		}
		failed[id] = true
	}
	return failed, nil
}

// Filters are patterns of which one has to match.
type Filters []*pattern.Pattern

// ParseFilters compiles patterns.
func ParseFilters(texts []string) (Filters, error) {
	var list Filters
	for _, text := range texts {
		p, err := pattern.Parse(text)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

// Pass reports whether an event passes; where there are no filters every event does.
func (f Filters) Pass(e *Event) bool {
	if len(f) == 0 {
		return true
	}
	doc, err := e.filtered()
	return err == nil && slices.ContainsFunc(f, func(p *pattern.Pattern) bool { return p.Match(doc) })
}
