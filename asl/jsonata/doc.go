// Package jsonata is the expression language of JSONata states: JSONata 2.0.6 over the engine's ordered values, in the
// dialect of AWS (no $eval; $partition, $range, $hash, $random with a seed, $uuid and $parse added).
//
// An Expr is immutable and shared; an evaluation holds all state of its own, so that evaluations may run concurrently.
// The package is pure: the time, randomness and limits are inputs (Env). Steps, depth and bytes are counted, never the
// wall clock, so that an evaluation that fails its limits does so on every machine and again in every replay.
//
// Numbers are IEEE doubles in arithmetic. Literals and numbers of the input keep their digits as long as they are only
// passed on. Strings are UTF-8; where the language shows positions ($match) they count UTF-16 units, as JavaScript does.
//
// Inside an evaluation an error is a panic with *Error that Eval turns into its result: no expression can catch one.
package jsonata
