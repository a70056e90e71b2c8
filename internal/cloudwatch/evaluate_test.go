package cloudwatch

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// samplesOf reads AWS's notation: 0 not breaching, X breaching, - missing; oldest first.
func samplesOf(text string) []sample {
	var out []sample
	for i, f := range strings.Fields(text) {
		out = append(out, sample{at: int64(i * 60), there: f != "-", breaches: f == "X", value: 1, count: 1})
	}
	return out
}

// TestMissingData is the tables of AWS's page "Configuring how CloudWatch alarms treat missing data". "same" is the
// state until then.
func TestMissingData(t *testing.T) {
	const same = "same"
	for _, c := range []struct {
		m                                     int
		points                                string
		missing, ignore, breaching, notBreach string
	}{
		{3, "0 - X - X", stateOK, stateOK, stateOK, stateOK},
		{3, "- - - - 0", stateOK, stateOK, stateOK, stateOK},
		{3, "- - - - -", stateInsufficient, same, stateAlarm, stateOK},
		{3, "0 X X - X", stateAlarm, stateAlarm, stateAlarm, stateAlarm},
		{3, "- - X - -", stateAlarm, same, stateAlarm, stateOK},
		{2, "0 - X - X", stateAlarm, stateAlarm, stateAlarm, stateAlarm},
		{2, "0 0 X 0 X", stateAlarm, stateAlarm, stateAlarm, stateAlarm},
		{2, "0 - X - -", stateOK, stateOK, stateAlarm, stateOK},
		{2, "- - - - 0", stateOK, stateOK, stateAlarm, stateOK},
		{2, "- - - X -", stateAlarm, same, stateAlarm, stateOK},
		// The latest real datapoints count, however many are missing between them.
		{2, "X X 0 - 0", stateOK, stateOK, stateOK, stateOK},
		{3, "X X X 0 0", stateOK, stateOK, stateOK, stateOK},
		// One breaching datapoint that is too young for the datapoints to alarm.
		{3, "- - - - X", stateInsufficient, same, stateAlarm, stateOK},
		{1, "- - - - X", stateAlarm, stateAlarm, stateAlarm, stateAlarm},
	} {
		for treat, want := range map[string]string{"missing": c.missing, "": c.missing, "ignore": c.ignore, "breaching": c.breaching, "notBreaching": c.notBreach} {
			for _, current := range []string{stateOK, stateAlarm, stateInsufficient} {
				r := rule{n: 3, m: c.m, missing: treat}
				expect := want
				if expect == same {
					expect = current
				}
				if got := r.evaluate(samplesOf(c.points), current).state; got != expect {
					t.Errorf("%d of 3, %q, missing data %q, from %s: got %s, want %s", c.m, c.points, treat, current, got, expect)
				}
			}
		}
	}
}

// TestFullData: without missing data only the last N points count, whatever missing data would mean.
func TestFullData(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 5).Draw(t, "n")
		r := rule{n: n, m: rapid.IntRange(1, n).Draw(t, "m"), missing: rapid.SampledFrom([]string{"", "missing", "ignore", "breaching", "notBreaching"}).Draw(t, "missing")}
		var text []string
		for range n + extra {
			text = append(text, rapid.SampledFrom([]string{"0", "X"}).Draw(t, "point"))
		}
		want := stateOK
		if strings.Count(strings.Join(text[extra:], ""), "X") >= r.m {
			want = stateAlarm
		}
		if got := r.evaluate(samplesOf(strings.Join(text, " ")), stateInsufficient).state; got != want {
			t.Fatalf("%d of %d, %v: got %s, want %s", r.m, r.n, text, got, want)
		}
	})
}

func TestReason(t *testing.T) {
	at := []sample{{at: 1_700_000_040, there: true, value: 6, breaches: true}}
	r := &rule{n: 1, m: 1, operator: "GreaterThanOrEqualToThreshold", limit: 5}
	for _, c := range []struct {
		v    verdict
		from string
		want string
	}{
		{verdict{stateAlarm, at, 0}, stateOK, "Threshold Crossed: 1 out of the last 1 datapoints [6.0 (14/11/23 22:14:00)] was greater than or equal to the threshold (5.0) (minimum 1 datapoint for OK -> ALARM transition)."},
		{verdict{stateOK, []sample{{at: 1_700_000_040, there: true, value: 0.5}}, 0}, stateAlarm, "Threshold Crossed: 1 out of the last 1 datapoints [0.5 (14/11/23 22:14:00)] was not greater than or equal to the threshold (5.0) (minimum 1 datapoint for ALARM -> OK transition)."},
		{verdict{stateOK, nil, 1}, stateInsufficient, "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as [NonBreaching]."},
		{verdict{stateAlarm, nil, 2}, stateOK, "Threshold Crossed: no datapoints were received for 2 periods and 2 missing datapoints were treated as [Breaching]."},
		{verdict{stateInsufficient, nil, 1}, stateOK, "Insufficient Data: 1 datapoint was unknown."},
	} {
		if got := r.reason(c.v, c.from); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

// TestAggregate: merging in any grouping gives the statistics of all values; percentiles are exact for few different values
// and within a percent for many.
func TestAggregate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.IntRange(1, rapid.SampledFrom([]int{3, 50, 5000}).Draw(t, "spread")), 1, 400).Draw(t, "values")
		total, part := &aggregate{}, &aggregate{}
		sum, least, most := 0.0, 1e9, 0.0
		for i, v := range list {
			part.add(float64(v))
			sum, least, most = sum+float64(v), min(least, float64(v)), max(most, float64(v))
			if i%7 == 6 || i == len(list)-1 {
				stored, err := decodeAggregate(part.encode())
				if err != nil {
					t.Fatal(err)
				}
				total.merge(stored)
				part = &aggregate{}
			}
		}
		if total.count != float64(len(list)) || total.sum != sum || total.min != least || total.max != most {
			t.Fatalf("got %+v of %v", total, list)
		}
		for _, p := range []float64{0, 50, 90, 99, 100} {
			below := 0
			got, _ := total.statistic(fmt.Sprintf("p%v", p))
			for _, v := range list {
				if float64(v) <= got*step {
					below++
				}
			}
			if float64(below) < p/100*float64(len(list)) || got < least || got > most {
				t.Fatalf("p%v is %v, which %d of %d do not exceed", p, got, below, len(list))
			}
		}
	})
}
