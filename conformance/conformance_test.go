package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/node"
)

// areas are the ones that this version answers for.
var areas = []string{"activities", "api_activities", "api_aliases", "api_crud", "api_express", "api_logs", "api_map_run", "api_tags", "api_validation",
	"api_versions", "api_variable_references", "apigateway_to_sfn", "assign", "base", "callback", "choice_operators", "comments", "context_object",
	"credentials", "error_handling", "evaluate_jsonata", "express", "intrinsic_functions", "legacy_asserts", "local_mocking", "logs", "outputdecl", "query_language",
	"scenarios", "services", "states_variables", "test_state", "timeouts"}

// strict leaves out only the HTTP headers that a service happened to send AWS.
var strict = []string{"$..SdkHttpMetadata", "$..SdkResponseMetadata"}

// knownDifferences are the cases that differ, with the heading in docs/conformance.md that says why.
func knownDifferences(t *testing.T) map[string]bool {
	text, err := os.ReadFile("../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if id, ok := strings.CutPrefix(strings.TrimSpace(line), "- `"); ok {
			if end := strings.Index(id, "`"); end > 0 {
				known[id[:end]] = true
			}
		}
	}
	return known
}

// TestConformance replays the recorded answers. A case that differs must stand in docs/conformance.md with its reason,
// and one that stands there must still differ. Cases whose waits are longer than NEWEL_CONFORMANCE_WAIT (default 1m)
// are counted as left out.
func TestConformance(t *testing.T) {
	dir := directory(t)
	longest := time.Minute
	if text := os.Getenv("NEWEL_CONFORMANCE_WAIT"); text != "" {
		var err error
		if longest, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	n, err := node.Start(t.Context(), node.Config{Listen: "127.0.0.1:0", Memory: true, Data: t.TempDir(), CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close(context.Background())
	known := knownDifferences(t)
	excluded := map[string][]string{}
	var cases []*recorded
	for _, c := range load(t, dir, areas) {
		reason := c.excluded()
		if reason == "" && c.MaxWait > longest.Seconds() {
			reason = "waits longer than " + longest.String()
		}
		if reason != "" {
			excluded[reason] = append(excluded[reason], c.short())
			continue
		}
		cases = append(cases, c)
	}
	results := play(t, cases, func(c *recorded) result {
		r := newReplay(c, dir, n.Caller(), longest+30*time.Second)
		r.base = n.URL()
		skip := strict
		if close := r.mocked(t); close != nil {
			defer close()
			skip = slices.Concat(strict, c.SkipPaths) // a mocked response has not all that the recorded, real one had
		}
		if err := r.run(t.Context()); err != nil {
			failed := []difference{{"script", "played to its end", err.Error()}}
			return result{failed, failed}
		}
		return result{r.differences(skip), r.differences(c.SkipPaths)}
	})
	var all, gated figures
	for i, c := range cases {
		all.count(results[i])
		if !c.needsDeployment() {
			gated.count(results[i])
		}
		t.Run(c.short(), func(t *testing.T) {
			judge(t, results[i].strict, known[c.short()])
			if len(results[i].honoured) > 0 {
				t.Log("differs with skip paths honoured too")
			}
		})
	}
	fmt.Printf("conformance: %s\n", all)
	fmt.Printf("conformance: without CloudFormation and API Gateway: %s\n", gated)
	for _, reason := range slices.Sorted(maps.Keys(excluded)) {
		fmt.Printf("conformance: left out, %s: %s\n", reason, strings.Join(excluded[reason], ", "))
	}
	if gated.strict*100 < gated.cases*95 || gated.honoured*100 < gated.cases*98 {
		t.Errorf("%s: the gates are 95 %% and 98 %%", gated)
	}
}

// result is what differs in a case: strictly, and without the paths that LocalStack leaves out of its comparison.
type result struct{ strict, honoured []difference }

type figures struct{ cases, strict, honoured int }

func (f *figures) count(r result) {
	f.cases++
	if len(r.strict) == 0 {
		f.strict++
	}
	if len(r.honoured) == 0 {
		f.honoured++
	}
}

func (f figures) String() string {
	return fmt.Sprintf("of %d cases %d agree with AWS strictly, %d with skip paths honoured", f.cases, f.strict, f.honoured)
}

// play plays the cases side by side: most of them wait most of the time.
func play(t *testing.T, cases []*recorded, one func(*recorded) result) []result {
	results := make([]result, len(cases))
	gate := make(chan struct{}, 8)
	var wg sync.WaitGroup
	for i, c := range cases {
		gate <- struct{}{}
		wg.Go(func() {
			defer func() { <-gate }()
			results[i] = one(c)
		})
	}
	wg.Wait()
	return results
}

// judge fails a case that differs without a reason, and one that has a reason and agrees.
func judge(t *testing.T, differences []difference, known bool) {
	if len(differences) == 0 {
		if known {
			t.Errorf("agrees with AWS now: take it out of docs/conformance.md")
		}
		return
	}
	for i, d := range differences {
		if i < 4 {
			t.Logf("%s\n  AWS   %s\n  Newel %s", d.path, d.expected, d.have)
		}
	}
	if !known {
		t.Errorf("differs from AWS and docs/conformance.md does not say why")
	}
}

// TestComparator checks the judge itself on answers that agree and that do not.
func TestComparator(t *testing.T) {
	c := &recorded{Expected: object{"k": object{"arn": "arn:<p>:x:<name>", "again": "<name>", "when": "datetime", "n": json.Number("1"), "doc": object{"a": json.Number("1")}}},
		Tokens: []tokenRule{{Token: "<p>", Kind: "pattern", Pattern: "aws[a-z-]*"}, {Token: "<name>", Kind: "bind"}}}
	resolve := func(string) (string, bool) { return "", false }
	good := object{"arn": "arn:aws:x:joe", "again": "joe", "when": json.Number("12.5"), "n": json.Number("1.0"), "doc": `{"a":1}`}
	if d := newComparator(c, nil, resolve).compare("k", good); len(d) != 0 {
		t.Errorf("an equal answer: %v", d)
	}
	for _, change := range []object{{"again": "jim"}, {"arn": "arn:gcp:x:joe"}, {"n": json.Number("2")}, {"doc": `{"a":2}`}, {"more": true}, {"doc": nil}} {
		bad := maps.Clone(good)
		maps.Copy(bad, change)
		if d := newComparator(c, nil, resolve).compare("k", bad); len(d) == 0 {
			t.Errorf("a difference was not seen: %v", change)
		}
	}
}
