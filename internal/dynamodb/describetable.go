package dynamodb

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/dynamodb/attr"
	"github.com/newel-run/newel/internal/store"
)

// epoch is a timestamp in AWS's JSON protocol: seconds with milliseconds.
func epoch(t time.Time) json.Number {
	return json.Number(strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64))
}

type tableDescription struct {
	AttributeDefinitions      []attributeDefinition
	TableName                 string
	KeySchema                 []map[string]string
	TableStatus               string
	CreationDateTime          json.Number
	ProvisionedThroughput     map[string]any
	TableSizeBytes, ItemCount int64
	TableArn, TableId         string          //nolint:revive // the API's names
	BillingModeSummary        map[string]any  `json:",omitempty"`
	TableClassSummary         map[string]any  `json:",omitempty"`
	LocalSecondaryIndexes     []any           `json:",omitempty"`
	GlobalSecondaryIndexes    []any           `json:",omitempty"`
	SSEDescription            *sseDescription `json:",omitempty"`
	DeletionProtectionEnabled bool
}

// describe gives a TableDescription with the status that the operation reports.
func (t *txn) describe(tb *table, status string) (*tableDescription, error) {
	s, err := t.stats(tb)
	if err != nil {
		return nil, err
	}
	d := &tableDescription{AttributeDefinitions: tb.Attributes, TableName: tb.Name, KeySchema: tb.Keys.elements(), TableStatus: status,
		CreationDateTime: epoch(tb.Created), ProvisionedThroughput: provisioned(tb.Billing.Read, tb.Billing.Write),
		TableSizeBytes: s.bytes, ItemCount: s.items, TableArn: tb.ARN, TableId: tb.ID, SSEDescription: tb.SSE, DeletionProtectionEnabled: tb.Protected}
	if !tb.Billing.Changed.IsZero() {
		d.ProvisionedThroughput["LastIncreaseDateTime"] = epoch(tb.Billing.Changed)
	}
	if tb.Billing.OnDemand {
		d.BillingModeSummary = map[string]any{"BillingMode": "PAY_PER_REQUEST", "LastUpdateToPayPerRequestDateTime": epoch(tb.Billing.Since)}
	} else if !tb.Billing.Since.IsZero() {
		d.BillingModeSummary = map[string]any{"BillingMode": "PROVISIONED", "LastUpdateToPayPerRequestDateTime": epoch(tb.Billing.Since)}
	}
	if tb.Class != "" {
		d.TableClassSummary = map[string]any{"TableClass": tb.Class}
	}
	return d, t.describeIndexes(tb, d)
}

func (t *txn) describeIndexes(tb *table, d *tableDescription) error {
	for i := range tb.Indexes {
		ix := &tb.Indexes[i]
		count, size, err := t.measure(tb, ix)
		if err != nil {
			return err
		}
		m := map[string]any{"IndexName": ix.Name, "KeySchema": ix.Keys.elements(), "Projection": ix.Projection,
			"IndexSizeBytes": size, "ItemCount": count, "IndexArn": tb.ARN + "/index/" + ix.Name}
		if ix.Local {
			d.LocalSecondaryIndexes = append(d.LocalSecondaryIndexes, m)
			continue
		}
		m["IndexStatus"] = "ACTIVE"
		m["ProvisionedThroughput"] = provisioned(ix.Read, ix.Write)
		d.GlobalSecondaryIndexes = append(d.GlobalSecondaryIndexes, m)
	}
	return nil
}

// measure counts an index's entries and their projected bytes. Beyond measured entries it stops and gives the sum so far,
// as AWS's own figures are hours old.
func (t *txn) measure(tb *table, ix *index) (count, size int64, err error) {
	base := indexOf(tb.Number, ix.Number)
	for _, key := range t.Scan(base, base.End(), false) {
		it, err := t.loadExpired(tb, key)
		if err != nil {
			return 0, 0, err
		}
		n, err := ix.entrySize(tb, it)
		if err != nil {
			return 0, 0, err
		}
		size += int64(n)
		if count++; count == measuredEntries {
			break
		}
	}
	return count, size, nil
}

// entrySize is the size of what an index projects of an item.
func (ix *index) entrySize(tb *table, it *item) (int, error) {
	if ix.Projection.ProjectionType == "ALL" {
		return it.bytes(), nil
	}
	m, err := it.attributes()
	return ix.project(tb, m).Size(), err
}

const measuredEntries = 10000

func provisioned(read, write int64) map[string]any {
	return map[string]any{"NumberOfDecreasesToday": 0, "ReadCapacityUnits": read, "WriteCapacityUnits": write}
}

func (k keySchema) elements() []map[string]string {
	e := []map[string]string{{"AttributeName": k.Hash, "KeyType": "HASH"}}
	if k.Range != "" {
		e = append(e, map[string]string{"AttributeName": k.Range, "KeyType": "RANGE"})
	}
	return e
}

// tableInput is the input of operations that take a table's name alone.
type tableInput struct {
	TableName *string
	name      string
}

func (in *tableInput) check() (err error) {
	in.name, err = checkTableName(in.TableName, "tableName")
	return err
}

func (t *txn) describeTable(in *tableInput) (any, error) {
	tb, err := t.described(in.name)
	if err != nil {
		return nil, err
	}
	d, err := t.describe(tb, "ACTIVE")
	return map[string]any{"Table": d}, err
}

func (t *txn) deleteTable(in *tableInput) (any, error) {
	tb, err := t.described(in.name)
	if err != nil {
		return nil, err
	}
	if tb.Protected {
		return nil, attr.Invalid("Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.")
	}
	d, err := t.describe(tb, "DELETING")
	if err != nil {
		return nil, err
	}
	t.tx.Delete(tableKey(t.Account, t.Region, tb.Name))
	dropRows(t.tx, tb.Number)
	return map[string]any{"TableDescription": d}, nil
}

type listTablesInput struct {
	ExclusiveStartTableName *string
	Limit                   *int64
}

func (in *listTablesInput) check() error {
	var c constraints
	if in.ExclusiveStartTableName != nil {
		c.name(in.ExclusiveStartTableName, 3, "exclusiveStartTableName")
	}
	c.atLeast(in.Limit, 1, "limit")
	c.atMost(in.Limit, 100, "limit")
	return c.err()
}

func (t *txn) listTables(in *listTablesInput) (any, error) {
	all := tablesOf(t.Account, t.Region)
	from, limit := all, 100
	if in.ExclusiveStartTableName != nil {
		from = tableKey(t.Account, t.Region, *in.ExclusiveStartTableName).End()
	}
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	names := []string{}
	out := map[string]any{}
	for key := range t.Scan(from, all.End(), false) {
		name, _, ok := store.CutStr(key[len(all):])
		if !ok {
			continue
		}
		if len(names) == limit {
			out["LastEvaluatedTableName"] = names[limit-1]
			break
		}
		names = append(names, name)
	}
	out["TableNames"] = names
	return out, nil
}

type emptyInput struct{}

func (*emptyInput) check() error { return nil }

func (t *txn) describeLimits(*emptyInput) (any, error) {
	return map[string]any{"AccountMaxReadCapacityUnits": 80000, "AccountMaxWriteCapacityUnits": 80000,
		"TableMaxReadCapacityUnits": 40000, "TableMaxWriteCapacityUnits": 40000}, nil
}

func (t *txn) describeEndpoints(*emptyInput) (any, error) {
	host := t.Host
	if host == "" {
		host = "dynamodb." + t.Region + ".amazonaws.com"
	}
	return map[string]any{"Endpoints": []any{map[string]any{"Address": host, "CachePeriodInMinutes": 1440}}}, nil
}

func (t *txn) describeContinuousBackups(in *tableInput) (any, error) {
	if tb, err := t.find(in.name); err != nil || tb == nil {
		if err == nil {
			err = aws.Errorf("TableNotFoundException", "Table not found: %s", in.name)
		}
		return nil, err
	}
	return map[string]any{"ContinuousBackupsDescription": map[string]any{"ContinuousBackupsStatus": "ENABLED",
		"PointInTimeRecoveryDescription": map[string]any{"PointInTimeRecoveryStatus": "DISABLED"}}}, nil
}
