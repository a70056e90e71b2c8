package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// tally notes each time that it is called for an item, and takes its time.
const tally = `
import os, time

def handler(event, context):
    with open(os.path.join(event["marks"], "tally"), "a") as f:
        f.write("%d\n" % event["n"])
    time.sleep(0.02)
    return {"n": event["n"]}
`

// TestKillInMapRun kills the server with -9 in the middle of a map run, again and again. The run goes on by itself; its
// results are whole and in order; only what was in flight at a kill runs again.
func TestKillInMapRun(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("SKIPPED: python3 is not here")
	}
	for _, kind := range []string{"STANDARD", "EXPRESS"} {
		t.Run(kind, func(t *testing.T) { killInMapRun(t, kind) })
	}
}

func killInMapRun(t *testing.T, kind string) {
	const items, concurrency, kills = 150, 4, 3
	s := newServer(t, "--limit", "lambda-workers=4")
	s.start()
	marks := t.TempDir()
	createFunction(t, s, "tally", tally)
	var list []map[string]any
	for i := range items {
		list = append(list, map[string]any{"n": i, "marks": marks})
	}
	content, _ := json.Marshal(list)
	s.s3(t, "PUT", "/items", nil)
	s.s3(t, "PUT", "/items/list.json", content)
	definition := `{"StartAt":"M","States":{"M":{"Type":"Map","MaxConcurrency":4,"End":true,
		"ItemReader":{"Resource":"arn:aws:states:::s3:getObject","ReaderConfig":{"InputType":"JSON"},"Parameters":{"Bucket":"items","Key":"list.json"}},
		"ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"items","Prefix":"/log"}},
		"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"` + kind + `"},"StartAt":"T","States":{"T":{"Type":"Task","End":true,
			"Resource":"arn:aws:states:::lambda:invoke","Parameters":{"FunctionName":"tally","Payload.$":"$"},"OutputPath":"$.Payload"}}}}}}`
	var machine struct{ StateMachineArn string }
	if err := s.states("CreateStateMachine", map[string]any{"name": "m", "definition": definition, "roleArn": "arn:aws:iam::000000000000:role/r"}, &machine); err != nil {
		t.Fatal(err)
	}
	var e struct{ ExecutionArn string }
	if err := s.states("StartExecution", map[string]any{"stateMachineArn": machine.StateMachineArn, "name": "e"}, &e); err != nil {
		t.Fatal(err)
	}
	for range kills {
		time.Sleep(time.Duration(100+rand.IntN(400)) * time.Millisecond) // a random moment: what the test is about
		s.kill()
		s.start()
	}
	var d struct{ Status, Output, Error, Cause string }
	for deadline := time.Now().Add(2 * time.Minute); d.Status != "SUCCEEDED"; time.Sleep(10 * time.Millisecond) {
		if err := s.states("DescribeExecution", map[string]any{"executionArn": e.ExecutionArn}, &d); err != nil {
			t.Fatal(err)
		}
		if d.Status != "RUNNING" && d.Status != "SUCCEEDED" || time.Now().After(deadline) {
			t.Fatalf("%s: %s %s", d.Status, d.Error, d.Cause)
		}
	}
	checkResults(t, s, d.Output, items)
	lines, err := os.ReadFile(marks + "/tally")
	if err != nil {
		t.Fatal(err)
	}
	if repeated := bytes.Count(lines, []byte("\n")) - items; repeated < 0 || repeated > kills*concurrency {
		t.Errorf("%d items ran again, and at most %d were in flight", repeated, kills*concurrency)
	}
}

// checkResults checks the files of a run whose children answer {"n":i}.
func checkResults(t *testing.T, s *server, output string, items int) {
	t.Helper()
	var out struct {
		MapRunArn           string
		ResultWriterDetails struct{ Bucket, Key string }
	}
	if err := json.Unmarshal([]byte(output), &out); err != nil {
		t.Fatal(err)
	}
	if key := out.ResultWriterDetails.Key; !strings.HasPrefix(key, "/log/") || !strings.HasSuffix(key, "/manifest.json") {
		t.Errorf("manifest %s", key)
	}
	var manifest struct {
		ResultFiles struct {
			FAILED, PENDING, SUCCEEDED []struct {
				Key  string
				Size int
			}
		}
	}
	if err := json.Unmarshal(s.s3(t, "GET", "/items/"+out.ResultWriterDetails.Key, nil), &manifest); err != nil {
		t.Fatal(err)
	}
	files := manifest.ResultFiles
	if len(files.SUCCEEDED) != 1 || len(files.FAILED)+len(files.PENDING) != 0 {
		t.Fatalf("files %+v", files)
	}
	content := s.s3(t, "GET", "/items/"+files.SUCCEEDED[0].Key, nil)
	var entries []struct{ Output, Status string }
	if err := json.Unmarshal(content, &entries); err != nil || len(content) != files.SUCCEEDED[0].Size || len(entries) != items {
		t.Fatalf("%d entries in %d bytes, %d in the manifest: %v", len(entries), len(content), files.SUCCEEDED[0].Size, err)
	}
	for i, entry := range entries {
		if strings.ReplaceAll(entry.Output, " ", "") != fmt.Sprintf(`{"n":%d}`, i) || entry.Status != "SUCCEEDED" {
			t.Errorf("result %d: %+v", i, entry)
		}
	}
	var run struct {
		Status          string
		ExecutionCounts map[string]int
	}
	if err := s.states("DescribeMapRun", map[string]any{"mapRunArn": out.MapRunArn}, &run); err != nil {
		t.Fatal(err)
	}
	if run.Status != "SUCCEEDED" || run.ExecutionCounts["succeeded"] != items || run.ExecutionCounts["total"] != items {
		t.Errorf("run %+v", run)
	}
}

// s3 makes a call of S3 by path.
func (s *server) s3(t *testing.T, method, path string, body []byte) []byte {
	t.Helper()
	req, err := http.NewRequest(method, "http://"+s.listen+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20240101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %s %s %v", method, path, resp.Status, answer, err)
	}
	return answer
}
