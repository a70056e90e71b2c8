package dynamodb

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/dynamodb/attr"
)

type keyElement struct{ AttributeName, KeyType *string }

type projection struct {
	ProjectionType   string   `json:",omitempty"`
	NonKeyAttributes []string `json:",omitempty"`
}

type throughput struct{ ReadCapacityUnits, WriteCapacityUnits *int64 }

type indexInput struct {
	IndexName             *string
	KeySchema             []keyElement
	Projection            *projection
	ProvisionedThroughput *throughput
	OnDemandThroughput    json.RawMessage
	WarmThroughput        json.RawMessage
}

type createTableInput struct {
	TableName             *string
	AttributeDefinitions  []struct{ AttributeName, AttributeType *string }
	KeySchema             []keyElement
	BillingMode           *string
	ProvisionedThroughput *throughput
	LocalSecondaryIndexes []indexInput
	// GlobalSecondaryIndexes is nil if absent, which differs from empty.
	GlobalSecondaryIndexes    []indexInput
	SSESpecification          *sseSpecification
	StreamSpecification       *streamSpecification
	Tags                      []tag
	TableClass                *string
	DeletionProtectionEnabled *bool
	OnDemandThroughput        json.RawMessage
	WarmThroughput            json.RawMessage
	ResourcePolicy            *string

	definitions []attributeDefinition
}

type sseSpecification struct {
	Enabled                 *bool
	SSEType, KMSMasterKeyID *string `json:"-"`
}

// UnmarshalJSON is written out because a struct tag names one member only.
func (s *sseSpecification) UnmarshalJSON(b []byte) error {
	var in struct {
		Enabled        *bool
		SSEType        *string
		KMSMasterKeyId *string //nolint:revive // the API's name
	}
	err := json.Unmarshal(b, &in)
	s.Enabled, s.SSEType, s.KMSMasterKeyID = in.Enabled, in.SSEType, in.KMSMasterKeyId
	return err
}

type streamSpecification struct {
	StreamEnabled  *bool
	StreamViewType *string
}

type sseDescription struct {
	Status          string
	SSEType         string
	KMSMasterKeyArn string //nolint:revive // the API's name
}

const maxThroughput = 1000000000000

func (in *createTableInput) check() error {
	if in.TableName == nil {
		return attr.Invalid("The parameter 'TableName' is required but was not present in the request")
	}
	var c constraints
	c.name(in.TableName, 3, "tableName")
	if err := c.err(); err != nil {
		return err
	}
	in.constrain(&c)
	if err := c.err(); err != nil {
		return err
	}
	if err := checkBilling(in.BillingMode, in.ProvisionedThroughput); err != nil {
		return err
	}
	if err := in.supported(); err != nil {
		return err
	}
	if err := in.checkKeys(); err != nil {
		return err
	}
	if err := in.checkLocal(); err != nil {
		return err
	}
	if err := in.checkGlobal(); err != nil {
		return err
	}
	return in.checkUse()
}

func (in *createTableInput) constrain(c *constraints) {
	c.required(in.AttributeDefinitions != nil, "attributeDefinitions")
	for i, d := range in.AttributeDefinitions {
		path := fmt.Sprintf("attributeDefinitions.%d.member.", i+1)
		c.required(d.AttributeName != nil, path+"attributeName")
		c.required(d.AttributeType != nil, path+"attributeType")
		c.enum(d.AttributeType, path+"attributeType", "B", "N", "S")
		if d.AttributeName != nil && d.AttributeType != nil {
			in.definitions = append(in.definitions, attributeDefinition{*d.AttributeName, *d.AttributeType})
		}
	}
	constrainKeySchema(c, in.KeySchema, "keySchema")
	c.enum(in.BillingMode, "billingMode", "PROVISIONED", "PAY_PER_REQUEST")
	constrainThroughput(c, in.ProvisionedThroughput, "provisionedThroughput")
	for i := range in.LocalSecondaryIndexes {
		constrainIndex(c, &in.LocalSecondaryIndexes[i], fmt.Sprintf("localSecondaryIndexes.%d.member", i+1))
	}
	for i := range in.GlobalSecondaryIndexes {
		constrainIndex(c, &in.GlobalSecondaryIndexes[i], fmt.Sprintf("globalSecondaryIndexes.%d.member", i+1))
	}
	c.enum(in.TableClass, "tableClass", "STANDARD", "STANDARD_INFREQUENT_ACCESS")
}

func constrainKeySchema(c *constraints, keys []keyElement, path string) {
	c.required(keys != nil, path)
	if keys != nil {
		c.length(len(keys), 1, 2, "'["+shownKeys(keys)+"]'", path)
	}
	for i, k := range keys {
		at := fmt.Sprintf("%s.%d.member.", path, i+1)
		c.required(k.AttributeName != nil, at+"attributeName")
		c.required(k.KeyType != nil, at+"keyType")
		c.enum(k.KeyType, at+"keyType", "HASH", "RANGE")
	}
}

func shownKeys(keys []keyElement) string {
	var s []string
	for _, k := range keys {
		if k.AttributeName != nil && k.KeyType != nil {
			s = append(s, "KeySchemaElement(attributeName="+*k.AttributeName+", keyType="+*k.KeyType+")")
		}
	}
	return strings.Join(s, ", ")
}

func constrainThroughput(c *constraints, t *throughput, path string) {
	if t == nil {
		return
	}
	c.required(t.ReadCapacityUnits != nil, path+".readCapacityUnits")
	c.atLeast(t.ReadCapacityUnits, 1, path+".readCapacityUnits")
	c.required(t.WriteCapacityUnits != nil, path+".writeCapacityUnits")
	c.atLeast(t.WriteCapacityUnits, 1, path+".writeCapacityUnits")
}

func constrainIndex(c *constraints, ix *indexInput, path string) {
	c.name(ix.IndexName, 3, path+".indexName")
	constrainKeySchema(c, ix.KeySchema, path+".keySchema")
	c.required(ix.Projection != nil, path+".projection")
	if ix.Projection != nil {
		if ix.Projection.ProjectionType != "" {
			c.enum(&ix.Projection.ProjectionType, path+".projection.projectionType", "ALL", "INCLUDE", "KEYS_ONLY")
		}
		if ix.Projection.NonKeyAttributes != nil {
			c.length(len(ix.Projection.NonKeyAttributes), 1, 20, "'["+strings.Join(ix.Projection.NonKeyAttributes, ", ")+"]'",
				path+".projection.nonKeyAttributes")
		}
	}
	constrainThroughput(c, ix.ProvisionedThroughput, path+".provisionedThroughput")
}

func checkBilling(mode *string, t *throughput) error {
	if mode != nil && *mode == "PAY_PER_REQUEST" {
		if t != nil {
			return attr.Invalid(invalidPrefix + "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST")
		}
		return nil
	}
	if t == nil {
		return attr.Invalid(invalidPrefix + "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED")
	}
	return checkThroughput(t)
}

func checkThroughput(t *throughput) error {
	if *t.ReadCapacityUnits > maxThroughput {
		return attr.Invalid(fmt.Sprintf("Given value %d for ReadCapacityUnits is out of bounds", *t.ReadCapacityUnits))
	}
	if *t.WriteCapacityUnits > maxThroughput {
		return attr.Invalid(fmt.Sprintf("Given value %d for WriteCapacityUnits is out of bounds", *t.WriteCapacityUnits))
	}
	return nil
}

// supported refuses the options that Newel has not.
func (in *createTableInput) supported() error {
	switch {
	case in.StreamSpecification != nil && in.StreamSpecification.StreamEnabled != nil && *in.StreamSpecification.StreamEnabled:
		return unsupported("DynamoDB streams (StreamSpecification.StreamEnabled)")
	case in.OnDemandThroughput != nil:
		return unsupported("OnDemandThroughput")
	case in.WarmThroughput != nil:
		return unsupported("WarmThroughput")
	case in.ResourcePolicy != nil:
		return unsupported("ResourcePolicy of tables")
	}
	return nil
}

func (in *createTableInput) checkKeys() error {
	if len(in.KeySchema) > len(in.definitions) {
		return attr.Invalid("Invalid KeySchema: Some index key attribute have no definition")
	}
	if err := checkKeySchema(in.KeySchema, in.definitions); err != nil {
		return err
	}
	if in.LocalSecondaryIndexes == nil && in.GlobalSecondaryIndexes == nil && len(in.KeySchema) != len(in.definitions) {
		return attr.Invalid(invalidPrefix + "Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions")
	}
	return nil
}

func checkKeySchema(keys []keyElement, defs []attributeDefinition) error {
	for _, k := range keys {
		if kindIn(defs, *k.AttributeName) == attr.None {
			return attr.Invalid(invalidPrefix + "Some index key attributes are not defined in AttributeDefinitions. Keys: [" +
				strings.Join(keyNames(keys), ", ") + "], AttributeDefinitions: [" + strings.Join(definedNames(defs), ", ") + "]")
		}
	}
	switch {
	case len(keys) == 2 && *keys[0].AttributeName == *keys[1].AttributeName:
		return attr.Invalid("Both the Hash Key and the Range Key element in the KeySchema have the same name")
	case *keys[0].KeyType != "HASH":
		return attr.Invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
	case len(keys) == 2 && *keys[1].KeyType != "RANGE":
		return attr.Invalid("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")
	}
	return nil
}

func kindIn(defs []attributeDefinition, name string) attr.Kind {
	for _, d := range defs {
		if d.AttributeName == name {
			return attr.KindOf(d.AttributeType)
		}
	}
	return attr.None
}

func keyNames(keys []keyElement) []string {
	names := make([]string, len(keys))
	for i := range keys {
		names[i] = *keys[i].AttributeName
	}
	return names
}

func definedNames(defs []attributeDefinition) []string {
	names := make([]string, len(defs))
	for i := range defs {
		names[i] = defs[i].AttributeName
	}
	return names
}

func (in *createTableInput) checkLocal() error {
	switch {
	case in.LocalSecondaryIndexes == nil:
		return nil
	case len(in.LocalSecondaryIndexes) == 0:
		return attr.Invalid(invalidPrefix + "List of LocalSecondaryIndexes is empty")
	case len(in.KeySchema) != 2:
		return attr.Invalid(invalidPrefix + "Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex")
	}
	seen := map[string]bool{}
	for i := range in.LocalSecondaryIndexes {
		ix := &in.LocalSecondaryIndexes[i]
		if err := checkKeySchema(ix.KeySchema, in.definitions); err != nil {
			return err
		}
		if len(ix.KeySchema) != 2 {
			return attr.Invalid(invalidPrefix + "Index KeySchema does not have a range key for index: " + *ix.IndexName)
		}
		if hash := *in.KeySchema[0].AttributeName; *ix.KeySchema[0].AttributeName != hash {
			return attr.Invalid(invalidPrefix + "Index KeySchema does not have the same leading hash key as table KeySchema for index: " +
				*ix.IndexName + ". index hash key: " + *ix.KeySchema[0].AttributeName + ", table hash key: " + hash)
		}
		if err := checkIndex(ix, seen); err != nil {
			return err
		}
	}
	if len(in.LocalSecondaryIndexes) > 5 {
		return attr.Invalid(invalidPrefix + "Number of LocalSecondaryIndexes exceeds per-table limit of 5")
	}
	return nil
}

func checkIndex(ix *indexInput, seen map[string]bool) error {
	switch {
	case ix.Projection.ProjectionType == "":
		return attr.Invalid(invalidPrefix + "Unknown ProjectionType: null")
	case ix.Projection.NonKeyAttributes != nil && ix.Projection.ProjectionType != "INCLUDE":
		return attr.Invalid(invalidPrefix + "ProjectionType is " + ix.Projection.ProjectionType + ", but NonKeyAttributes is specified")
	case ix.Projection.NonKeyAttributes == nil && ix.Projection.ProjectionType == "INCLUDE":
		return attr.Invalid(invalidPrefix + "ProjectionType is INCLUDE, but NonKeyAttributes is not specified")
	case seen[*ix.IndexName]:
		return attr.Invalid(invalidPrefix + "Duplicate index name: " + *ix.IndexName)
	case ix.OnDemandThroughput != nil:
		return unsupported("OnDemandThroughput")
	case ix.WarmThroughput != nil:
		return unsupported("WarmThroughput")
	}
	seen[*ix.IndexName] = true
	return nil
}

func (in *createTableInput) checkGlobal() error {
	if in.GlobalSecondaryIndexes != nil && len(in.GlobalSecondaryIndexes) == 0 {
		return attr.Invalid(invalidPrefix + "List of GlobalSecondaryIndexes is empty")
	}
	seen := map[string]bool{}
	for i := range in.LocalSecondaryIndexes {
		seen[*in.LocalSecondaryIndexes[i].IndexName] = true
	}
	onDemand := in.BillingMode != nil && *in.BillingMode == "PAY_PER_REQUEST"
	for i := range in.GlobalSecondaryIndexes {
		ix := &in.GlobalSecondaryIndexes[i]
		if err := checkKeySchema(ix.KeySchema, in.definitions); err != nil {
			return err
		}
		if err := checkIndexThroughput(ix, onDemand); err != nil {
			return err
		}
		if err := checkIndex(ix, seen); err != nil {
			return err
		}
	}
	if len(in.GlobalSecondaryIndexes) > 20 {
		return attr.Invalid(invalidPrefix + "GlobalSecondaryIndex count exceeds the per-table limit of 20")
	}
	return nil
}

func checkIndexThroughput(ix *indexInput, onDemand bool) error {
	switch {
	case onDemand && ix.ProvisionedThroughput != nil:
		return attr.Invalid(invalidPrefix + "ProvisionedThroughput should not be specified for index: " + *ix.IndexName +
			" when BillingMode is PAY_PER_REQUEST")
	case !onDemand && ix.ProvisionedThroughput == nil:
		return attr.Invalid(invalidPrefix + "ProvisionedThroughput must be specified for index: " + *ix.IndexName)
	}
	return nil
}

// checkUse: every defined attribute is a key of the table or of an index.
func (in *createTableInput) checkUse() error {
	var used []string
	add := func(keys []keyElement) {
		for _, n := range keyNames(keys) {
			if !slices.Contains(used, n) {
				used = append(used, n)
			}
		}
	}
	add(in.KeySchema)
	for _, list := range [][]indexInput{in.LocalSecondaryIndexes, in.GlobalSecondaryIndexes} {
		for i := range list {
			add(list[i].KeySchema)
		}
	}
	if len(used) != len(in.definitions) {
		return attr.Invalid(invalidPrefix + "Some AttributeDefinitions are not used. AttributeDefinitions: [" +
			strings.Join(definedNames(in.definitions), ", ") + "], keys used: [" + strings.Join(used, ", ") + "]")
	}
	return nil
}

func (t *txn) createTable(in *createTableInput) (any, error) {
	if old, err := t.find(*in.TableName); err != nil || old != nil {
		if err == nil {
			err = aws.Errorf("ResourceInUseException", "Table already exists: %s", *in.TableName)
		}
		return nil, err
	}
	number, err := t.nextNumber()
	if err != nil {
		return nil, err
	}
	tb := &table{Version: tableVersion, Number: number, Name: *in.TableName, ARN: t.arn("table/" + *in.TableName), ID: aws.NewUUID(), Created: t.Now,
		Keys: schemaOf(in.KeySchema, in.definitions), Attributes: in.definitions, Tags: in.Tags,
		Protected: in.DeletionProtectionEnabled != nil && *in.DeletionProtectionEnabled, SSE: t.sse(in.SSESpecification)}
	if in.TableClass != nil {
		tb.Class = *in.TableClass
	}
	tb.Billing = billing{OnDemand: in.ProvisionedThroughput == nil, Explicit: in.BillingMode != nil}
	if tb.Billing.OnDemand {
		tb.Billing.Since = t.Now
	} else {
		tb.Billing.Read, tb.Billing.Write = *in.ProvisionedThroughput.ReadCapacityUnits, *in.ProvisionedThroughput.WriteCapacityUnits
	}
	for i := range in.LocalSecondaryIndexes {
		tb.addIndex(&in.LocalSecondaryIndexes[i], true)
	}
	for i := range in.GlobalSecondaryIndexes {
		tb.addIndex(&in.GlobalSecondaryIndexes[i], false)
	}
	if err := errors.Join(t.protectable(tb), t.save(tb)); err != nil {
		return nil, err
	}
	d, err := t.describe(tb, "CREATING")
	return map[string]any{"TableDescription": d}, err
}

func schemaOf(keys []keyElement, defs []attributeDefinition) keySchema {
	s := keySchema{Hash: *keys[0].AttributeName, HashKind: kindIn(defs, *keys[0].AttributeName)}
	if len(keys) > 1 {
		s.Range, s.RangeKind = *keys[1].AttributeName, kindIn(defs, *keys[1].AttributeName)
	}
	return s
}

// addIndex adds an index to a record that is being made.
func (t *table) addIndex(in *indexInput, local bool) *index {
	t.LastIndex++
	ix := index{Number: t.LastIndex, Name: *in.IndexName, Local: local, Keys: schemaOf(in.KeySchema, t.Attributes), Projection: *in.Projection}
	if in.ProvisionedThroughput != nil {
		ix.Read, ix.Write = *in.ProvisionedThroughput.ReadCapacityUnits, *in.ProvisionedThroughput.WriteCapacityUnits
	}
	t.Indexes = append(t.Indexes, ix)
	return &t.Indexes[len(t.Indexes)-1]
}

// sse describes encryption as asked for.
func (t *txn) sse(s *sseSpecification) *sseDescription {
	if s == nil || s.Enabled == nil || !*s.Enabled {
		return nil
	}
	key := "alias/aws/dynamodb"
	if s.KMSMasterKeyID != nil {
		key = *s.KMSMasterKeyID
	}
	if !strings.HasPrefix(key, "arn:") {
		if !strings.HasPrefix(key, "alias/") {
			key = "key/" + key
		}
		key = aws.ARN{Service: "kms", Region: t.Region, Account: t.Account, Resource: key}.String()
	}
	return &sseDescription{Status: "ENABLED", SSEType: "KMS", KMSMasterKeyArn: key}
}
