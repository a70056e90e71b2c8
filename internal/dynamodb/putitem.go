package dynamodb

import (
	"github.com/newel-run/newel/internal/dynamodb/attr"
	"github.com/newel-run/newel/internal/dynamodb/expr"
)

// conditional are the members of a write that may depend on a condition.
type conditional struct {
	placeholders
	ConditionExpression                 *string
	Expected                            map[string]expected
	ConditionalOperator                 *string
	ReturnValuesOnConditionCheckFailure *string
}

func (in *conditional) constrain(c *constraints) {
	c.enum(in.ConditionalOperator, "conditionalOperator", "OR", "AND")
	c.enum(in.ReturnValuesOnConditionCheckFailure, "returnValuesOnConditionCheckFailure", "ALL_OLD", "NONE")
	for _, name := range sortedNames(in.Expected) {
		c.enum(in.Expected[name].ComparisonOperator, "expected."+name+".member.comparisonOperator", expr.LegacyOperators...)
	}
}

func (in *conditional) legacy() []parameter {
	return []parameter{{"Expected", in.Expected != nil}, {"ConditionalOperator", in.ConditionalOperator != nil}}
}

func (in *conditional) condition(p *expr.Params) (*expr.Node, error) {
	if in.ConditionExpression != nil {
		return p.Condition("ConditionExpression", *in.ConditionExpression)
	}
	if err := checkOperator(in.ConditionalOperator, len(in.Expected)); err != nil {
		return nil, err
	}
	return expectedCondition(in.Expected, in.ConditionalOperator)
}

type putItemInput struct {
	TableName    *string
	Item         *attr.Item
	ReturnValues *string
	conditional
	returns

	intent
}

func (in *putItemInput) check() (err error) {
	if in.intent.table, err = checkTableName(in.TableName, "tableName"); err != nil {
		return err
	}
	var c constraints
	c.required(in.Item != nil, "item")
	in.returns.constrain(&c)
	constrainReturnValues(&c, in.ReturnValues)
	in.conditional.constrain(&c)
	if err := c.err(); err != nil {
		return err
	}
	params, err := in.params([]parameter{{"ConditionExpression", in.ConditionExpression != nil}}, in.legacy())
	if err != nil {
		return err
	}
	if in.ReturnValues != nil && *in.ReturnValues != "ALL_OLD" && *in.ReturnValues != "NONE" {
		return attr.Invalid("ReturnValues can only be ALL_OLD or NONE")
	}
	if err := in.intent.setItem(in.Item); err != nil {
		return err
	}
	in.showOld = is(in.ReturnValuesOnConditionCheckFailure, "ALL_OLD")
	if in.cond, err = in.condition(params); err != nil {
		return err
	}
	return params.Unused()
}

func constrainReturnValues(c *constraints, v *string) {
	c.enum(v, "returnValues", "ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW")
}

func (in *intent) setItem(it *attr.Item) error {
	if it.Bad != nil {
		return it.Bad
	}
	in.item, in.size = it.Map, it.Size()
	if in.size > maxItemSize {
		return errItemSize
	}
	return nil
}

func (t *txn) putItem(in *putItemInput) (any, error) {
	out, err := t.change(&in.intent)
	if err != nil {
		return nil, err
	}
	return t.answer(out, &in.returns, text(in.ReturnValues))
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

type deleteItemInput struct {
	TableName    *string
	Key          *attr.Item
	ReturnValues *string
	conditional
	returns

	intent
}

func (in *deleteItemInput) check() (err error) {
	if in.intent.table, err = checkTableName(in.TableName, "tableName"); err != nil {
		return err
	}
	var c constraints
	c.required(in.Key != nil, "key")
	in.returns.constrain(&c)
	constrainReturnValues(&c, in.ReturnValues)
	in.conditional.constrain(&c)
	if err := c.err(); err != nil {
		return err
	}
	params, err := in.params([]parameter{{"ConditionExpression", in.ConditionExpression != nil}}, in.legacy())
	if err != nil {
		return err
	}
	if in.Key.Bad != nil {
		return in.Key.Bad
	}
	if in.ReturnValues != nil && *in.ReturnValues != "ALL_OLD" && *in.ReturnValues != "NONE" {
		return attr.Invalid("ReturnValues can only be ALL_OLD or NONE")
	}
	in.key, in.delete = in.Key.Map, true
	in.showOld = is(in.ReturnValuesOnConditionCheckFailure, "ALL_OLD")
	if in.cond, err = in.condition(params); err != nil {
		return err
	}
	return params.Unused()
}

func (t *txn) deleteItem(in *deleteItemInput) (any, error) {
	out, err := t.change(&in.intent)
	if err != nil {
		return nil, err
	}
	return t.answer(out, &in.returns, text(in.ReturnValues))
}
