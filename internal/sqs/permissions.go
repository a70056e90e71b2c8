package sqs

import (
	"encoding/json"
	"slices"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
)

// policy is what AddPermission and RemovePermission know of a queue's Policy; statements pass as they are.
type policy struct {
	Version   string
	ID        string `json:"Id"`
	Statement []json.RawMessage
}

func (b *box) policy() (policy, error) {
	p := policy{Version: "2008-10-17", ID: b.arn() + "/SQSDefaultPolicy"}
	text := b.attribute("Policy")
	if text == "" {
		return p, nil
	}
	var loose struct {
		Version   string
		ID        string `json:"Id"`
		Statement json.RawMessage
	}
	if json.Unmarshal([]byte(text), &loose) != nil {
		return p, invalidAttributeValue("Policy")
	}
	if loose.Version != "" {
		p.Version = loose.Version
	}
	if loose.ID != "" {
		p.ID = loose.ID
	}
	if json.Unmarshal(loose.Statement, &p.Statement) != nil && loose.Statement != nil {
		p.Statement = []json.RawMessage{loose.Statement}
	}
	return p, nil
}

func (b *box) setPolicy(p policy) error {
	if len(p.Statement) == 0 {
		b.set(map[string]string{"Policy": ""})
	} else {
		text, err := json.Marshal(p)
		if err != nil {
			return err
		}
		b.set(map[string]string{"Policy": string(text)})
	}
	b.Modified, b.changed = b.now/1000, true
	return nil
}

func (p *policy) find(label string) int {
	return slices.IndexFunc(p.Statement, func(s json.RawMessage) bool {
		var sid struct{ Sid string }
		return json.Unmarshal(s, &sid) == nil && sid.Sid == label
	})
}

func (s *Service) addPermission(c *service.Context, b *box) (any, error) {
	var in struct {
		Label         string
		AWSAccountIds []string
		Actions       []string
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	switch {
	case in.Label == "":
		return nil, missingParameter("Label")
	case len(in.AWSAccountIds) == 0:
		return nil, missingParameter("AWSAccountIds")
	case len(in.Actions) == 0:
		return nil, missingParameter("Actions")
	}
	p, err := b.policy()
	if err != nil {
		return nil, err
	}
	if p.find(in.Label) >= 0 {
		return nil, invalidValue(in.Label, "Label", "Already exists.")
	}
	principals := make([]string, len(in.AWSAccountIds))
	for i, a := range in.AWSAccountIds {
		principals[i] = aws.ARN{Service: "iam", Account: a, Resource: "root"}.String()
	}
	actions := make([]string, len(in.Actions))
	for i, a := range in.Actions {
		actions[i] = "SQS:" + a
	}
	statement, err := json.Marshal(struct {
		Sid, Effect string
		Principal   map[string]any
		Action      any
		Resource    string
	}{in.Label, "Allow", map[string]any{"AWS": oneOrAll(principals)}, oneOrAll(actions), b.arn()})
	if err != nil {
		return nil, err
	}
	p.Statement = append(p.Statement, statement)
	return nil, b.setPolicy(p)
}

// oneOrAll writes a list of one as its element, as policies do.
func oneOrAll(list []string) any {
	if len(list) == 1 {
		return list[0]
	}
	return list
}

func (s *Service) removePermission(c *service.Context, b *box) (any, error) {
	var in struct{ Label string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if in.Label == "" {
		return nil, missingParameter("Label")
	}
	p, err := b.policy()
	if err != nil {
		return nil, err
	}
	i := p.find(in.Label)
	if i < 0 {
		return nil, invalidValue(in.Label, "Label", "can't find label on existing policy.")
	}
	p.Statement = slices.Delete(p.Statement, i, i+1)
	return nil, b.setPolicy(p)
}
