package sqs

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
)

// number is a queue attribute that holds an integer.
type number struct {
	def, min, max int64
}

const (
	kib             = 1024
	messageBytesMax = 1024 * kib
	visibilityMax   = 43200
	delayMax        = 900
	waitMax         = 20
)

// numbers are the numeric attributes that a client may set, with AWS's defaults and bounds.
var numbers = map[string]number{
	"DelaySeconds":                  {0, 0, delayMax},
	"MaximumMessageSize":            {messageBytesMax, kib, messageBytesMax},
	"MessageRetentionPeriod":        {345600, 60, 1209600},
	"ReceiveMessageWaitTimeSeconds": {0, 0, waitMax},
	"VisibilityTimeout":             {30, 0, visibilityMax},
	"KmsDataKeyReusePeriodSeconds":  {300, 60, 86400},
}

// texts are the other attributes that a client may set; all are kept as they came, and "" removes them.
var texts = map[string]func(value string) *aws.Error{
	"Policy":               checkPolicy,
	"RedrivePolicy":        func(v string) *aws.Error { _, err := parseRedrive(v); return err },
	"RedriveAllowPolicy":   checkRedriveAllow,
	"KmsMasterKeyId":       nil,
	"SqsManagedSseEnabled": checkBool,
}

// computed are the attributes that the service knows by itself.
var computed = map[string]func(b *box) string{
	"QueueArn":                              func(b *box) string { return b.arn() },
	"CreatedTimestamp":                      func(b *box) string { return strconv.FormatInt(b.Created, 10) },
	"LastModifiedTimestamp":                 func(b *box) string { return strconv.FormatInt(b.Modified, 10) },
	"ApproximateNumberOfMessages":           func(b *box) string { return strconv.FormatUint(b.ready, 10) },
	"ApproximateNumberOfMessagesNotVisible": func(b *box) string { return strconv.FormatUint(b.inFlight, 10) },
	"ApproximateNumberOfMessagesDelayed":    func(b *box) string { return strconv.FormatUint(b.delayed, 10) },
}

// choice is an attribute of FIFO queues: its values, the first being the default.
var choices = map[string][]string{
	"FifoQueue":                 {"true"},
	"ContentBasedDeduplication": {"false", "true"},
	"DeduplicationScope":        {"queue", "messageGroup"},
	"FifoThroughputLimit":       {"perQueue", "perMessageGroupId"},
}

func checkBool(v string) *aws.Error {
	if v != "true" && v != "false" {
		return invalidAttributeValue("SqsManagedSseEnabled")
	}
	return nil
}

func checkPolicy(v string) *aws.Error {
	var o map[string]any
	if json.Unmarshal([]byte(v), &o) != nil {
		return invalidAttributeValue("Policy")
	}
	return nil
}

// checkAttributes validates what a client wants to set, in the order of the names.
func checkAttributes(attributes map[string]string, fifo bool) error {
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		v := attributes[name]
		if n, ok := numbers[name]; ok {
			i, err := strconv.ParseInt(v, 10, 64)
			if err != nil || i < n.min || i > n.max {
				return invalidAttributeValue(name)
			}
			continue
		}
		check, ok := texts[name]
		values, isChoice := choices[name]
		switch {
		case isChoice && !fifo:
			return invalidAttributeName(name)
		case isChoice:
			if !slices.Contains(values, v) {
				return invalidAttributeValue(name)
			}
		case !ok:
			return invalidAttributeName(name)
		case check != nil && v != "":
			if err := check(v); err != nil {
				return err
			}
		}
	}
	return nil
}

// attribute is the value of an attribute, "" if the queue has none.
func (q *queue) attribute(name string) string {
	if v, ok := q.Attributes[name]; ok {
		return v
	}
	if name == "SqsManagedSseEnabled" {
		return strconv.FormatBool(q.Attributes["KmsMasterKeyId"] == "")
	}
	if values, ok := choices[name]; ok && q.Attributes["FifoQueue"] == "true" {
		return values[0]
	}
	if n, ok := numbers[name]; ok && (name != "KmsDataKeyReusePeriodSeconds" || q.Attributes["KmsMasterKeyId"] != "") {
		return strconv.FormatInt(n.def, 10)
	}
	return ""
}

// seconds is a numeric attribute's value.
func (q *queue) seconds(name string) int64 {
	n, err := strconv.ParseInt(q.attribute(name), 10, 64)
	if err != nil {
		panic("sqs: " + name + " was stored without validation")
	}
	return n
}

// set takes over validated attributes.
func (q *queue) set(attributes map[string]string) {
	if q.Attributes == nil {
		q.Attributes = map[string]string{}
	}
	for name, v := range attributes {
		if v == "" {
			delete(q.Attributes, name)
			continue
		}
		q.Attributes[name] = v
		if name == "KmsMasterKeyId" {
			delete(q.Attributes, "SqsManagedSseEnabled")
		}
	}
}

func (s *Service) getAttributes(c *service.Context, b *box) (any, error) {
	var in struct{ AttributeNames []string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if err := b.tend(); err != nil {
		return nil, err
	}
	out := map[string]string{}
	give := func(name string) {
		v := b.attribute(name)
		if f := computed[name]; f != nil {
			v = f(b)
		}
		if v != "" {
			out[name] = v
		}
	}
	for _, name := range in.AttributeNames {
		_, isNumber := numbers[name]
		_, isText := texts[name]
		_, isChoice := choices[name]
		switch {
		case name == "All":
			for n := range choices {
				give(n)
			}
			for n := range numbers {
				give(n)
			}
			for n := range texts {
				give(n)
			}
			for n := range computed {
				give(n)
			}
		case isNumber, isText, isChoice, computed[name] != nil:
			give(name)
		default:
			return nil, invalidAttributeName(name)
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	return map[string]any{"Attributes": out}, nil
}

func (s *Service) setAttributes(c *service.Context, b *box) (any, error) {
	var in struct{ Attributes map[string]string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if in.Attributes == nil {
		return nil, missingParameter("Attributes")
	}
	if err := checkAttributes(in.Attributes, b.isFIFO()); err != nil {
		return nil, err
	}
	b.set(in.Attributes)
	b.Modified, b.changed = c.Now.Unix(), true
	return nil, nil
}
