package lambda

import (
	"context"
	"testing"

	"github.com/newel-run/newel/internal/aws"
)

func benchmarkInvoke(b *testing.B, runtime string, files map[string]string, program string) {
	needs(b, program)
	w := newWorld(b)
	w.create("f", runtime, "index.handler", files, nil)
	q := &aws.Request{Service: "lambda", Operation: "Invoke", Account: testAccount, Region: testRegion,
		Input: []byte(`{"FunctionName":"f"}`), Body: []byte(`{"OrderId":"001","Price":"12.50","items":[1,2,3]}`)}
	if _, err := w.Call(context.Background(), q); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for b.Loop() {
		if _, err := w.Call(context.Background(), q); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWarmPython(b *testing.B) {
	benchmarkInvoke(b, "python3.12", map[string]string{"index.py": "def handler(event, context):\n    return event\n"}, "python3")
}

func BenchmarkWarmNode(b *testing.B) {
	benchmarkInvoke(b, "nodejs20.x", map[string]string{"index.js": "exports.handler = async (event) => event;"}, "node")
}

func benchmarkCold(b *testing.B, runtime string, files map[string]string, program string) {
	needs(b, program)
	w := newWorld(b)
	w.create("f", runtime, "index.handler", files, nil)
	q := &aws.Request{Service: "lambda", Operation: "Invoke", Account: testAccount, Region: testRegion, Input: []byte(`{"FunctionName":"f"}`)}
	if _, err := w.Call(context.Background(), q); err != nil { // finds the interpreter, unpacks the code
		b.Fatal(err)
	}
	for b.Loop() {
		w.pool.Retire(identity{testAccount, testRegion, "f"}.arn())
		if _, err := w.Call(context.Background(), q); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkColdPython(b *testing.B) {
	benchmarkCold(b, "python3.12", map[string]string{"index.py": "def handler(event, context):\n    return event\n"}, "python3")
}

func BenchmarkColdNode(b *testing.B) {
	benchmarkCold(b, "nodejs20.x", map[string]string{"index.js": "exports.handler = async (event) => event;"}, "node")
}
