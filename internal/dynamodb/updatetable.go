package dynamodb

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/dynamodb/attr"
)

type updateTableInput struct {
	tableInput
	AttributeDefinitions        []attributeDefinition
	BillingMode                 *string
	ProvisionedThroughput       *throughput
	GlobalSecondaryIndexUpdates []indexUpdate
	DeletionProtectionEnabled   *bool
	SSESpecification            *sseSpecification
	StreamSpecification         *streamSpecification
	TableClass                  *string
	ReplicaUpdates              json.RawMessage
	OnDemandThroughput          json.RawMessage
	WarmThroughput              json.RawMessage
	MultiRegionConsistency      json.RawMessage
	GlobalTableWitnessUpdates   json.RawMessage
}

type indexUpdate struct {
	Create *indexInput
	Update *struct {
		IndexName             *string
		ProvisionedThroughput *throughput
	}
	Delete *struct{ IndexName *string }
}

func (in *updateTableInput) check() error {
	if err := in.tableInput.check(); err != nil {
		return err
	}
	var c constraints
	for i := range in.AttributeDefinitions {
		c.enum(&in.AttributeDefinitions[i].AttributeType, fmt.Sprintf("attributeDefinitions.%d.member.attributeType", i+1), "B", "N", "S")
	}
	c.enum(in.BillingMode, "billingMode", "PROVISIONED", "PAY_PER_REQUEST")
	constrainThroughput(&c, in.ProvisionedThroughput, "provisionedThroughput")
	for i, u := range in.GlobalSecondaryIndexUpdates {
		path := fmt.Sprintf("globalSecondaryIndexUpdates.%d.member.", i+1)
		switch {
		case u.Create != nil:
			constrainIndex(&c, u.Create, path+"create")
		case u.Update != nil:
			c.name(u.Update.IndexName, 3, path+"update.indexName")
			c.required(u.Update.ProvisionedThroughput != nil, path+"update.provisionedThroughput")
			constrainThroughput(&c, u.Update.ProvisionedThroughput, path+"update.provisionedThroughput")
		case u.Delete != nil:
			c.name(u.Delete.IndexName, 3, path+"delete.indexName")
		}
	}
	c.enum(in.TableClass, "tableClass", "STANDARD", "STANDARD_INFREQUENT_ACCESS")
	if err := c.err(); err != nil {
		return err
	}
	return in.checkUpdate()
}

func (in *updateTableInput) checkUpdate() error {
	for name, raw := range map[string]json.RawMessage{"ReplicaUpdates": in.ReplicaUpdates, "OnDemandThroughput": in.OnDemandThroughput,
		"WarmThroughput": in.WarmThroughput, "MultiRegionConsistency": in.MultiRegionConsistency, "GlobalTableWitnessUpdates": in.GlobalTableWitnessUpdates} {
		if raw != nil {
			return unsupported(name)
		}
	}
	if s := in.StreamSpecification; s != nil && s.StreamEnabled != nil && *s.StreamEnabled {
		return unsupported("DynamoDB streams (StreamSpecification.StreamEnabled)")
	}
	if in.BillingMode == nil && in.ProvisionedThroughput == nil && len(in.GlobalSecondaryIndexUpdates) == 0 && in.DeletionProtectionEnabled == nil &&
		in.SSESpecification == nil && in.StreamSpecification == nil && in.TableClass == nil {
		return attr.Invalid("At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required")
	}
	if in.BillingMode != nil && *in.BillingMode == "PROVISIONED" && in.ProvisionedThroughput == nil {
		return attr.Invalid(invalidPrefix + "ProvisionedThroughput must be specified when BillingMode is PROVISIONED")
	}
	if in.ProvisionedThroughput != nil {
		if err := checkThroughput(in.ProvisionedThroughput); err != nil {
			return err
		}
	}
	return in.checkIndexUpdates()
}

func (in *updateTableInput) checkIndexUpdates() error {
	seen, online := map[string]bool{}, 0
	for _, u := range in.GlobalSecondaryIndexUpdates {
		var name string
		switch {
		case u.Create != nil:
			name = *u.Create.IndexName
			online++
		case u.Update != nil:
			name = *u.Update.IndexName
		case u.Delete != nil:
			name = *u.Delete.IndexName
			online++
		default:
			return attr.Invalid(invalidPrefix + "One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, GlobalSecondaryIndexUpdate.Delete must not be null")
		}
		if seen[name] {
			return attr.Invalid(invalidPrefix + "Only one global secondary index update per index is allowed simultaneously. Index: " + name)
		}
		seen[name] = true
	}
	if online > 1 {
		return aws.Errorf("LimitExceededException", "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table")
	}
	return nil
}

func (t *txn) updateTable(in *updateTableInput) (any, error) {
	old, err := t.described(in.name)
	if err != nil {
		return nil, err
	}
	tb := *old
	tb.Indexes, tb.Attributes = slices.Clone(old.Indexes), slices.Clone(old.Attributes)
	if err := t.changeBilling(&tb, in); err != nil {
		return nil, err
	}
	for _, u := range in.GlobalSecondaryIndexUpdates {
		if err := t.changeIndex(&tb, in, u); err != nil {
			return nil, err
		}
	}
	if in.DeletionProtectionEnabled != nil {
		tb.Protected = *in.DeletionProtectionEnabled
	}
	if in.SSESpecification != nil {
		tb.SSE = t.sse(in.SSESpecification)
		if err := t.reseal(&tb); err != nil {
			return nil, err
		}
	}
	if in.TableClass != nil {
		tb.Class = *in.TableClass
	}
	if err := t.save(&tb); err != nil {
		return nil, err
	}
	d, err := t.describe(&tb, "UPDATING")
	return map[string]any{"TableDescription": d}, err
}

func (t *txn) changeBilling(tb *table, in *updateTableInput) error {
	b := &tb.Billing
	onDemand := b.OnDemand
	if in.BillingMode != nil {
		b.Explicit, onDemand = true, *in.BillingMode == "PAY_PER_REQUEST"
	}
	if onDemand {
		if in.ProvisionedThroughput != nil {
			return attr.Invalid(invalidPrefix + "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST")
		}
		if !b.OnDemand {
			*b = billing{OnDemand: true, Explicit: true, Since: t.Now}
			for i := range tb.Indexes {
				tb.Indexes[i].Read, tb.Indexes[i].Write = 0, 0
			}
		}
		return nil
	}
	if in.ProvisionedThroughput == nil {
		return nil
	}
	read, write := *in.ProvisionedThroughput.ReadCapacityUnits, *in.ProvisionedThroughput.WriteCapacityUnits
	if !b.OnDemand && b.Read == read && b.Write == write {
		return attr.Invalid(fmt.Sprintf("The provisioned throughput for the table will not change. The requested value equals the current value. "+
			"Current ReadCapacityUnits provisioned for the table: %d. Requested ReadCapacityUnits: %d. "+
			"Current WriteCapacityUnits provisioned for the table: %d. Requested WriteCapacityUnits: %d. "+
			"Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits.", b.Read, read, b.Write, write))
	}
	if b.OnDemand {
		if err := in.throughputForAll(tb); err != nil {
			return err
		}
	}
	b.OnDemand, b.Read, b.Write, b.Changed = false, read, write, t.Now
	return nil
}

// throughputForAll: a table that becomes provisioned needs the throughput of its global indexes too.
func (in *updateTableInput) throughputForAll(tb *table) error {
	given := map[string]bool{}
	for _, u := range in.GlobalSecondaryIndexUpdates {
		if u.Update != nil {
			given[*u.Update.IndexName] = true
		}
	}
	for i := range tb.Indexes {
		if ix := &tb.Indexes[i]; !ix.Local && !given[ix.Name] {
			return attr.Invalid(invalidPrefix + "ProvisionedThroughput must be specified for index: " + ix.Name)
		}
	}
	return nil
}

func (t *txn) changeIndex(tb *table, in *updateTableInput, u indexUpdate) error {
	switch {
	case u.Create != nil:
		return t.createIndex(tb, in, u.Create)
	case u.Update != nil:
		ix := tb.index(*u.Update.IndexName)
		if ix == nil || ix.Local {
			return errNotFound()
		}
		ix.Read, ix.Write = *u.Update.ProvisionedThroughput.ReadCapacityUnits, *u.Update.ProvisionedThroughput.WriteCapacityUnits
		return nil
	}
	ix := tb.index(*u.Delete.IndexName)
	if ix == nil || ix.Local {
		return errNotFound()
	}
	rows := indexOf(tb.Number, ix.Number)
	t.tx.DeleteRange(rows, rows.End())
	tb.Indexes = slices.DeleteFunc(tb.Indexes, func(x index) bool { return x.Name == *u.Delete.IndexName })
	tb.Attributes = slices.DeleteFunc(tb.Attributes, func(d attributeDefinition) bool { return !tb.usesKey(d.AttributeName) })
	return nil
}

func (t *table) usesKey(name string) bool {
	for i := range t.Indexes {
		if t.Indexes[i].Keys.has(name) {
			return true
		}
	}
	return t.Keys.has(name)
}

// createIndex adds a global index and fills it in the same transaction.
func (t *txn) createIndex(tb *table, in *updateTableInput, ix *indexInput) error {
	if tb.index(*ix.IndexName) != nil {
		return attr.Invalid("Attempting to create an index which already exists")
	}
	for _, d := range in.AttributeDefinitions {
		if kindIn(tb.Attributes, d.AttributeName) == attr.None {
			tb.Attributes = append(tb.Attributes, d)
		}
	}
	if err := checkKeySchema(ix.KeySchema, tb.Attributes); err != nil {
		return err
	}
	if err := checkIndexThroughput(ix, tb.Billing.OnDemand); err != nil {
		return err
	}
	if err := checkIndex(ix, map[string]bool{}); err != nil {
		return err
	}
	added := tb.addIndex(ix, false)
	tb.Attributes = slices.DeleteFunc(tb.Attributes, func(d attributeDefinition) bool { return !tb.usesKey(d.AttributeName) })
	return t.eachItem(tb, func(key []byte, m *attr.Map) {
		if at := indexKey(tb, added, m, key); at != nil {
			t.tx.Set(at, key)
		}
	})
}

// eachItem visits all items of a table, to write rows of other kinds.
func (t *txn) eachItem(tb *table, visit func(key []byte, m *attr.Map)) error {
	base := itemsOf(tb.Number)
	for key, b := range t.Scan(base, base.End(), false) {
		it, err := t.decodeItem(tb, b)
		if err != nil {
			return err
		}
		m, err := it.attributes()
		if err != nil {
			return err
		}
		visit(slices.Clone(key[len(base):]), m)
	}
	return nil
}
