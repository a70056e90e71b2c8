package sns

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// shown are the attributes that a topic has without anybody having set them.
var shown = map[string]bool{"Policy": true, "EffectiveDeliveryPolicy": true, "DisplayName": true, "FifoTopic": true, "ContentBasedDeduplication": true, "FifoThroughputScope": true}

// feedback are the attributes of delivery logging, by protocol; they are kept and have no effect.
var feedback = func() map[string]bool {
	names := map[string]bool{}
	for _, protocol := range []string{"HTTP", "Firehose", "Lambda", "Application", "SQS"} {
		for _, what := range []string{"SuccessFeedbackRoleArn", "SuccessFeedbackSampleRate", "FailureFeedbackRoleArn"} {
			names[protocol+what] = true
		}
	}
	return names
}()

// set checks and keeps an attribute. An empty value puts the default back.
func (t *topic) set(name, v string, creating bool) error {
	choice := func(values ...string) error {
		if v != "" && !slices.Contains(values, v) {
			return invalid("AttributeValue Reason: %s: %s", name, v)
		}
		return nil
	}
	var err error
	switch {
	case name == "DisplayName":
		if len([]rune(v)) > 100 {
			err = invalid("DisplayName Reason: Display Name must be less than or equal to 100 characters long")
		}
	case name == "Policy":
		err = checkPolicy(v)
	case name == "DeliveryPolicy":
		if v != "" && !isObject(v) {
			err = invalid("DeliveryPolicy: failed to parse JSON.")
		}
	case name == "KmsMasterKeyId" || feedback[name]:
	case name == "SignatureVersion":
		err = choice("1", "2")
	case name == "TracingConfig":
		err = choice("PassThrough", "Active")
	case name == "FifoTopic" && creating:
		if v == "false" {
			v = ""
		}
	case name == "ContentBasedDeduplication" && (creating || t.fifo()):
		err = choice("true", "false")
	case name == "FifoThroughputScope" && (creating || t.fifo()):
		err = choice("Topic", "MessageGroup")
	case name == "ArchivePolicy":
		err = invalid("ArchivePolicy Reason: Newel does not implement message archiving yet.")
	default:
		err = invalid("AttributeName")
	}
	if err != nil {
		return err
	}
	if t.Attributes == nil {
		t.Attributes = map[string]string{}
	}
	if v == "" {
		delete(t.Attributes, name)
	} else {
		t.Attributes[name] = v
	}
	return nil
}

// attribute is an attribute as it is shown.
func (t *topic) attribute(a address, name string) string {
	if v, ok := t.Attributes[name]; ok {
		return v
	}
	switch name {
	case "Policy":
		return defaultPolicy(a)
	case "EffectiveDeliveryPolicy":
		return t.effectiveDelivery()
	case "FifoTopic":
		if !t.fifo() {
			return "" // shown for FIFO topics only
		}
	case "ContentBasedDeduplication":
		if t.fifo() {
			return "false"
		}
	case "FifoThroughputScope":
		if t.fifo() {
			return "Topic"
		}
	}
	return ""
}

const deliveryDefaults = `{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":20,"maxDelayTarget":20,"numRetries":3,"numMaxDelayRetries":0,"numNoDelayRetries":0,"numMinDelayRetries":0,"backoffFunction":"linear"},"disableSubscriptionOverrides":false,"defaultRequestPolicy":{"headerContentType":"text/plain; charset=UTF-8"}}}`

func (t *topic) effectiveDelivery() string {
	if v := t.Attributes["DeliveryPolicy"]; v != "" {
		return v
	}
	return deliveryDefaults
}

func isObject(text string) bool {
	var o map[string]json.RawMessage
	return json.Unmarshal([]byte(text), &o) == nil
}

// policy is what AddPermission and RemovePermission know of a topic's Policy; statements pass as they are.
type policy struct {
	Version   string
	ID        string            `json:"Id,omitempty"`
	Statement []json.RawMessage `json:"Statement"`
}

func checkPolicy(text string) error {
	if text == "" {
		return nil
	}
	if _, err := parsePolicy(text); err != nil {
		return invalid("Policy Error: null")
	}
	return nil
}

func parsePolicy(text string) (policy, error) {
	var loose struct {
		Version   string
		ID        string `json:"Id"`
		Statement json.RawMessage
	}
	if err := json.Unmarshal([]byte(text), &loose); err != nil {
		return policy{}, err
	}
	p := policy{Version: loose.Version, ID: loose.ID}
	if p.Version == "" {
		p.Version = "2008-10-17"
	}
	if json.Unmarshal(loose.Statement, &p.Statement) != nil {
		p.Statement = []json.RawMessage{loose.Statement}
		if !isObject(string(loose.Statement)) {
			return p, invalid("Policy Error: null")
		}
	}
	return p, nil
}

func defaultPolicy(a address) string {
	b, err := service.Marshal(struct {
		Version, Id string //nolint:revive // AWS's name
		Statement   []any
	}{"2008-10-17", "__default_policy_ID", []any{struct {
		Sid, Effect string
		Principal   map[string]string
		Action      []string
		Resource    string
		Condition   map[string]map[string]string
	}{
		"__default_statement_ID", "Allow", map[string]string{"AWS": "*"},
		[]string{"SNS:GetTopicAttributes", "SNS:SetTopicAttributes", "SNS:AddPermission", "SNS:RemovePermission", "SNS:DeleteTopic", "SNS:Subscribe", "SNS:ListSubscriptionsByTopic", "SNS:Publish"},
		a.arn(), map[string]map[string]string{"StringEquals": {"AWS:SourceOwner": a.account}},
	}}})
	if err != nil {
		panic(err)
	}
	return string(b)
}

func (p *policy) find(label string) int {
	return slices.IndexFunc(p.Statement, func(s json.RawMessage) bool {
		var sid struct{ Sid string }
		return json.Unmarshal(s, &sid) == nil && sid.Sid == label
	})
}

func (s *Service) addPermission(c *service.Context, tx store.Tx) (any, error) {
	var in struct {
		Label        string
		AWSAccountId []string //nolint:revive // AWS's name
		ActionName   []string
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	a, t, err := find(c, tx)
	if err != nil {
		return nil, err
	}
	if in.Label == "" || len(in.AWSAccountId) == 0 || len(in.ActionName) == 0 {
		return nil, invalid("Label, AWSAccountId and ActionName Reason: no value for required parameter")
	}
	p, err := parsePolicy(t.attribute(a, "Policy"))
	if err != nil {
		return nil, err
	}
	if p.find(in.Label) >= 0 {
		return nil, invalid("Statement already exists")
	}
	principals := make([]string, len(in.AWSAccountId))
	for i, account := range in.AWSAccountId {
		principals[i] = aws.ARN{Service: "iam", Account: account, Resource: "root"}.String()
	}
	actions := make([]string, len(in.ActionName))
	for i, name := range in.ActionName {
		if !publishable[strings.ToLower(name)] && name != "*" {
			return nil, invalid("Policy statement action out of service scope!")
		}
		actions[i] = "SNS:" + name
	}
	statement, err := service.Marshal(struct {
		Sid, Effect string
		Principal   map[string]any
		Action      any
		Resource    string
	}{in.Label, "Allow", map[string]any{"AWS": oneOrAll(principals)}, oneOrAll(actions), a.arn()})
	if err != nil {
		return nil, err
	}
	p.Statement = append(p.Statement, statement)
	return nil, a.setPolicy(tx, t, p)
}

// publishable are the actions that a topic's policy may name.
var publishable = map[string]bool{"gettopicattributes": true, "settopicattributes": true, "addpermission": true, "removepermission": true, "deletetopic": true,
	"subscribe": true, "listsubscriptionsbytopic": true, "publish": true, "receive": true}

// oneOrAll writes a list of one as its element, as policies do.
func oneOrAll(list []string) any {
	if len(list) == 1 {
		return list[0]
	}
	return list
}

func (s *Service) removePermission(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ Label string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	a, t, err := find(c, tx)
	if err != nil {
		return nil, err
	}
	p, err := parsePolicy(t.attribute(a, "Policy"))
	if err != nil {
		return nil, err
	}
	if i := p.find(in.Label); i >= 0 {
		p.Statement = slices.Delete(p.Statement, i, i+1)
	}
	return nil, a.setPolicy(tx, t, p)
}

func (a address) setPolicy(tx store.Tx, t *topic, p policy) error {
	b, err := service.Marshal(p)
	if err != nil {
		return err
	}
	if err := t.set("Policy", string(b), false); err != nil {
		return err
	}
	return set(tx, a.key(rowTopic), t)
}
