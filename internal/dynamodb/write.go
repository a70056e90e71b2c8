package dynamodb

import (
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/dynamodb/attr"
	"github.com/newel-run/newel/internal/dynamodb/expr"
)

// intent is one conditional write, whichever operation asks for it: of an item to put, of a key to update or delete, or
// of a key to check only.
type intent struct {
	table  string
	item   *attr.Map // put: the item
	size   int       // of item
	key    *attr.Map // others: the key
	update *expr.Update
	delete bool
	cond   *expr.Node
	// showOld: a failed condition is answered with the item.
	showOld bool
}

// target is where an intent goes.
type target struct {
	tb  *table
	key []byte
}

// outcome is what an intent makes of an item; after is nil if there is none then.
type outcome struct {
	target
	old         *item
	before      *attr.Map // nil if the item did not exist or nobody needed it
	after       *attr.Map
	size        int // of after
	unchanged   bool
	description *intent
}

// locate finds the table and checks the key.
func (t *txn) locate(in *intent) (target, error) {
	tb, err := t.table(in.table)
	if err != nil {
		return target{}, err
	}
	key, err := in.place(tb)
	return target{tb, key}, err
}

func (in *intent) place(tb *table) ([]byte, error) {
	if in.item == nil {
		key, err := givenKey(tb, in.key)
		if err == nil && in.update != nil {
			err = checkKeyUpdate(tb, in.update)
		}
		return key, err
	}
	key, err := primaryKey(tb, in.item)
	if err == nil {
		err = checkIndexKeys(tb, in.item)
	}
	return key, err
}

// checkKeyUpdate: an update leaves the key alone, and takes keys of indexes for the scalars that they are.
func checkKeyUpdate(tb *table, u *expr.Update) error {
	const scalars = "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: "
	for _, name := range tb.Keys.names() {
		path, ok := u.Touches(name)
		if ok && len(path) > 1 {
			return attr.Invalid(scalars + "Key: " + name)
		}
		if ok {
			return attr.Invalid(invalidPrefix + "Cannot update attribute " + name + ". This attribute is part of the key")
		}
	}
	for i := range tb.Indexes {
		for _, name := range tb.Indexes[i].Keys.names() {
			if path, ok := u.Touches(name); ok && len(path) > 1 {
				return attr.Invalid(scalars + "IndexKey: " + name)
			}
		}
	}
	return nil
}

// decide loads the item, checks the condition and computes the outcome without writing it.
func (t *txn) decide(at target, in *intent) (*outcome, error) {
	old, err := t.load(at.tb, at.key)
	if err != nil {
		return nil, err
	}
	out := &outcome{target: at, old: old, description: in}
	if in.cond != nil || in.update != nil {
		if out.before, err = old.attributes(); err != nil {
			return nil, err
		}
	}
	if !in.cond.Holds(out.before) {
		return nil, conditionFailed(in, old)
	}
	switch {
	case in.item != nil:
		out.after, out.size = in.item, in.size
	case in.update != nil:
		err = out.applyUpdate(in)
	case !in.delete:
		out.unchanged = true
	}
	return out, err
}

func conditionFailed(in *intent, old *item) error {
	e := &aws.Error{Code: "ConditionalCheckFailedException", Message: "The conditional request failed"}
	if in.showOld && old != nil {
		m, err := old.attributes()
		if err != nil {
			return err
		}
		e.Fields = map[string]any{"Item": m}
	}
	return e
}

func (out *outcome) applyUpdate(in *intent) error {
	base := out.before
	if base == nil {
		base = in.key
	}
	m, err := in.update.Apply(base)
	if err != nil {
		return err
	}
	out.after, out.size = m, m.Size()
	if out.size > maxItemSize {
		return errUpdateSize
	}
	if m.Depth() > attr.MaxDepth {
		return errNesting
	}
	if err := checkIndexKeys(out.tb, m); err != nil {
		for _, a := range in.update.Actions {
			if a.Value != nil && a.Value.Op != expr.OpValue && out.tb.usesKey(a.Path[0].Name) {
				return errIndexKeyUpdate
			}
		}
		return err
	}
	return nil
}

// commit writes an outcome.
func (t *txn) commit(out *outcome) error {
	if out.unchanged {
		return nil
	}
	return t.replace(out.tb, out.key, out.after, out.size)
}

// change is decide and commit for the operations on one item.
func (t *txn) change(in *intent) (*outcome, error) {
	at, err := t.locate(in)
	if err != nil {
		return nil, err
	}
	out, err := t.decide(at, in)
	if err != nil {
		return nil, err
	}
	return out, t.commit(out)
}

// writeOutput answers PutItem, UpdateItem and DeleteItem.
type writeOutput struct {
	Attributes            *attr.Map        `json:",omitempty"`
	ConsumedCapacity      *capacity        `json:",omitempty"`
	ItemCollectionMetrics *collectionSizes `json:",omitempty"`
}

func (t *txn) answer(out *outcome, r *returns, returnValues string) (any, error) {
	answer := &writeOutput{}
	var err error
	if answer.Attributes, err = out.values(returnValues); err != nil {
		return nil, err
	}
	if answer.Attributes != nil {
		t.Protection = out.tb.protection(t.Account, t.Region)
	}
	if answer.ConsumedCapacity, err = out.capacity(r.ReturnConsumedCapacity, 1); err != nil {
		return nil, err
	}
	if is(r.ReturnItemCollectionMetrics, "SIZE") {
		answer.ItemCollectionMetrics, err = t.collection(out)
	}
	return answer, err
}

// values are the attributes that ReturnValues asks for, nil if there are none.
func (out *outcome) values(returnValues string) (m *attr.Map, err error) {
	switch returnValues {
	case "ALL_OLD":
		m, err = out.old.attributes()
	case "ALL_NEW":
		m = out.after
	case "UPDATED_OLD", "UPDATED_NEW":
		m = out.after
		if returnValues == "UPDATED_OLD" {
			m = out.before
		}
		if out.description.update == nil || m == nil {
			return nil, nil
		}
		m = expr.Project(out.description.update.Paths()).Of(m)
	}
	if m.Len() == 0 {
		return nil, err
	}
	return m, err
}

// collectionSizes is ItemCollectionMetrics.
type collectionSizes struct {
	ItemCollectionKey   *attr.Map
	SizeEstimateRangeGB [2]float64
}

// collection measures the items that share an item's hash key; only tables with local indexes have item collections.
func (t *txn) collection(out *outcome) (*collectionSizes, error) {
	local := false
	for i := range out.tb.Indexes {
		local = local || out.tb.Indexes[i].Local
	}
	if !local {
		return nil, nil
	}
	source := out.description.item
	if source == nil {
		source = out.description.key
	}
	key := &attr.Map{}
	key.Set(out.tb.Keys.Hash, source.Get(out.tb.Keys.Hash))
	prefix := itemsOf(out.tb.Number).Raw(hashPrefix(nil, key.Get(out.tb.Keys.Hash)))
	total := 0
	for _, b := range t.Scan(prefix, prefix.End(), false) {
		it, err := t.decodeItem(out.tb, b)
		if err != nil {
			return nil, err
		}
		total += it.size
	}
	whole := float64(total >> 30)
	return &collectionSizes{key, [2]float64{whole, whole + 1}}, nil
}
