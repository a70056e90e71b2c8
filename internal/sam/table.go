package sam

import "github.com/newel-run/newel/internal/cfn/build"

// table expands AWS::Serverless::SimpleTable.
func (i *item) table() {
	if !i.members(i.props, "AWS::Serverless::SimpleTable", "PrimaryKey", "ProvisionedThroughput", "TableName", "Tags", "SSESpecification", "PointInTimeRecoverySpecification") {
		return
	}
	name, kind := i.at.Node("id"), "S"
	if key := i.prop("PrimaryKey"); key != nil {
		if !i.members(key, "PrimaryKey", "Name", "Type") {
			return
		}
		kinds := map[string]string{"String": "S", "Number": "N", "Binary": "B"}
		given, _ := key.Get("Type").Text()
		if name, kind = key.Get("Name"), kinds[given]; name == nil || kind == "" {
			i.fail(key, "PrimaryKey needs a Name and a Type: String, Number or Binary")
			return
		}
	}
	props := i.at.Object(
		"AttributeDefinitions", i.at.List(i.at.Object("AttributeName", name, "AttributeType", kind)),
		"KeySchema", i.at.List(i.at.Object("AttributeName", build.Clone(name), "KeyType", "HASH")))
	pass(i.props, props, "PointInTimeRecoverySpecification", "ProvisionedThroughput", "SSESpecification", "TableName")
	if props.Get("ProvisionedThroughput") == nil {
		build.Set(props, "BillingMode", i.at.Node("PAY_PER_REQUEST"))
	}
	if tags := i.tagList("", i.prop("Tags")); len(tags.Items) > 0 {
		build.Set(props, "Tags", tags)
	}
	i.emit(i.id, "AWS::DynamoDB::Table", props)
}
