package dynamodb

import (
	"encoding/json"
	"strings"

	"github.com/newel-run/newel/internal/dynamodb/attr"
	"github.com/newel-run/newel/internal/dynamodb/expr"
)

// selection are the members that Query and Scan share.
type selection struct {
	TableName           *string
	IndexName           *string
	Select              *string
	Limit               *int64
	ExclusiveStartKey   *attr.Item
	ConsistentRead      *bool
	FilterExpression    *string
	ConditionalOperator *string
	picked
	returns

	name       string
	filter     *expr.Node
	filterName string // the member that holds the filter, in AWS's errors
}

func (in *selection) constrain(c *constraints) {
	if in.IndexName != nil {
		c.name(in.IndexName, 3, "indexName")
	}
	in.returns.constrain(c)
	c.enum(in.Select, "select", "SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES")
	c.enum(in.ConditionalOperator, "conditionalOperator", "OR", "AND")
}

// checkStart reports a bad value in the start key; some of AWS's messages have a preamble, some have not.
func (in *selection) checkStart() error {
	err := itemErr(in.ExclusiveStartKey)
	if err == nil {
		return nil
	}
	for _, plain := range []string{"contains duplicates", "number set", "numeric value", "significant digits", "number with magnitude"} {
		if strings.Contains(err.Error(), plain) {
			return err
		}
	}
	return attr.Invalid("The provided starting key is invalid: " + err.Error())
}

// checkSelect checks Select against the other members.
func (in *selection) checkSelect() error {
	what := ""
	switch {
	case in.ProjectionExpression != nil:
		what = "ProjectionExpression"
	case in.AttributesToGet != nil:
		what = "AttributesToGet"
	}
	switch {
	case in.Select == nil:
		return nil
	case *in.Select == "SPECIFIC_ATTRIBUTES" && what == "":
		return attr.Invalid("Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES")
	case *in.Select != "SPECIFIC_ATTRIBUTES" && what != "":
		return attr.Invalid("Cannot specify the " + what + " when choosing to get " + *in.Select)
	case *in.Select == "ALL_PROJECTED_ATTRIBUTES" && in.IndexName == nil:
		return attr.Invalid(invalidPrefix + "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
	}
	return nil
}

// start makes the reading of a table or index that is not narrowed yet.
func (in *selection) start(t *txn) (*reading, error) {
	tb, err := t.table(in.name)
	if err != nil {
		return nil, err
	}
	r := &reading{tb: tb, filter: in.filter, projection: in.projection, countOnly: is(in.Select, "COUNT"), whole: is(in.Select, "ALL_ATTRIBUTES")}
	if in.Limit != nil {
		r.limit = int(*in.Limit)
	}
	if in.IndexName == nil {
		return r, nil
	}
	if r.ix = tb.index(*in.IndexName); r.ix == nil {
		return nil, attr.Invalid("The table does not have the specified index: " + *in.IndexName)
	}
	return r, in.checkIndexUse(r)
}

func (in *selection) checkIndexUse(r *reading) error {
	if r.ix.Local {
		r.whole = r.whole || in.wantsMore(r)
		return nil
	}
	switch {
	case in.ConsistentRead != nil && *in.ConsistentRead:
		return attr.Invalid("Consistent reads are not supported on global secondary indexes")
	case is(in.Select, "ALL_ATTRIBUTES") && r.ix.Projection.ProjectionType != "ALL":
		return attr.Invalid(invalidPrefix + "Select type ALL_ATTRIBUTES is not supported for global secondary index " + r.ix.Name +
			" because its projection type is not ALL")
	case in.projection == nil:
		return nil
	}
	var missing []string
	for _, p := range in.projection.Paths() {
		if !r.ix.projects(r.tb, p[0].Name) {
			missing = append(missing, p[0].Name)
		}
	}
	if missing != nil {
		return attr.Invalid(invalidPrefix + "Global secondary index " + r.ix.Name + " does not project [" + strings.Join(missing, ", ") + "]")
	}
	return nil
}

// wantsMore: a local index fetches from the table what it does not project, if that is asked for by name.
func (in *selection) wantsMore(r *reading) bool {
	if in.projection == nil {
		return false
	}
	for _, p := range in.projection.Paths() {
		if !r.ix.projects(r.tb, p[0].Name) {
			return true
		}
	}
	return false
}

// checkStartKey: the start key has exactly the key attributes of the table and of the index.
func (r *reading) checkStartKey(start *attr.Map) error {
	const bad attr.Invalid = "The provided starting key is invalid"
	names := map[string]attr.Kind{}
	for _, k := range []keySchema{r.tb.Keys, r.keys()} {
		for _, n := range k.names() {
			names[n] = k.kind(n)
		}
	}
	mismatch := bad
	if r.ix == nil {
		mismatch += ": " + errKeySchema
	}
	if start.Len() != len(names) {
		return mismatch
	}
	for n, kind := range names {
		if v := start.Get(n); v == nil || v.Kind != kind {
			return mismatch
		}
	}
	return nil
}

// pageOutput answers Query and Scan.
type pageOutput struct {
	Items            []json.RawMessage `json:",omitzero"`
	Count            int
	ScannedCount     int
	LastEvaluatedKey *attr.Map `json:",omitempty"`
	ConsumedCapacity *capacity `json:",omitempty"`
}

func (in *selection) answer(t *txn, r *reading) (any, error) {
	p, err := t.readPage(r)
	if err != nil {
		return nil, err
	}
	out := pageOutput{Items: p.items, Count: p.count, ScannedCount: p.scanned, LastEvaluatedKey: p.last, ConsumedCapacity: consumed(in.ReturnConsumedCapacity, r.tb)}
	if r.countOnly {
		out.Items = nil
	}
	out.ConsumedCapacity.add(readUnits(p.size, in.ConsistentRead != nil && *in.ConsistentRead), r.ix)
	return out, nil
}

// heads are the attributes that a condition looks at.
func heads(n *expr.Node) map[string]bool {
	found := map[string]bool{}
	n.Walk(func(n *expr.Node) {
		if n.Op == expr.OpPath {
			found[n.Path[0].Name] = true
		}
	})
	return found
}
