package machine

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkPass runs ten Pass states in one step, history events included; the figure is for one transition.
func BenchmarkPass(b *testing.B) {
	var states []string
	for i := range 9 {
		states = append(states, fmt.Sprintf(`"S%d":{"Type":"Pass","Next":"S%d"}`, i, i+1))
	}
	states = append(states, `"S9":{"Type":"Pass","End":true}`)
	def := compile(b, `{"StartAt":"S0","States":{`+strings.Join(states, ",")+`}}`)
	ev := startEvent(epoch, `{"hello":"world"}`)
	none := func(Key) Piece { return nil }
	b.ReportAllocs()
	for b.Loop() {
		if res := Step(def, none, ev, Limits{}); res.Status != Succeeded || len(res.History) != 22 {
			b.Fatal("it did not succeed")
		}
	}
	b.ReportMetric(10*float64(b.N)/b.Elapsed().Seconds(), "passes/s")
}

// BenchmarkPassStored is BenchmarkPass with the stored forms of state and history.
func BenchmarkPassStored(b *testing.B) {
	var states []string
	for i := range 9 {
		states = append(states, fmt.Sprintf(`"S%d":{"Type":"Pass","Next":"S%d"}`, i, i+1))
	}
	states = append(states, `"S9":{"Type":"Pass","End":true}`)
	def := compile(b, `{"StartAt":"S0","States":{`+strings.Join(states, ",")+`}}`)
	ev := startEvent(epoch, `{"hello":"world"}`)
	none := func(Key) Piece { return nil }
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		res := Step(def, none, ev, Limits{})
		buf = AppendHistory(buf[:0], res.History)
		for _, c := range res.Changes {
			if c.Piece != nil {
				buf = c.Piece.Append(buf)
			}
		}
	}
	b.ReportMetric(10*float64(b.N)/b.Elapsed().Seconds(), "passes/s")
}

// BenchmarkMap6000 runs a Map over 6,000 items, each an iteration with one Pass, as the engine does: step by step, from
// pieces that the last step left.
func BenchmarkMap6000(b *testing.B) {
	benchmarkMap(b, 6000)
}

// BenchmarkMap600 stands beside BenchmarkMap6000: an iteration costs the same in either.
func BenchmarkMap600(b *testing.B) {
	benchmarkMap(b, 600)
}

func benchmarkMap(b *testing.B, items int) {
	def := compile(b, `{"StartAt":"M","States":{"M":{"Type":"Map","ItemProcessor":{"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}},"End":true}}}`)
	ev := startEvent(epoch, "["+strings.Repeat(`{"k":"0123456789"},`, items-1)+"0]")
	b.ReportAllocs()
	for b.Loop() {
		pieces := map[Key]Piece{}
		next := ev
		for {
			res := Step(def, func(k Key) Piece { return pieces[k] }, next, Limits{})
			for _, c := range res.Changes {
				if c.Piece == nil {
					delete(pieces, c.Key)
					continue
				}
				pieces[c.Key] = c.Piece
			}
			if !res.More {
				if res.Status != Succeeded {
					b.Fatal(*pieces[Key{Kind: KindRoot}].(*Root).Cause())
				}
				break
			}
			next = Event{Kind: Continue, Now: epoch}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(items), "ns/iteration")
}
