package dynamodb

import (
	"encoding/json"
	"fmt"

	"github.com/newel-run/newel/internal/dynamodb/attr"
)

type transactGetItemsInput struct {
	TransactItems []struct{ Get *transactGet }
	returns
}

type transactGet struct {
	TableName *string
	Key       *attr.Item
	picked
	name string
}

func (in *transactGetItemsInput) check() error {
	var c constraints
	constrainTransaction(&c, len(in.TransactItems), in.TransactItems != nil)
	in.returns.constrain(&c)
	for i, g := range in.TransactItems {
		path := fmt.Sprintf("transactItems.%d.member.get", i+1)
		c.required(g.Get != nil, path)
		if g.Get != nil {
			c.required(g.Get.Key != nil, path+".key")
			c.required(g.Get.TableName != nil, path+".tableName")
		}
	}
	if err := c.err(); err != nil {
		return err
	}
	for _, g := range in.TransactItems {
		var err error
		if g.Get.name, err = checkTableName(g.Get.TableName, "tableName"); err != nil {
			return err
		}
		if err := itemErr(g.Get.Key); err != nil {
			return err
		}
		if err := g.Get.compile(); err != nil {
			return err
		}
	}
	return nil
}

type itemResponse struct {
	Item json.RawMessage `json:",omitempty"`
}

func (t *txn) transactGetItems(in *transactGetItemsInput) (any, error) {
	targets, err := t.transactPlaces(in)
	if err != nil {
		return nil, err
	}
	responses := make([]itemResponse, len(targets))
	var order []*capacity
	byTable := map[uint32]*capacity{}
	total := 0
	for i, at := range targets {
		it, err := t.load(at.tb, at.key)
		if err != nil {
			return nil, err
		}
		if responses[i].Item, err = in.TransactItems[i].Get.pick(it); err != nil {
			return nil, err
		}
		if total += it.bytes(); total > maxTransactBytes {
			return nil, attr.Invalid("Transaction request size exceeded the maximum allowed size of 4 MB")
		}
		c := byTable[at.tb.Number]
		if c == nil {
			if c = consumed(in.ReturnConsumedCapacity, at.tb); c == nil {
				continue
			}
			byTable[at.tb.Number] = c
			order = append(order, c)
		}
		c.add(2*readUnits(it.bytes(), true), nil)
	}
	out := map[string]any{"Responses": responses}
	for _, c := range order {
		c.asReads()
	}
	if order != nil {
		out["ConsumedCapacity"] = order
	}
	return out, nil
}

func (t *txn) transactPlaces(in *transactGetItemsInput) ([]target, error) {
	targets, reasons, failed := make([]target, len(in.TransactItems)), make([]reason, len(in.TransactItems)), false
	seen := map[string]bool{}
	for i := range in.TransactItems {
		g := in.TransactItems[i].Get
		tb, err := t.table(g.name)
		if err != nil {
			return nil, err
		}
		key, err := givenKey(tb, g.Key.Map)
		if err != nil {
			r, ok := reasonOf(err)
			if !ok {
				return nil, err
			}
			reasons[i], failed = r, true
			continue
		}
		place := fmt.Sprintf("%d/%s", tb.Number, key)
		if seen[place] {
			return nil, attr.Invalid("Transaction request cannot include multiple operations on one item")
		}
		seen[place], targets[i] = true, target{tb, key}
	}
	if failed {
		return nil, cancelled(reasons)
	}
	return targets, nil
}
