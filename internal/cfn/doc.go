// Package cfn is CloudFormation: template -> graph -> AWS calls, as a service whose work goes on over restarts.
//
// The middle is pure. ParseNode reads YAML or JSON into nodes that know their line and column; Expand carries out
// transforms (macros are functions that the composition root hands in); ParseTree checks the whole template against the
// table of resource types (types.go, rows*.go) and reports everything that is wrong at once; bind decides conditions and
// rules for given parameters (plan.go); functions.go resolves the intrinsic functions. What is not supported (section,
// type, property, member, attribute, function) is an error that names itself, its place and what is supported. prepare
// checks a whole request, nested templates included, before anything is made.
//
// The executor is one run for each stack that has something to do (run.go, work.go). The stored record is authoritative:
// its status says which step is next, its resources what exists. Order of durability:
//
//  1. A request that changes a stack is answered when its templates, settings and status are stored, in one transaction.
//  2. An operation on a resource is announced: its status, its properties and a block of sequence numbers are stored.
//  3. Its calls are made. Each carries its number as aws.Request.Token, so a call that is made again after a crash is
//     answered by the service from what it has kept: nothing is made twice. A service that does not know the token is
//     asked whether the resource is there (adopt). Numbers below the lowest that is under way are forgotten.
//  4. The id that the service gave out, then the end with the attributes, are stored with their events.
//
// Start continues every stack whose status ends in IN_PROGRESS. What was announced is finished before anything new
// begins, before a rollback and before a deletion that was asked for in the middle. Resources are worked on many at a time,
// each after those that it refers to, and deleted in the reverse order; a failure begins nothing new and lets what is
// under way end.
//
// An update keeps what was before (template, settings, replaced resources) until it is complete, so that a rollback can go
// back to it. Nested stacks and custom resources are drivers (nested.go, custom.go): work that is more than calls. A
// nested stack's id is derived from its parent's. It cleans up after its own update, not after its parent's.
//
// All rows of an account's and region's stacks are in one partition (stack.go), so exports, imports and names are checked
// in the transaction that changes them.
package cfn
