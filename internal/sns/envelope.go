package sns

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/service"
)

// stamp is how SNS writes times.
const stamp = "2006-01-02T15:04:05.000Z"

// object writes names and values as SNS writes its envelopes: one member a line.
func object(members ...string) string {
	var b []byte
	for i := 0; i < len(members); i += 2 {
		b = appendMember(b, members[i])
		b = value.AppendString(b, members[i+1])
	}
	return "{\n" + strings.TrimSuffix(string(b), ",\n") + "\n}"
}

func appendMember(b []byte, name string) []byte {
	if len(b) > 0 {
		b = append(b, ",\n"...)
	}
	return append(value.AppendString(append(b, "  "...), name), " : "...)
}

// envelope is the JSON that a subscription gets that has no raw delivery.
func (s *Service) envelope(a address, t *topic, sub *subscription, m *message) (string, error) {
	signature, certificate, err := s.sign(a, t, m, m.text(sub.Protocol))
	if err != nil {
		return "", err
	}
	members := []string{"Type", "Notification", "MessageId", m.ID}
	if m.Sequence != "" {
		members = append(members, "SequenceNumber", m.Sequence)
	}
	members = append(members, "TopicArn", a.arn())
	if m.Subject != nil {
		members = append(members, "Subject", *m.Subject)
	}
	members = append(members, "Message", m.text(sub.Protocol), "Timestamp", m.At.Format(stamp), "SignatureVersion", t.signatureVersion(),
		"Signature", signature, "SigningCertURL", certificate, "UnsubscribeURL", s.unsubscribeURL(a, sub))
	text := object(members...)
	if len(m.MessageAttributes) == 0 {
		return text, nil
	}
	b := append([]byte(strings.TrimSuffix(text, "\n}")), ",\n  \"MessageAttributes\" : {"...)
	for i, name := range slices.Sorted(maps.Keys(m.MessageAttributes)) {
		attribute := m.MessageAttributes[name]
		if i > 0 {
			b = append(b, ',')
		}
		b = append(value.AppendString(append(b, "\n    "...), name), " : {\"Type\":"...)
		b = append(value.AppendString(b, attribute.DataType), ",\"Value\":"...)
		b = append(value.AppendString(b, attribute.shown()), '}')
	}
	return string(append(b, "\n  }\n}"...)), nil
}

func (t *topic) signatureVersion() string {
	if v := t.Attributes["SignatureVersion"]; v != "" {
		return v
	}
	return "1"
}

// lambdaEvent is the event of a function that is subscribed.
func (s *Service) lambdaEvent(a address, t *topic, sub *subscription, m *message) (json.RawMessage, error) {
	signature, certificate, err := s.sign(a, t, m, m.text(sub.Protocol))
	if err != nil {
		return nil, err
	}
	type attributeShown struct{ Type, Value string }
	attributes := map[string]attributeShown{}
	for name, attribute := range m.MessageAttributes {
		attributes[name] = attributeShown{attribute.DataType, attribute.shown()}
	}
	type notification struct {
		Type, MessageId, TopicArn                                                       string  //nolint:revive // AWS's names
		Subject                                                                         *string // null where there is none
		Message, Timestamp, SignatureVersion, Signature, SigningCertUrl, UnsubscribeUrl string  //nolint:revive // AWS's names
		MessageAttributes                                                               map[string]attributeShown
	}
	type record struct {
		EventSource, EventVersion, EventSubscriptionArn string //nolint:revive // AWS's names
		Sns                                             notification
	}
	return service.Marshal(map[string][]record{"Records": {{"aws:sns", "1.0", sub.arn(a), notification{
		"Notification", m.ID, a.arn(), m.Subject, m.text(sub.Protocol), m.At.Format(stamp), t.signatureVersion(), signature, certificate, s.unsubscribeURL(a, sub), attributes,
	}}}})
}
