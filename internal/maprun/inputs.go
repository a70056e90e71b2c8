package maprun

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
)

// batch is one child's part of the items: one item, or those of a batch.
type batch struct {
	index uint64
	items int64
	input *value.Doc
}

// inputs makes the children's inputs of a source's items, in order. The same items make the same inputs.
type inputs struct {
	d       *driver
	source  items
	label   string // what Map.Item.Source says
	context *value.Object
	// variables are those that ItemSelector may read, nil if there are none.
	variables *value.Object
	item      int64  // index of the next item
	batches   uint64 // index of the next batch
	over      bool   // the source has no more items
	held      []byte // the input of an item that did not fit into the last batch
}

// openInputs opens the run's source at the version that was counted.
func (d *driver) openInputs(ctx context.Context) (*inputs, error) {
	in := &inputs{d: d, label: d.sourceLabel()}
	if d.record.Context != "" {
		v, err := value.Parse([]byte(d.record.Context))
		if err != nil {
			return nil, err
		}
		in.context = v.(*value.Object)
	}
	if d.record.Variables != "" {
		v, err := value.Parse([]byte(d.record.Variables))
		if err != nil {
			return nil, err
		}
		in.variables = v.(*value.Object)
	}
	var err error
	in.source, err = d.open(ctx)
	return in, err
}

func (in *inputs) close() {
	if in != nil && in.source != nil {
		in.source.Close()
	}
}

// next is the next child's input; io.EOF after the last.
func (in *inputs) next() (*batch, error) {
	b := &batch{index: in.batches}
	spec := in.d.Spec.Batch
	if spec == nil {
		text, err := in.nextInput()
		if err != nil {
			return nil, err
		}
		b.items, b.input = 1, value.Text(text)
	} else if err := in.fill(b, spec); err != nil {
		return nil, err
	}
	if b.input.Size() > in.d.m.cfg.PayloadBytes {
		return nil, in.d.tooLarge()
	}
	in.batches++
	return b, nil
}

func (d *driver) tooLarge() error {
	return failed(errDataLimit, "The state/task '%s' returned a result with a size exceeding the maximum number of bytes service limit.", d.State)
}

// fill makes a batch of as many items as may be in it: {"BatchInput":...,"Items":[...]}.
func (in *inputs) fill(b *batch, spec *asl.ItemBatch) error {
	head := []byte(`{"Items":[`)
	if spec.Input != "" {
		head = append(append([]byte(`{"BatchInput":`), spec.Input...), `,"Items":[`...)
	}
	limit := int64(in.d.m.cfg.PayloadBytes)
	if spec.MaxBytes > 0 {
		limit = min(limit, spec.MaxBytes)
	}
	text := head
	for spec.MaxItems == 0 || b.items < spec.MaxItems {
		input, err := in.nextInput()
		if errors.Is(err, io.EOF) && b.items > 0 {
			break
		}
		if err != nil {
			return err
		}
		if b.items > 0 && int64(len(text)+len(input)+len(`,]}`)) > limit {
			in.held = input
			break
		}
		if b.items > 0 {
			text = append(text, ',')
		}
		text = append(text, input...)
		b.items++
	}
	b.input = value.Text(append(text, "]}"...))
	return nil
}

// nextInput is the next item as ItemSelector makes it.
func (in *inputs) nextInput() ([]byte, error) {
	if held := in.held; held != nil {
		in.held = nil
		return held, nil
	}
	if in.over {
		return nil, io.EOF
	}
	it, err := in.source.next()
	if err != nil {
		in.over = errors.Is(err, io.EOF)
		return nil, err
	}
	index := in.item
	in.item++
	if in.context == nil {
		return it, nil
	}
	env := &asl.Env{Input: value.TextString(in.d.record.Input), Now: in.d.m.env.Now(), Random: in.random(index), Variables: in.variable,
		Context: func() *value.Doc { return in.contextOf(index, it) }}
	doc, err := in.d.asl.ItemInput(env, value.Text(it))
	var e *asl.Error
	if errors.As(err, &e) {
		return nil, failed(e.Name, "%s", e.Cause)
	}
	if err != nil {
		return nil, err
	}
	return doc.Bytes(), nil
}

func (in *inputs) variable(name string) (*value.Doc, bool) {
	if in.variables == nil {
		return nil, false
	}
	v, ok := in.variables.Get(name)
	return value.Of(v), ok
}

// contextOf is the context object of an item.
func (in *inputs) contextOf(index int64, it []byte) *value.Doc {
	o := in.context.Clone()
	o.Set("Map", value.NewObject(value.Member{Name: "Item", Value: value.NewObject(
		value.Member{Name: "Index", Value: value.Int(index)},
		value.Member{Name: "Value", Value: value.Text(it).Value()},
		value.Member{Name: "Source", Value: in.label},
	)}))
	return value.Of(o)
}

// random is an item's own generator, so that its input comes out the same again.
func (in *inputs) random(index int64) func() uint64 {
	var g *rand.ChaCha8
	return func() uint64 {
		if g == nil {
			var seed [32]byte
			copy(seed[:], in.d.Secret[:])
			binary.BigEndian.PutUint64(seed[24:], uint64(index))
			g = rand.NewChaCha8(seed)
		}
		return g.Uint64()
	}
}
