package asl

import "github.com/newel-run/newel/asl/value"

// Stage is a point on a state's way from its input to its output, named as TestState's inspection data names it.
type Stage string

// The stages. AfterArguments is JSONata's; StageResult is what the state's work gave.
const (
	AfterInputPath      Stage = "afterInputPath"
	AfterParameters     Stage = "afterParameters"
	AfterArguments      Stage = "afterArguments"
	AfterItemsPath      Stage = "afterItemsPath"
	AfterItemsPointer   Stage = "afterItemsPointer"
	AfterItemSelector   Stage = "afterItemSelector"
	AfterItemBatcher    Stage = "afterItemBatcher"
	StageResult         Stage = "result"
	AfterResultSelector Stage = "afterResultSelector"
	AfterResultPath     Stage = "afterResultPath"
)

// passed tells whoever watches what the document is at a stage.
func (e *Env) passed(s Stage, doc *value.Doc) {
	if e.Trace != nil {
		e.Trace(s, doc)
	}
}

// Tolerated reports which of its tolerated failures a Map gives: it fails of too many failed iterations only by those.
func (s *State) Tolerated() (count, percentage bool) {
	d := s.Map.distributed
	return d != nil && d.toleratedCount.given(), d != nil && d.toleratedPercentage.given()
}

// WritesResults reports whether a Map's results go to S3, so that its result is the place where they are.
func (s *State) WritesResults() bool {
	return s.Map.distributed != nil && s.Map.distributed.destination != nil
}
