package expr

import (
	"sort"
	"strings"

	"github.com/newel-run/newel/internal/dynamodb/attr"
)

// Params are the placeholders of one request, shared by its expressions. They record which are used.
type Params struct {
	names      map[string]string
	values     *attr.Map
	usedNames  map[string]bool
	usedValues map[string]bool
}

// NewParams checks ExpressionAttributeNames and ExpressionAttributeValues; nil stands for a parameter that is absent.
func NewParams(names map[string]string, values *attr.Item) (*Params, error) {
	p := &Params{names: names, usedNames: map[string]bool{}, usedValues: map[string]bool{}}
	if names != nil && len(names) == 0 {
		return nil, attr.Invalid("ExpressionAttributeNames must not be empty")
	}
	for _, k := range sortedKeys(names) {
		if !isPlaceholder(k, '#') {
			return nil, attr.Invalid(`ExpressionAttributeNames contains invalid key: Syntax error; key: "` + k + `"`)
		}
		if names[k] == "" {
			return nil, attr.Invalid("ExpressionAttributeNames contains invalid value: Empty attribute name for key " + k)
		}
	}
	if values == nil || values.Map == nil {
		return p, nil
	}
	p.values = values.Map
	if p.values.Len() == 0 {
		return nil, attr.Invalid("ExpressionAttributeValues must not be empty")
	}
	for i := range p.values.Len() {
		if k := p.values.At(i).Name; !isPlaceholder(k, ':') {
			return nil, attr.Invalid(`ExpressionAttributeValues contains invalid key: Syntax error; key: "` + k + `"`)
		}
	}
	if values.Bad != nil {
		return nil, attr.Invalid("ExpressionAttributeValues contains invalid value: " + values.Bad.Error() + " for key " + values.BadName)
	}
	return p, nil
}

// Unused reports placeholders that no expression has used.
func (p *Params) Unused() error {
	var idle []string
	for _, k := range sortedKeys(p.names) {
		if !p.usedNames[k] {
			idle = append(idle, k)
		}
	}
	if idle != nil {
		return attr.Invalid("Value provided in ExpressionAttributeNames unused in expressions: keys: {" + strings.Join(idle, ", ") + "}")
	}
	for i := range p.values.Len() {
		if k := p.values.At(i).Name; !p.usedValues[k] {
			idle = append(idle, k)
		}
	}
	if idle != nil {
		return attr.Invalid("Value provided in ExpressionAttributeValues unused in expressions: keys: {" + strings.Join(idle, ", ") + "}")
	}
	return nil
}

func isPlaceholder(k string, sigil byte) bool {
	if len(k) < 2 || k[0] != sigil {
		return false
	}
	for i := 1; i < len(k); i++ {
		if !isNamePart(k[i]) {
			return false
		}
	}
	return true
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
