package asl_test

import (
	"testing"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
)

const order = `{"orderId": "o-1839", "customer": {"id": 4711, "name": "Ada", "tier": "gold"}, "total": 129.90,
 "items": [{"sku": "A-1", "quantity": 2, "price": 19.95}, {"sku": "B-7", "quantity": 1, "price": 90.00}],
 "address": {"street": "Main Street 1", "city": "Springfield", "zip": "12345"}, "paid": true}`

const orderMachine = `{"StartAt": "Prepare", "States": {
  "Prepare": {"Type": "Pass", "Parameters": {"id.$": "$.orderId", "customer.$": "$.customer.name", "total.$": "$.total",
    "first.$": "$.items[0].sku", "channel": "web", "nested": {"paid.$": "$.paid", "execution.$": "$$.Execution.Name"}}, "Next": "Route"},
  "Route": {"Type": "Choice", "Choices": [
    {"Variable": "$.total", "NumericLessThan": 10, "Next": "Small"},
    {"And": [{"Variable": "$.nested.paid", "BooleanEquals": true}, {"Variable": "$.total", "NumericGreaterThan": 100}], "Next": "Large"}],
    "Default": "Small"},
  "Small": {"Type": "Succeed"}, "Large": {"Type": "Succeed"}}}`

func compileOK(t testing.TB, definition string) *asl.Definition {
	t.Helper()
	d, ds := asl.Compile([]byte(definition), asl.Options{})
	if d == nil {
		t.Fatal(asl.InvalidDefinition(ds))
	}
	return d
}

// BenchmarkStep is one Pass with Parameters and one Choice, from text to text.
func BenchmarkStep(b *testing.B) {
	d := compileOK(b, orderMachine)
	prepare, route := d.StateNamed("Prepare"), d.StateNamed("Route")
	context := value.TextString(`{"Execution":{"Name":"e-1"}}`)
	b.ReportAllocs()
	for b.Loop() {
		raw := value.TextString(order)
		env := &asl.Env{Input: raw, Context: func() *value.Doc { return context }}
		env.Input, _ = prepare.Effective(env)
		result, err := prepare.Arguments(env)
		if err != nil {
			b.Fatal(err)
		}
		out, _ := prepare.Output(env, raw, result)
		if next, err := route.Choose(&asl.Env{Input: out}); err != nil || next.Next.Name != "Large" {
			b.Fatal(next, err)
		}
		if len(out.Bytes()) == 0 {
			b.Fatal("no output")
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		compileOK(b, orderMachine)
	}
}

func BenchmarkDefaultPass(b *testing.B) {
	d := compileOK(b, `{"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}`)
	raw := value.TextString(order)
	b.ReportAllocs()
	for b.Loop() {
		env := &asl.Env{Input: raw}
		in, _ := d.Root.Start.Effective(env)
		result, _ := d.Root.Start.Arguments(&asl.Env{Input: in})
		if out, _ := d.Root.Start.Output(env, raw, result); out != raw {
			b.Fatal("copied")
		}
	}
}
