package s3_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/s3"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store/pebble"
)

func benched(b *testing.B) *s3.Service {
	st, err := pebble.Open(b.TempDir(), pebble.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	s := s3.New(&service.Env{Store: st, Now: time.Now, Log: slog.New(slog.DiscardHandler)}, s3.Config{Dir: b.TempDir(), Wanted: func(_, _, _, _ string) bool { return false }})
	if err := s.Start(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close(); _ = st.Close() })
	if _, err := s.Call(context.Background(), &aws.Request{Operation: "CreateBucket", Account: "1", Region: "us-east-1", Input: []byte(`{"Bucket":"bench"}`)}); err != nil {
		b.Fatal(err)
	}
	return s
}

// BenchmarkPutObject puts durable objects of 1 KiB, 64 at a time.
func BenchmarkPutObject(b *testing.B) {
	s := benched(b)
	body := []byte(strings.Repeat("x", 1024))
	var n atomic.Int64
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			in := fmt.Appendf(nil, `{"Bucket":"bench","Key":"k%d"}`, n.Add(1))
			if _, err := s.Call(context.Background(), &aws.Request{Operation: "PutObject", Account: "1", Region: "us-east-1", Input: in, Body: body}); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkList reads a page of 1,000 from the middle of 20,000 keys.
func BenchmarkList(b *testing.B) {
	s := benched(b)
	for i := range 20_000 {
		in := fmt.Appendf(nil, `{"Bucket":"bench","Key":"k%06d"}`, i)
		if _, err := s.Call(context.Background(), &aws.Request{Operation: "PutObject", Account: "1", Region: "us-east-1", Input: in}); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	for b.Loop() {
		if _, err := s.Call(context.Background(), &aws.Request{Operation: "ListObjectsV2", Input: []byte(`{"Bucket":"bench","StartAfter":"k010000"}`)}); err != nil {
			b.Fatal(err)
		}
	}
}
