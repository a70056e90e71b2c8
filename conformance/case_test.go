package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A value is what encoding/json decodes to, with json.Number for numbers.
type value = any

type object = map[string]any

// recorded is one case file.
type recorded struct {
	ID        string
	Area      string
	Status    string
	Trust     string
	SkipPaths []string `json:"skip_paths"`
	MaxWait   float64  `json:"max_wait_seconds"`
	Features  object
	Steps     []object
	Expected  object
	Tokens    []tokenRule
	// The script that uses mocked responses where the recorded one has called real services.
	StepsLocal  []object    `json:"steps_local"`
	TokensLocal []tokenRule `json:"tokens_local"`
	Normalise   struct {
		HistoryOrder  string   `json:"history_order"`
		HistoryPrefix bool     `json:"history_prefix"`
		SortUnder     []string `json:"sort_lists_under"`
	}
}

// tokenRule says what a placeholder in expected stands for.
type tokenRule struct {
	Token   string
	Kind    string // value, bind, bind_loose, pattern, any
	Values  []string
	Pattern string
}

// short is the case's name without its file: "timeouts/TestTimeouts::test_fixed_timeout_lambda".
func (c *recorded) short() string {
	_, name, _ := strings.Cut(c.ID, "::")
	return c.Area + "/" + name
}

// directory finds the recordings, or skips the test aloud.
func directory(t *testing.T) string {
	dir := os.Getenv("NEWEL_CONFORMANCE")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "conformance")
	}
	if _, err := os.Stat(filepath.Join(dir, "cases")); err != nil {
		t.Skipf("SKIPPED: there are no recorded AWS answers at %s; set NEWEL_CONFORMANCE to their directory", dir)
	}
	return dir
}

// load reads the replayable cases of some areas.
func load(t *testing.T, dir string, areas []string) []*recorded {
	var cases []*recorded
	for _, area := range areas {
		files, err := filepath.Glob(filepath.Join(dir, "cases", area, "*.json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c := &recorded{}
			if err := decode(text, c); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if c.Area == "local_mocking" && c.StepsLocal != nil {
				c.Steps = c.StepsLocal
				if c.TokensLocal != nil {
					c.Tokens = c.TokensLocal
				}
			}
			if c.Status == "full" {
				cases = append(cases, c)
			}
		}
	}
	return cases
}

func decode(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(into)
}

func encode(v value) string {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	return strings.TrimSuffix(buf.String(), "\n")
}

// later are the features that a later version brings, by the words that a case's script has when it needs them. The
// reason is printed with the ids of the cases that it leaves out.
var later = []struct{ reason, service, action, text string }{
	{reason: "CloudFormation of a file that the recordings do not hold", text: `"op":"deploy_cfn"`},
}

// excluded says which later feature a case needs, "" if none. A row that names several things means all of them.
func (c *recorded) excluded() string {
	script := encode(c.Steps)
	for _, l := range later {
		calls := func(s object) bool {
			return s["op"] == "call" && (l.service == "" || s["service"] == l.service) && (l.action == "" || s["action"] == l.action)
		}
		if (l.text == "" || strings.Contains(script, l.text)) && (l.service == "" && l.action == "" || slices.ContainsFunc(c.Steps, calls)) {
			return l.reason
		}
	}
	for _, id := range races {
		if strings.Contains(c.ID, id) {
			return "a race within the script: it goes on with the first receive, which may be empty"
		}
	}
	if strings.Contains(c.ID, "TestExpressSync::test_catch") {
		return "its billed duration is the time that a cold start took on AWS"
	}
	if strings.Contains(encode(c.Expected), "Parameter validation failed:") {
		return "refused by the SDK, AWS was not asked"
	}
	return ""
}

// races are the cases whose scripts receive from a queue once, without waiting, while an execution sends to it.
var races = []string{"TestCallback::test_multiple_heartbeat_notifications", "TestCallback::test_multiple_executions_and_heartbeat_notifications",
	"TestCallback::test_sqs_failure_in_wait_for_task_tok_no_error_field"}

var (
	recordedLine = regexp.MustCompile(`handler\.py\\*", line (\d+), in handler\\+n +(raise .+?)\\+n`)
	quotes       = regexp.MustCompile(`\\+"`)
)

// atRecordedLine makes a handler's raise the line that the recorded stack traces show, where they show it: the recorded function
// had no text before its code. Only a docstring and empty lines are left out.
func (c *recorded) atRecordedLine(source string) string {
	m := recordedLine.FindStringSubmatch(encode(c.Expected))
	if m == nil {
		return source
	}
	want, _ := strconv.Atoi(m[1])
	lines := strings.Split(source, "\n")
	raised := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(strings.TrimSpace(l), "raise ") })
	lines[raised] = lines[raised][:strings.Index(lines[raised], "raise ")] + quotes.ReplaceAllString(m[2], `"`)
	for range raised + 1 - want {
		if text := strings.TrimSpace(lines[0]); text != "" && !strings.HasPrefix(text, `"""`) {
			return source
		}
		lines = lines[1:]
	}
	return strings.Join(lines, "\n")
}

// needsDeployment reports whether a case needs CloudFormation or API Gateway, which the gates leave out.
func (c *recorded) needsDeployment() bool {
	script := encode(c.Steps)
	return strings.Contains(script, `"op":"deploy_cfn"`) || strings.Contains(script, "apigateway") || strings.Contains(script, `"service":"cloudformation"`)
}
