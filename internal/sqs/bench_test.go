package sqs

import (
	"fmt"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/store/memory"
)

// A receive must cost the same whether the queue holds ten messages or a hundred thousand.
func BenchmarkReceive(b *testing.B) {
	for _, n := range []int{10, 1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := &world{t: b, store: memory.New(memory.Options{Partitions: 1})}
			w.s = New(testEnv(w.store, time.Now))
			url := w.create("q", object{"VisibilityTimeout": "0"})
			for range n {
				w.sendBody(url, "message")
			}
			r := request("ReceiveMessage", object{"QueueUrl": url, "MaxNumberOfMessages": 10})
			for b.Loop() {
				if _, err := w.s.Call(b.Context(), r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSendReceiveDelete(b *testing.B) {
	w := &world{t: b, store: memory.New(memory.Options{Partitions: 1})}
	w.s = New(testEnv(w.store, time.Now))
	url := w.create("q", nil)
	for b.Loop() {
		w.sendBody(url, "message")
		m := w.receive(url, nil)[0]
		w.do("DeleteMessage", object{"QueueUrl": url, "ReceiptHandle": m["ReceiptHandle"]})
	}
}
