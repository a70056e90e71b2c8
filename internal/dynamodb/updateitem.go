package dynamodb

import (
	"github.com/newel-run/newel/internal/dynamodb/attr"
	"github.com/newel-run/newel/internal/dynamodb/expr"
)

type updateItemInput struct {
	TableName        *string
	Key              *attr.Item
	ReturnValues     *string
	UpdateExpression *string
	AttributeUpdates map[string]attributeUpdate
	conditional
	returns

	intent
}

// attributeUpdate is an element of AttributeUpdates.
type attributeUpdate struct {
	Value  *attr.Input
	Action *string
}

func (in *updateItemInput) check() (err error) {
	if in.intent.table, err = checkTableName(in.TableName, "tableName"); err != nil {
		return err
	}
	var c constraints
	c.required(in.Key != nil, "key")
	in.returns.constrain(&c)
	constrainReturnValues(&c, in.ReturnValues)
	in.conditional.constrain(&c)
	for _, name := range sortedNames(in.AttributeUpdates) {
		c.enum(in.AttributeUpdates[name].Action, "attributeUpdates."+name+".member.action", "ADD", "DELETE", "PUT")
	}
	if err := c.err(); err != nil {
		return err
	}
	params, err := in.params([]parameter{{"UpdateExpression", in.UpdateExpression != nil}, {"ConditionExpression", in.ConditionExpression != nil}},
		append([]parameter{{"AttributeUpdates", in.AttributeUpdates != nil}}, in.legacy()...))
	if err != nil {
		return err
	}
	if in.Key.Bad != nil {
		return in.Key.Bad
	}
	in.key = in.Key.Map
	in.showOld = is(in.ReturnValuesOnConditionCheckFailure, "ALL_OLD")
	if in.update, err = in.compile(params); err != nil {
		return err
	}
	if in.cond, err = in.condition(params); err != nil {
		return err
	}
	return params.Unused()
}

// compile gives the update, which does nothing if the request asks for none.
func (in *updateItemInput) compile(params *expr.Params) (*expr.Update, error) {
	if in.UpdateExpression != nil {
		return params.Update(*in.UpdateExpression)
	}
	u := &expr.Update{Legacy: true}
	for _, name := range sortedNames(in.AttributeUpdates) {
		e := in.AttributeUpdates[name]
		var v *attr.Value
		if e.Value != nil {
			if e.Value.Bad != nil {
				return nil, e.Value.Bad
			}
			v = e.Value.Value
		}
		a, err := expr.LegacyAction(name, text(e.Action), v)
		if err != nil {
			return nil, err
		}
		u.Actions = append(u.Actions, a)
	}
	return u, nil
}

func (t *txn) updateItem(in *updateItemInput) (any, error) {
	out, err := t.change(&in.intent)
	if err != nil {
		return nil, err
	}
	return t.answer(out, &in.returns, text(in.ReturnValues))
}
