// Package conformance replays recorded conversations with AWS against this server and compares the answers strictly. The
// recordings are not part of the project: NEWEL_CONFORMANCE names their directory, ../shared/conformance beside the
// checkout is the default, and without them the test says so and skips. Their README defines the script language
// (replay_test.go), the comparison (compare_test.go) and the tokens that stand for values which differ each time.
// docs/conformance.md lists the differences that remain, with their reasons.
package conformance
