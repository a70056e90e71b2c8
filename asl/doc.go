// Package asl is the Amazon States Language: it decodes, validates and compiles definitions and evaluates the fields of
// their states. It is pure: no clock, no I/O, no randomness of its own; what changes comes in through Env.
//
// Compile is the only maker of a Definition. It reads the text into nodes with positions (source.go, yaml.go), checks
// everything and reports all that is wrong at once in AWS's codes and words (compile.go, states.go, choice.go, retry.go,
// resource.go; the tables of fields in fields.go), links the states (graph.go), and leaves immutable values that are
// shared by all executions. Later stages therefore trust a Definition: a case that validation has closed panics.
//
// What is authoritative for wording: recorded AWS answers first, then what AWS's documentation and users' reports quote.
// A message of our own stands only where none is known.
//
// Data flow is behind the small interface flow, one implementation a query language. JSONPath's (flow_jsonpath.go) works
// on texts: a state with default paths hands its document on as it came; a template renders to text; a plain path is
// followed in the text. Decoding happens where a wildcard, filter or function needs values. JSONata, variables and
// distributed Map are recognised and refused by name.
//
// Every error of an evaluation is an *Error with AWS's error name. States.Runtime ends the execution; the others can be
// retried and caught.
package asl
