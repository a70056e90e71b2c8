package node

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
)

// BenchmarkEffects runs executions of ten sqs:sendMessage each, 128 at a time, in process: everything but HTTP. NEWEL_BENCH_DIR
// names the folder for the data; on a file system in memory it shows what the work costs without the disk.
func BenchmarkEffects(b *testing.B) {
	dir, err := os.MkdirTemp(os.Getenv("NEWEL_BENCH_DIR"), "newel-bench-")
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(dir)
	n, err := Start(b.Context(), Config{Listen: "127.0.0.1:0", Data: dir, CacheDir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer n.Close(context.Background())
	call := func(name, operation string, in map[string]any) (out map[string]any) {
		input, _ := json.Marshal(in)
		answer, err := n.Caller().Call(b.Context(), &aws.Request{Service: name, Operation: operation, Account: "000000000000", Region: "us-east-1", Input: input})
		if err != nil {
			b.Error(err)
			return nil
		}
		text, _ := service.Marshal(answer.Value)
		if err := json.Unmarshal(text, &out); err != nil {
			b.Error(err)
		}
		return out
	}
	queue := call("sqs", "CreateQueue", map[string]any{"QueueName": "effects"})["QueueUrl"]
	var states []string
	for i := range 10 {
		next := `"End":true`
		if i < 9 {
			next = fmt.Sprintf(`"Next":"S%d"`, i+1)
		}
		states = append(states, fmt.Sprintf(`"S%d":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage","ResultPath":null,"Parameters":{"QueueUrl":%q,"MessageBody":"x"},%s}`, i, queue, next))
	}
	machine := call("states", "CreateStateMachine", map[string]any{"name": "effects", "roleArn": "arn:aws:iam::000000000000:role/r",
		"definition": `{"StartAt":"S0","States":{` + strings.Join(states, ",") + `}}`})["stateMachineArn"]
	var left atomic.Int64
	left.Store(int64(b.N))
	var clients sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	cpu := cpuSeconds()
	for range 128 {
		clients.Go(func() {
			for left.Add(-1) >= 0 {
				arn := call("states", "StartExecution", map[string]any{"stateMachineArn": machine})["executionArn"]
				for call("states", "DescribeExecution", map[string]any{"executionArn": arn})["status"] == "RUNNING" {
					time.Sleep(20 * time.Millisecond) // as a client does
				}
			}
		})
	}
	clients.Wait()
	b.ReportMetric((cpuSeconds()-cpu)*1000/float64(b.N), "cpu-ms/op")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "executions/s")
}

// BenchmarkExpress runs synchronous Express executions of ten Pass states in process, one after the other: everything but
// HTTP.
func BenchmarkExpress(b *testing.B) {
	n, err := Start(b.Context(), Config{Listen: "127.0.0.1:0", Memory: true, CacheDir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer n.Close(context.Background())
	call := func(operation string, input []byte) []byte {
		answer, err := n.Caller().Call(b.Context(), &aws.Request{Service: "states", Operation: operation, Account: "000000000000", Region: "us-east-1", Input: input})
		if err != nil {
			b.Fatal(err)
		}
		text, err := service.Marshal(answer.Value)
		if err != nil {
			b.Fatal(err)
		}
		return text
	}
	var states []string
	for i := range 10 {
		next := `"End":true`
		if i < 9 {
			next = fmt.Sprintf(`"Next":"S%d"`, i+1)
		}
		states = append(states, fmt.Sprintf(`"S%d":{"Type":"Pass",%s}`, i, next))
	}
	definition, _ := json.Marshal(`{"StartAt":"S0","States":{` + strings.Join(states, ",") + `}}`)
	call("CreateStateMachine", fmt.Appendf(nil, `{"name":"express","type":"EXPRESS","roleArn":"arn:aws:iam::000000000000:role/r","definition":%s}`, definition))
	input := []byte(`{"stateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:express","input":"{\"order\":{\"id\":12345,\"items\":[1,2,3]}}"}`)
	b.ReportAllocs()
	for b.Loop() {
		if out := call("StartSyncExecution", input); !strings.Contains(string(out), "SUCCEEDED") {
			b.Fatalf("%s", out)
		}
	}
}
