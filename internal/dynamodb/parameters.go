package dynamodb

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/newel-run/newel/internal/dynamodb/attr"
	"github.com/newel-run/newel/internal/dynamodb/expr"
)

// parameter says whether a request has a member.
type parameter struct {
	name    string
	present bool
}

func present(list []parameter) []string {
	var names []string
	for _, p := range list {
		if p.present {
			names = append(names, p.name)
		}
	}
	return names
}

// placeholders are the members that all operations with expressions share.
type placeholders struct {
	ExpressionAttributeNames  map[string]string
	ExpressionAttributeValues *attr.Item
}

// params checks that expressions, their placeholders and the older parameters go together, and gives the placeholders
// for the expressions to use. If no expression is present it is nil.
func (p *placeholders) params(expressions, legacy []parameter) (*expr.Params, error) {
	given := present(expressions)
	if older := present(legacy); given != nil && older != nil {
		return nil, attr.Invalid("Can not use both expression and non-expression parameters in the same request: " +
			"Non-expression parameters: {" + strings.Join(older, ", ") + "} Expression parameters: {" + strings.Join(given, ", ") + "}")
	}
	if p.ExpressionAttributeNames != nil && given == nil {
		return nil, attr.Invalid("ExpressionAttributeNames can only be specified when using expressions")
	}
	if p.ExpressionAttributeValues != nil {
		if err := valuesUsable(expressions); err != nil {
			return nil, err
		}
	}
	return expr.NewParams(p.ExpressionAttributeNames, p.ExpressionAttributeValues)
}

// valuesUsable: values need an expression that can hold them, which a projection cannot.
func valuesUsable(expressions []parameter) error {
	expressions = slices.DeleteFunc(slices.Clone(expressions), func(e parameter) bool { return e.name == "ProjectionExpression" })
	if present(expressions) != nil {
		return nil
	}
	names := make([]string, len(expressions))
	for i := range expressions {
		names[i] = expressions[i].name
	}
	verb := " is"
	if len(names) != 1 {
		verb = " are"
	}
	return attr.Invalid("ExpressionAttributeValues can only be specified when using expressions: " + strings.Join(names, " and ") + verb + " null")
}

// expected is an element of Expected.
type expected struct {
	Value              *attr.Input
	Exists             *bool
	ComparisonOperator *string
	AttributeValueList []attr.Input
}

// legacyCondition is an element of KeyConditions, QueryFilter or ScanFilter.
type legacyCondition struct {
	ComparisonOperator *string
	AttributeValueList []attr.Input
}

func sortedNames[T any](m map[string]T) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

func inputs(list []attr.Input) ([]*attr.Value, error) {
	values := make([]*attr.Value, len(list))
	for i := range list {
		if list[i].Bad != nil {
			return nil, list[i].Bad
		}
		if list[i].Value == nil {
			return nil, attr.ErrEmpty
		}
		values[i] = list[i].Value
	}
	return values, nil
}

// checkOperator: ConditionalOperator joins at least two of the older conditions.
func checkOperator(operator *string, conditions int) error {
	switch {
	case operator == nil || conditions > 1:
		return nil
	case conditions == 0:
		return attr.Invalid(invalidPrefix + "ConditionalOperator cannot be used without Filter or Expected")
	}
	return attr.Invalid(invalidPrefix + "ConditionalOperator can only be used when Filter or Expected has two or more elements")
}

func joiner(operator *string) expr.Op {
	if operator != nil && *operator == "OR" {
		return expr.OpOr
	}
	return expr.OpAnd
}

// expectedCondition turns Expected into a condition.
func expectedCondition(conditions map[string]expected, operator *string) (*expr.Node, error) {
	var nodes []*expr.Node
	for _, name := range sortedNames(conditions) {
		n, err := expectation(name, conditions[name])
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	return expr.Join(joiner(operator), nodes), nil
}

func expectation(name string, e expected) (*expr.Node, error) {
	if e.AttributeValueList != nil && e.Value != nil {
		return nil, attr.Invalid(invalidPrefix + "Value and AttributeValueList cannot be used together for Attribute: " + name)
	}
	list := e.AttributeValueList
	if e.Value != nil {
		list = []attr.Input{*e.Value}
	}
	values, err := inputs(list)
	if err != nil {
		return nil, err
	}
	if e.ComparisonOperator == nil {
		return exists(name, e, values)
	}
	operator := *e.ComparisonOperator
	if e.Exists != nil {
		return nil, attr.Invalid(invalidPrefix + "Exists and ComparisonOperator cannot be used together for Attribute: " + name)
	}
	if operator != "NULL" && operator != "NOT_NULL" && list == nil {
		return nil, attr.Invalid(invalidPrefix + "Value or AttributeValueList must be used with ComparisonOperator: " + operator + " for Attribute: " + name)
	}
	return expr.LegacyCondition(name, operator, values)
}

// exists is the form of Expected without a ComparisonOperator.
func exists(name string, e expected, values []*attr.Value) (*expr.Node, error) {
	should := e.Exists == nil || *e.Exists
	shown := "null"
	if e.Exists != nil {
		shown = fmt.Sprint(*e.Exists)
	}
	switch {
	case e.AttributeValueList != nil:
		return nil, attr.Invalid(invalidPrefix + "AttributeValueList can only be used with a ComparisonOperator for Attribute: " + name)
	case should && len(values) == 0:
		return nil, attr.Invalid(invalidPrefix + "Value must be provided when Exists is " + shown + " for Attribute: " + name)
	case !should && len(values) > 0:
		return nil, attr.Invalid(invalidPrefix + "Value cannot be used when Exists is false for Attribute: " + name)
	case should:
		return expr.LegacyCondition(name, "EQ", values)
	}
	return expr.LegacyCondition(name, "NULL", nil)
}

// filterCondition turns QueryFilter or ScanFilter into a condition.
func filterCondition(filter map[string]legacyCondition, operator *string) (*expr.Node, error) {
	if err := checkOperator(operator, len(filter)); err != nil {
		return nil, err
	}
	var nodes []*expr.Node
	for _, name := range sortedNames(filter) {
		values, err := inputs(filter[name].AttributeValueList)
		if err != nil {
			return nil, err
		}
		n, err := expr.LegacyCondition(name, *filter[name].ComparisonOperator, values)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	return expr.Join(joiner(operator), nodes), nil
}

func constrainLegacy(c *constraints, m map[string]legacyCondition, path string) {
	for _, name := range sortedNames(m) {
		at := path + "." + name + ".member.comparisonOperator"
		c.required(m[name].ComparisonOperator != nil, at)
		c.enum(m[name].ComparisonOperator, at, expr.LegacyOperators...)
	}
}

// attributesToGet turns AttributesToGet into a projection; nil for none.
func attributesToGet(names []string) (*expr.Projection, error) {
	if names == nil {
		return nil, nil
	}
	paths := make([]expr.Path, len(names))
	for i, n := range names {
		if slices.Contains(names[:i], n) {
			return nil, attr.Invalid(invalidPrefix + "Duplicate value in attribute name: " + n)
		}
		paths[i] = expr.Path{{Name: n}}
	}
	return expr.Project(paths), nil
}

// returns are the members that say what to report.
type returns struct {
	ReturnConsumedCapacity      *string
	ReturnItemCollectionMetrics *string
}

func (r *returns) constrain(c *constraints) {
	c.enum(r.ReturnConsumedCapacity, "returnConsumedCapacity", "INDEXES", "TOTAL", "NONE")
	c.enum(r.ReturnItemCollectionMetrics, "returnItemCollectionMetrics", "SIZE", "NONE")
}

func is(s *string, text string) bool { return s != nil && *s == text }

func itemErr(it *attr.Item) error {
	if it == nil {
		return nil
	}
	return it.Bad
}
