package dynamodb

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/newel-run/newel/internal/dynamodb/attr"
)

const (
	maxBatchGet      = 100
	maxBatchWrite    = 25
	maxBatchGetBytes = 16 << 20
)

type batchGetItemInput struct {
	RequestItems map[string]*keysAndAttributes
	returns
	tables []string
}

// keysAndAttributes is what to get from one table. raw is kept to be given back unprocessed.
type keysAndAttributes struct {
	Keys           []*attr.Item
	ConsistentRead *bool
	picked
	name string
	raw  map[string]json.RawMessage
}

// UnmarshalJSON keeps the members as they came.
func (k *keysAndAttributes) UnmarshalJSON(b []byte) error {
	type plain keysAndAttributes
	if err := json.Unmarshal(b, (*plain)(k)); err != nil {
		return err
	}
	return json.Unmarshal(b, &k.raw)
}

func (in *batchGetItemInput) check() error {
	if len(in.RequestItems) == 0 {
		return attr.Invalid("The requestItems parameter is required for BatchGetItem")
	}
	var c constraints
	in.returns.constrain(&c)
	if err := c.err(); err != nil {
		return err
	}
	in.tables = sortedNames(in.RequestItems)
	total := 0
	for _, name := range in.tables {
		k := in.RequestItems[name]
		if k == nil {
			k = &keysAndAttributes{}
		}
		if err := k.check(name); err != nil {
			return err
		}
		total += len(k.Keys)
	}
	if total > maxBatchGet {
		return attr.Invalid("Too many items requested for the BatchGetItem call")
	}
	return nil
}

func (k *keysAndAttributes) check(name string) error {
	var err error
	if k.name, err = checkTableName(&name, "requestItems."+name); err != nil {
		return err
	}
	switch {
	case len(k.Keys) == 0:
		var c constraints
		c.required(k.Keys != nil, "requestItems."+name+".member.keys")
		if k.Keys != nil {
			c.length(0, 1, maxBatchGet, "'[]'", "requestItems."+name+".member.keys")
		}
		return c.err()
	case slices.Contains(k.Keys, nil):
		return errKeySchema
	case len(k.Keys) > maxBatchGet:
		return attr.Invalid(fmt.Sprintf("1 validation error detected: Value at 'RequestItems.%s.member.Keys' failed to satisfy constraint: Member must have length less than or equal to %d", name, maxBatchGet))
	}
	for _, key := range k.Keys {
		if err := itemErr(key); err != nil {
			return err
		}
	}
	return k.compile()
}

func (t *txn) batchGetItem(in *batchGetItemInput) (any, error) {
	responses, unprocessed := map[string][]json.RawMessage{}, map[string]any{}
	var capacities []*capacity
	total := 0
	for _, name := range in.tables {
		k := in.RequestItems[name]
		tb, err := t.table(k.name)
		if err != nil {
			return nil, err
		}
		keys, err := placeAll(tb, k.Keys)
		if err != nil {
			return nil, err
		}
		used := consumed(in.ReturnConsumedCapacity, tb)
		responses[name] = []json.RawMessage{}
		for i, key := range keys {
			if total >= maxBatchGetBytes {
				unprocessed[name] = k.rest(i)
				break
			}
			it, err := t.load(tb, key)
			if err != nil {
				return nil, err
			}
			total += it.bytes()
			used.add(readUnits(it.bytes(), k.ConsistentRead != nil && *k.ConsistentRead), nil)
			b, err := k.pick(it)
			if err != nil {
				return nil, err
			}
			if b != nil {
				responses[name] = append(responses[name], b)
			}
		}
		if used != nil {
			capacities = append(capacities, used)
		}
	}
	out := map[string]any{"Responses": responses, "UnprocessedKeys": unprocessed}
	if capacities != nil {
		out["ConsumedCapacity"] = capacities
	}
	return out, nil
}

// placeAll places keys, none of which may occur twice.
func placeAll(tb *table, keys []*attr.Item) ([][]byte, error) {
	places, seen := make([][]byte, len(keys)), map[string]bool{}
	for i, k := range keys {
		at, err := givenKey(tb, k.Map)
		if err != nil {
			return nil, err
		}
		if seen[string(at)] {
			return nil, errDuplicateKeys
		}
		seen[string(at)], places[i] = true, at
	}
	return places, nil
}

// rest is the request for the keys from i on.
func (k *keysAndAttributes) rest(i int) map[string]any {
	out := map[string]any{}
	for name, raw := range k.raw {
		out[name] = raw
	}
	keys := make([]*attr.Map, 0, len(k.Keys)-i)
	for _, key := range k.Keys[i:] {
		keys = append(keys, key.Map)
	}
	out["Keys"] = keys
	return out
}

type batchWriteItemInput struct {
	RequestItems map[string][]writeRequest
	returns
	tables  []string
	intents map[string][]intent
}

type writeRequest struct {
	PutRequest    *struct{ Item *attr.Item }
	DeleteRequest *struct{ Key *attr.Item }
}

func (in *batchWriteItemInput) check() error {
	if len(in.RequestItems) == 0 {
		return attr.Invalid("The requestItems parameter is required for BatchWriteItem")
	}
	var c constraints
	in.returns.constrain(&c)
	in.tables = sortedNames(in.RequestItems)
	total := 0
	for _, name := range in.tables {
		n := len(in.RequestItems[name])
		total += n
		if n < 1 || n > maxBatchWrite {
			c.add(fmt.Sprintf("'{%s=[%d WriteRequests]}'", name, n), "requestItems",
				"Map value must satisfy constraint: [Member must have length less than or equal to 25, Member must have length greater than or equal to 1]")
		}
	}
	if err := c.err(); err != nil {
		return err
	}
	if total > maxBatchWrite {
		return attr.Invalid("Too many items requested for the BatchWriteItem call")
	}
	in.intents = map[string][]intent{}
	for _, name := range in.tables {
		for i := range in.RequestItems[name] {
			w, err := in.RequestItems[name][i].intent(name)
			if err != nil {
				return err
			}
			in.intents[name] = append(in.intents[name], w)
		}
	}
	return nil
}

func (w *writeRequest) intent(table string) (in intent, err error) {
	if in.table, err = checkTableName(&table, "requestItems."+table); err != nil {
		return in, err
	}
	switch put, del := w.PutRequest, w.DeleteRequest; {
	case put != nil && del != nil:
		return in, attr.Invalid("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
	case put != nil && put.Item != nil:
		err = in.setItem(put.Item)
	case del != nil && del.Key != nil:
		in.key, in.delete, err = del.Key.Map, true, itemErr(del.Key)
	default:
		err = attr.ErrEmpty
	}
	return in, err
}

func (t *txn) batchWriteItem(in *batchWriteItemInput) (any, error) {
	var capacities []*capacity
	metrics := map[string][]*collectionSizes{}
	for _, name := range in.tables {
		list := in.intents[name]
		targets, err := t.locateAll(list)
		if err != nil {
			return nil, err
		}
		used := consumed(in.ReturnConsumedCapacity, targets[0].tb)
		for i := range list {
			out, err := t.decide(targets[i], &list[i])
			if err != nil {
				return nil, err
			}
			if err := out.count(used, 1); err != nil {
				return nil, err
			}
			if err := t.commit(out); err != nil {
				return nil, err
			}
			if is(in.ReturnItemCollectionMetrics, "SIZE") {
				if m, err := t.collection(out); err != nil {
					return nil, err
				} else if m != nil {
					metrics[name] = append(metrics[name], m)
				}
			}
		}
		if used != nil {
			capacities = append(capacities, used)
		}
	}
	out := map[string]any{"UnprocessedItems": map[string]any{}}
	if capacities != nil {
		out["ConsumedCapacity"] = capacities
	}
	if len(metrics) > 0 {
		out["ItemCollectionMetrics"] = metrics
	}
	return out, nil
}

// locateAll places the writes to one table, none of which may meet another.
func (t *txn) locateAll(list []intent) ([]target, error) {
	targets, seen := make([]target, len(list)), map[string]bool{}
	for i := range list {
		at, err := t.locate(&list[i])
		if err != nil {
			return nil, err
		}
		if seen[string(at.key)] {
			return nil, errDuplicateKeys
		}
		seen[string(at.key)], targets[i] = true, at
	}
	return targets, nil
}
