package maprun

import (
	"errors"
	"io"
	"strings"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
)

// What a run does with its items before it starts anything, for TestState.

// ItemsIn are the items of a file that an ItemReader would read; of a listing of objects, the elements of a JSON array. The
// error is an *asl.Error.
func ItemsIn(r *asl.ItemReader, file string) ([]*value.Doc, error) {
	if r.Action == "listObjectsV2" {
		r = &asl.ItemReader{InputType: "JSON", MaxItems: r.MaxItems}
	}
	source, err := itemsOf(r, io.NopCloser(strings.NewReader(file)))
	if err != nil {
		return nil, stateError(err)
	}
	if r.MaxItems > 0 {
		source = &firstItems{source, r.MaxItems}
	}
	docs := []*value.Doc{}
	for {
		it, err := source.next()
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return nil, stateError(err)
		}
		docs = append(docs, value.Text(it))
	}
}

// Batches are the inputs that an ItemBatcher makes of the items' inputs. The error is an *asl.Error.
func (m *Runs) Batches(spec *asl.ItemBatch, docs []*value.Doc) ([]*value.Doc, error) {
	run := &driver{m: m, state: &state{record: record{Spec: asl.MapRun{Batch: spec}}}}
	in := &inputs{d: run, source: &stateItems{docs}}
	batches := []*value.Doc{}
	for {
		b, err := in.next()
		if errors.Is(err, io.EOF) {
			return batches, nil
		}
		if err != nil {
			return nil, stateError(err)
		}
		batches = append(batches, b.input)
	}
}

func stateError(err error) error {
	var f *failure
	if errors.As(err, &f) {
		return &asl.Error{Name: f.name, Cause: f.cause}
	}
	return &asl.Error{Name: asl.ErrorRuntime, Cause: err.Error()}
}
