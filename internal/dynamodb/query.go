package dynamodb

import (
	"github.com/newel-run/newel/internal/dynamodb/attr"
	"github.com/newel-run/newel/internal/dynamodb/expr"
	"github.com/newel-run/newel/internal/store"
)

type queryInput struct {
	selection
	KeyConditionExpression *string
	KeyConditions          map[string]legacyCondition
	QueryFilter            map[string]legacyCondition
	ScanIndexForward       *bool

	conditions []expr.KeyCondition
}

func (in *queryInput) check() (err error) {
	if in.name, err = checkTableName(in.TableName, "tableName"); err != nil {
		return err
	}
	if in.Limit != nil && *in.Limit < 1 {
		return attr.Invalid("1 validation error detected: Value at 'Limit' failed to satisfy constraint: Member must have value greater than or equal to 1")
	}
	var c constraints
	in.constrain(&c)
	constrainLegacy(&c, in.KeyConditions, "keyConditions")
	constrainLegacy(&c, in.QueryFilter, "queryFilter")
	if err := c.err(); err != nil {
		return err
	}
	params, err := in.params([]parameter{{"ProjectionExpression", in.ProjectionExpression != nil}, {"FilterExpression", in.FilterExpression != nil},
		{"KeyConditionExpression", in.KeyConditionExpression != nil}}, in.legacy())
	if err != nil {
		return err
	}
	if err := in.checkStart(); err != nil {
		return err
	}
	if in.KeyConditions == nil && in.KeyConditionExpression == nil {
		return attr.Invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
	}
	if err := in.checkSelect(); err != nil {
		return err
	}
	if err := in.compile(params); err != nil {
		return err
	}
	if n := len(in.conditions); n != 1 && n != 2 {
		return attr.Invalid("Conditions can be of length 1 or 2 only")
	}
	return params.Unused()
}

// legacy lists the older parameters. KeyConditions may stand beside expressions unless KeyConditionExpression does too.
func (in *queryInput) legacy() []parameter {
	return []parameter{{"AttributesToGet", in.AttributesToGet != nil}, {"QueryFilter", in.QueryFilter != nil},
		{"ConditionalOperator", in.ConditionalOperator != nil}, {"KeyConditions", in.KeyConditions != nil && in.KeyConditionExpression != nil}}
}

func (in *queryInput) compile(params *expr.Params) (err error) {
	if in.KeyConditionExpression != nil {
		in.conditions, err = params.KeyConditions(*in.KeyConditionExpression)
	} else {
		err = in.legacyKeys()
	}
	if err != nil {
		return err
	}
	if in.FilterExpression != nil {
		in.filterName = "Filter Expression"
		in.filter, err = params.Condition("FilterExpression", *in.FilterExpression)
	} else {
		in.filterName = "QueryFilter"
		in.filter, err = filterCondition(in.QueryFilter, in.ConditionalOperator)
	}
	if err != nil {
		return err
	}
	return in.project(params)
}

func (in *queryInput) legacyKeys() error {
	for _, name := range sortedNames(in.KeyConditions) {
		values, err := inputs(in.KeyConditions[name].AttributeValueList)
		if err != nil {
			return err
		}
		c, err := expr.LegacyKeyCondition(name, *in.KeyConditions[name].ComparisonOperator, values)
		if err != nil {
			return err
		}
		in.conditions = append(in.conditions, c)
	}
	return nil
}

func (in *queryInput) on(name string) *expr.KeyCondition {
	for i := range in.conditions {
		if in.conditions[i].Name == name {
			return &in.conditions[i]
		}
	}
	return nil
}

func (t *txn) query(in *queryInput) (any, error) {
	r, err := in.start(t)
	if err != nil {
		return nil, err
	}
	if in.ExclusiveStartKey != nil {
		if err := r.checkStartKey(in.ExclusiveStartKey.Map); err != nil {
			return nil, err
		}
	}
	keys := r.keys()
	if err := in.checkKeyConditions(keys); err != nil {
		return nil, err
	}
	hash, rang := in.on(keys.Hash), in.on(keys.Range)
	if err := in.checkFilter(keys); err != nil {
		return nil, err
	}
	r.reverse = in.ScanIndexForward != nil && !*in.ScanIndexForward
	r.lo, r.hi = bounds(r.base().Raw(hashPrefix(nil, hash.Values[0])), rang)
	if in.ExclusiveStartKey != nil {
		if err := checkStartWithin(in.ExclusiveStartKey.Map, hash, rang); err != nil {
			return nil, err
		}
		r.after(in.ExclusiveStartKey.Map)
	}
	return in.answer(t, r)
}

// checkKeyConditions: equality on the hash key, at most one condition on the range key, values of the keys' types.
func (in *queryInput) checkKeyConditions(keys keySchema) error {
	const unsupportedCondition attr.Invalid = "Query key condition not supported"
	if keys.Range == "" && len(in.conditions) > 1 {
		if in.on(keys.Hash) != nil {
			return unsupportedCondition
		}
		return attr.Invalid("Query condition missed key schema element: " + keys.Hash)
	}
	for i, name := range keys.names() {
		c := in.on(name)
		if c == nil {
			if i == 0 || len(in.conditions) > 1 {
				return attr.Invalid("Query condition missed key schema element: " + name)
			}
			continue
		}
		for _, v := range c.Values {
			if v.Kind != keys.kind(name) {
				return attr.Invalid(invalidPrefix + "Condition parameter type does not match schema type")
			}
			if v.Str == "" && c.Op != expr.OpCall {
				return notEmpty(v, name)
			}
		}
		if i == 0 && c.Op != expr.OpEq {
			return unsupportedCondition
		}
	}
	return nil
}

func (in *queryInput) checkFilter(keys keySchema) error {
	if in.filter == nil {
		return nil
	}
	used := heads(in.filter)
	for _, name := range keys.names() {
		if used[name] {
			return attr.Invalid(in.filterName + " can only contain non-primary key attributes: Primary key attribute: " + name)
		}
	}
	return nil
}

// checkStartWithin: the start key lies where the conditions look.
func checkStartWithin(start *attr.Map, hash, rang *expr.KeyCondition) error {
	sameHash := attr.Equal(start.Get(hash.Name), hash.Values[0])
	switch {
	case rang == nil && !sameHash:
		return attr.Invalid("The provided starting key is outside query boundaries based on provided conditions")
	case rang != nil && !rang.Matches(start.Get(rang.Name)):
		return attr.Invalid("The provided starting key does not match the range key predicate")
	case rang != nil && !sameHash:
		return attr.Invalid("The query can return at most one row and cannot be restarted")
	}
	return nil
}

// bounds gives the rows lo <= key < hi under a hash key's prefix that satisfy a range condition; nil for none.
func bounds(prefix store.Key, c *expr.KeyCondition) (lo, hi store.Key) {
	lo, hi = prefix, prefix.End()
	if c == nil {
		return lo, hi
	}
	at := func(i int) store.Key { return store.Key(attr.AppendKey(within(prefix, nil), c.Values[i])) }
	switch c.Op {
	case expr.OpEq:
		lo, hi = at(0), at(0).End()
	case expr.OpLt:
		hi = at(0)
	case expr.OpLe:
		hi = at(0).End()
	case expr.OpGt:
		lo = at(0).End()
	case expr.OpGe:
		lo = at(0)
	case expr.OpBetween:
		lo, hi = at(0), at(1).End()
	case expr.OpCall:
		lo = store.Key(attr.AppendKeyPrefix(within(prefix, nil), c.Values[0]))
		hi = lo.End()
	}
	return lo, hi
}
