// Package sam is the transform AWS::Serverless-2016-10-31: template in, CloudFormation template out.
//
// It is pure. Packages are uploaded before it (internal/project): a CodeUri or DefinitionUri that reaches it names an
// object in S3. Logical ids of generated resources are those that SAM documents (<Function>Role, <Function><Event>,
// <Function><Event>Permission, ServerlessRestApi...), so that Ref and Fn::GetAtt to them resolve; suffixes made of
// hashes depend on the content alone. Properties that both sides know are handed through with their place in the
// text: whether CloudFormation supports them is said where templates are checked (package cfn). What this package
// does not know (resource type, property, event, policy template) is an error with file and line.
//
// An API's routes become AWS::ApiGateway::Resource and Method resources where SAM writes one OpenAPI body; the API, its
// deployment and its stage have SAM's ids.
//
// transform.go walks the resources, function.go, machine.go, api.go and table.go expand one type each, events.go their
// events, role.go makes roles of Policies, connector.go makes policies of connectors. policies.txt and connectors.txt
// are tables of what AWS documents.
package sam
