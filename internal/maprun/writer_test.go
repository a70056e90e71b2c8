package maprun_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/machine"
)

func TestResultFiles(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t)
			w.task = func(_ context.Context, in *value.Doc) engine.Outcome {
				if itemOf(t, in) == 1 {
					return failedTask("E", "C")
				}
				return succeeded(fmt.Sprintf(`{"n":%d}`, itemOf(t, in)))
			}
			d := w.end(w.start(distributed(kind, `"ToleratedFailureCount":1,"ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"b","Prefix":"/log"}},`), numbers(3)))
			var out struct {
				MapRunArn           string
				ResultWriterDetails struct{ Bucket, Key string }
			}
			if err := json.Unmarshal(d.Output.Bytes(), &out); err != nil {
				t.Fatal(err)
			}
			uuid := out.MapRunArn[strings.LastIndex(out.MapRunArn, ":")+1:]
			folder := "/log/" + uuid + "/"
			if want := []string{folder + "FAILED_0.json", folder + "SUCCEEDED_0.json", folder + "manifest.json"}; !slices.Equal(w.s3.keys(), want) {
				t.Errorf("files %v", w.s3.keys())
			}
			if out.ResultWriterDetails.Bucket != "b" || out.ResultWriterDetails.Key != folder+"manifest.json" {
				t.Errorf("output %v", out)
			}
			good, bad := w.s3.get(folder+"SUCCEEDED_0.json"), w.s3.get(folder+"FAILED_0.json")
			want := fmt.Sprintf(`{"DestinationBucket":"b","MapRunArn":"%s","ResultFiles":{"FAILED":[{"Key":"%sFAILED_0.json","Size":%d}],"PENDING":[],"SUCCEEDED":[{"Key":"%sSUCCEEDED_0.json","Size":%d}]}}`,
				out.MapRunArn, folder, len(bad), folder, len(good))
			if got := w.s3.get(folder + "manifest.json"); got != want {
				t.Errorf("manifest %s\nwant %s", got, want)
			}
			var entries []map[string]any
			if err := json.Unmarshal([]byte(good), &entries); err != nil || len(entries) != 2 {
				t.Fatal(err, good)
			}
			e := entries[1]
			if e["Input"] != "2" || e["Output"] != `{"n":2}` || e["Status"] != "SUCCEEDED" || !strings.HasSuffix(e["ExecutionArn"].(string), w.tail(kind, e)) {
				t.Errorf("entry %v", e)
			}
			entries = nil
			if err := json.Unmarshal([]byte(bad), &entries); err != nil || len(entries) != 1 || entries[0]["Error"] != "E" || entries[0]["Cause"] != "C" || entries[0]["Output"] != nil {
				t.Error(err, bad)
			}
		})
	}
}

// tail is what an entry's ARN ends in.
func (w *world) tail(kind string, entry map[string]any) string {
	if kind == "STANDARD" {
		return ":execution:m/L:" + entry["Name"].(string)
	}
	return ""
}

func TestTransformations(t *testing.T) {
	for _, c := range []struct{ config, output, want string }{
		{`{"WriterConfig":{"Transformation":"COMPACT","OutputType":"JSON"}}`, `[ 1 ]`, `[[1],[1]]`},
		{`{"WriterConfig":{"Transformation":"FLATTEN","OutputType":"JSON"}}`, `[1, 2]`, `[1,2,1,2]`},
		{`{"WriterConfig":{"Transformation":"FLATTEN","OutputType":"JSON"}}`, `[]`, `[]`},
		{`{"WriterConfig":{"Transformation":"FLATTEN","OutputType":"JSON"}}`, `{"a":1}`, `[{"a":1},{"a":1}]`},
	} {
		w := newWorld(t)
		w.task = func(context.Context, *value.Doc) engine.Outcome { return succeeded(c.output) }
		wantOutput(t, w.end(w.start(distributed("STANDARD", `"ResultWriter":`+c.config+`,`), `[1,2]`)), c.want)
	}
	w := newWorld(t)
	d := w.end(w.start(distributed("STANDARD", `"ResultWriter":{"WriterConfig":{"Transformation":"NONE","OutputType":"JSON"}},`), `[1]`))
	var entries []map[string]any
	if err := json.Unmarshal(d.Output.Bytes(), &entries); err != nil || len(entries) != 1 || entries[0]["Output"] != `{"item":1}` {
		t.Error(err, d.Output)
	}
	w = newWorld(t)
	w.task = func(context.Context, *value.Doc) engine.Outcome { return succeeded(`[1, 2]`) }
	w.end(w.start(distributed("EXPRESS", `"ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"b"},"WriterConfig":{"Transformation":"FLATTEN","OutputType":"JSONL"}},`), `[1,2]`))
	file := w.s3.keys()[0]
	if got := w.s3.get(file); !strings.HasSuffix(file, "/SUCCEEDED_0.jsonl") || got != "1\n2\n1\n2\n" {
		t.Errorf("%s: %q", file, got)
	}
}

// TestPendingFile writes what was never started.
func TestPendingFile(t *testing.T) {
	w := newWorld(t)
	w.task = func(context.Context, *value.Doc) engine.Outcome { return failedTask("E", "C") }
	e := w.start(distributed("EXPRESS", `"MaxConcurrency":1,"ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"b","Prefix":"p/"}},`), numbers(3))
	wantFailure(t, w.end(e), "States.ExceedToleratedFailureThreshold", "")
	var pending []struct{ Input, Status string }
	for _, key := range w.s3.keys() {
		if strings.HasSuffix(key, "PENDING_0.json") {
			if err := json.Unmarshal([]byte(w.s3.get(key)), &pending); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(pending) != 2 || pending[0].Input != "1" || pending[1].Input != "2" || pending[0].Status != "PENDING" {
		t.Errorf("pending %v in %v", pending, w.s3.keys())
	}
}

func TestWriterThatFails(t *testing.T) {
	w := newWorld(t)
	w.s3.refuse = true
	d := w.end(w.start(distributed("STANDARD", `"ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"b"}},`), numbers(3)))
	wantFailure(t, d, "States.ResultWriterFailed", "The specified bucket does not exist")
	if d.Root.Status() == machine.Succeeded {
		t.Error("results were lost")
	}
}
