// Package velocity evaluates API Gateway's mapping templates: the Velocity Template Language 1.7 without macros, over JSON
// values. It is pure, and bounded in steps, loops, depth and output, so that a template can neither hang nor exhaust the
// server.
//
// Values are nil, bool, string, int64, float64, value.Number (as it was written in JSON), *List, *Map and Object, which is
// how the caller offers $input and $util. Lists and maps are references, as in Java: #set and their methods change them.
//
// As in Velocity, a reference without a value stands for its own text ($name), or for nothing if it is quiet ($!name), and
// only null and false are false. A method that does not exist has no value.
package velocity
