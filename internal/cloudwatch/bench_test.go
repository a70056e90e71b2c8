package cloudwatch

import (
	"log/slog"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store/memory"
)

// BenchmarkAdd is what an emission costs the service that emits.
func BenchmarkAdd(b *testing.B) {
	s := New(&service.Env{Store: memory.New(memory.Options{}), Log: slog.New(slog.DiscardHandler), Now: time.Now}, Config{})
	now := time.Now()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			s.Add("000000000000", "us-east-1", "AWS/Lambda", "Invocations", "Count", 1, now, "FunctionName", "f")
		}
	})
}
