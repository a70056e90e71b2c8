package dynamodb

import (
	"bytes"
	"encoding/json"

	"github.com/newel-run/newel/internal/dynamodb/attr"
	"github.com/newel-run/newel/internal/dynamodb/expr"
)

// picked are the members of a read that pick parts of an item.
type picked struct {
	placeholders
	ProjectionExpression *string
	AttributesToGet      []string

	projection *expr.Projection // nil for the whole item
}

// compile checks the projection of an operation that has no other expression.
func (in *picked) compile() error {
	params, err := in.params([]parameter{{"ProjectionExpression", in.ProjectionExpression != nil}},
		[]parameter{{"AttributesToGet", in.AttributesToGet != nil}})
	if err != nil {
		return err
	}
	if err := in.project(params); err != nil {
		return err
	}
	return params.Unused()
}

func (in *picked) project(params *expr.Params) (err error) {
	if in.ProjectionExpression != nil {
		in.projection, err = params.Projection(*in.ProjectionExpression)
	} else {
		in.projection, err = attributesToGet(in.AttributesToGet)
	}
	return err
}

// pick gives the JSON of the wanted parts of an item, nil if there is no item.
func (in *picked) pick(it *item) (json.RawMessage, error) {
	if it == nil {
		return nil, nil
	}
	if in.projection == nil {
		return bytes.Clone(it.json), nil
	}
	m, err := it.attributes()
	if err != nil {
		return nil, err
	}
	return in.projection.Of(m).AppendJSON(nil), nil
}

type getItemInput struct {
	TableName      *string
	Key            *attr.Item
	ConsistentRead *bool
	picked
	returns

	name string
}

func (in *getItemInput) check() (err error) {
	if in.name, err = checkTableName(in.TableName, "tableName"); err != nil {
		return err
	}
	var c constraints
	c.required(in.Key != nil, "key")
	in.returns.constrain(&c)
	if err := c.err(); err != nil {
		return err
	}
	if err := itemErr(in.Key); err != nil {
		return err
	}
	return in.compile()
}

type getItemOutput struct {
	Item             json.RawMessage `json:",omitempty"`
	ConsumedCapacity *capacity       `json:",omitempty"`
}

func (t *txn) getItem(in *getItemInput) (any, error) {
	tb, err := t.table(in.name)
	if err != nil {
		return nil, err
	}
	key, err := givenKey(tb, in.Key.Map)
	if err != nil {
		return nil, err
	}
	it, err := t.load(tb, key)
	if err != nil {
		return nil, err
	}
	out := getItemOutput{ConsumedCapacity: consumed(in.ReturnConsumedCapacity, tb)}
	out.ConsumedCapacity.add(readUnits(it.bytes(), in.ConsistentRead != nil && *in.ConsistentRead), nil)
	out.Item, err = in.pick(it)
	if out.ConsumedCapacity == nil && err == nil {
		return bareItem(out.Item), nil
	}
	return out, err
}

// bareItem is the answer with nothing but the item, whose JSON needs no further encoding.
func bareItem(item json.RawMessage) json.RawMessage {
	if item == nil {
		return json.RawMessage("{}")
	}
	b := make([]byte, 0, len(item)+9)
	return append(append(append(b, `{"Item":`...), item...), '}')
}
