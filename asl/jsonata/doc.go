// Package jsonata is the expression language of JSONata states: JSONata 2.0.6 over the engine's ordered values, in the
// dialect of AWS (no $eval; $partition, $range, $hash, $random with a seed, $uuid and $parse added).
//
// Text becomes a tree in one pass (lexer.go, parse.go, paths.go): paths are lists of steps from the start. A second pass
// finds which step each % means (parents.go). The tree is immutable and shared; an evaluation (eval.go, walk.go) holds all
// state of its own, so that evaluations may run concurrently. The package is pure: the time, randomness and limits are
// inputs (Env). Steps, depth and bytes are counted, never the wall clock, so that an evaluation that fails its limits does
// so on every machine and again in every replay. What takes time or memory without evaluating anything (regular
// expressions, comparisons, text that is made) is counted before it begins.
//
// What JSONata calls a sequence is a type of its own, and so are the other kinds of arrays that the language tells apart
// (values.go). Numbers are IEEE doubles in arithmetic; in results they are written as AWS writes them (number.go). Strings
// are UTF-8; where the language shows positions ($match) they count UTF-16 units, as JavaScript does.
//
// Inside an evaluation an error is a panic with *Error that Eval turns into its result: no expression can catch one.
package jsonata
