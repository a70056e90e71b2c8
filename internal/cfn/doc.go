// Package cfn deploys CloudFormation templates: template -> graph -> AWS calls.
//
// The middle is pure. Parse reads YAML or JSON into nodes that know their line and column and checks the whole template
// against the table of resource types (types.go, rows.go), reporting everything that is wrong at once; graph.go orders
// the resources by their references; functions.go resolves Ref, Fn::GetAtt, Fn::Sub and Fn::Join; decide (deploy.go)
// compares a resource with what the stack remembers. What is not supported (section, type, property, attribute,
// function) is an error that names itself, its place and what is supported.
//
// The executor (deploy.go) is thin: for one resource after the other it makes the calls of its type's row over any
// aws.Caller. The stack's record is authoritative for what exists and is written around every effect: first that a
// resource is about to be made, under which name; then that it was made. A deployment that a crash cut short is
// therefore continued by deploying again: a resource that the record announces and that is already there is adopted,
// one that the record does not know is never taken over.
//
// Stacks are kept by the service "cloudformation" (service.go) in the account's and region's partition of the store.
// A failed deployment stops where it failed (status CREATE_FAILED or UPDATE_FAILED, as AWS does with rollback disabled);
// rolling back is not implemented.
package cfn
