package cfn

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

var rewrite = flag.Bool("rewrite", false, "write what the conversations say now")

// TestConversations plays the archives of testdata: the comment is a script, files are templates, "want" is what was
// said. Commands:
//
//	create NAME FILE [K=V...]   CreateStack, and wait; -disable-rollback and -on-failure=X are options
//	update NAME FILE [K=V...]   UpdateStack, and wait
//	delete NAME                 DeleteStack, and wait
//	events NAME                 what happened to each resource, in order
//	outputs NAME, exports, validate FILE
//	call OPERATION K=V...       any operation
//	put FILE                    the file into the bucket "templates"
//	fail OPERATION MESSAGE      from here on; no message: no more
//	queue NAME                  some of its attributes
//	there                       what there is in the services
func TestConversations(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(err, files)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c := &conversation{world: newWorld(t), files: map[string]string{}}
			for _, f := range a.Files {
				c.files[f.Name] = string(f.Data)
			}
			for _, line := range strings.Split(strings.TrimSpace(string(a.Comment)), "\n") {
				if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
					fmt.Fprintf(&c.out, "> %s\n", line)
					c.do(strings.Fields(line))
				}
			}
			got := clean(c.out.String())
			if !*rewrite {
				if got != c.files["want"] {
					t.Errorf("got\n%s", got)
				}
				return
			}
			a.Files = append(slices.DeleteFunc(a.Files, func(f txtar.File) bool { return f.Name == "want" }), txtar.File{Name: "want", Data: []byte(got)})
			if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}

var (
	madeUp = regexp.MustCompile(`-[0-9A-F]{12}`)
	anUUID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	aTime  = regexp.MustCompile(`"(CreationTime|LastUpdatedTime|LastUpdatedTimestamp|Timestamp)":[0-9.e+]+`)
)

func clean(s string) string {
	return aTime.ReplaceAllString(madeUp.ReplaceAllString(anUUID.ReplaceAllString(s, "UUID"), "-ID"), `"$1":T`)
}

type conversation struct {
	*world
	files map[string]string
	out   bytes.Buffer
}

func (c *conversation) say(format string, args ...any) { fmt.Fprintf(&c.out, format+"\n", args...) }

func (c *conversation) do(f []string) {
	switch f[0] {
	case "create":
		c.deploy("CreateStack", f[1:])
	case "update":
		c.deploy("UpdateStack", f[1:])
	case "delete":
		st := c.rest(f[1])
		c.say("%s", c.call("DeleteStack", "StackName", f[1]))
		if st != nil {
			c.state(c.rest(st.ID))
		}
	case "events":
		c.events(f[1])
	case "outputs":
		for _, o := range c.rest(f[1]).Outputs {
			c.say("%s = %s", o.OutputKey, o.OutputValue)
		}
	case "exports":
		c.say("%s", c.call("ListExports"))
	case "validate":
		c.say("%s", c.call("ValidateTemplate", "TemplateBody", c.files[f[1]]))
	case "put":
		c.put("templates", f[1], c.files[f[1]])
	case "fail":
		c.fail(f[1], strings.Join(f[2:], " "))
	case "there":
		c.there()
	case "queue":
		out := c.must("sqs", "GetQueueAttributes", "QueueUrl", "http://here/"+account+"/"+f[1], "AttributeNames", []string{"DelaySeconds", "VisibilityTimeout"})
		c.say("%s", out)
	case "call":
		var members []any
		for _, m := range f[2:] {
			k, v, _ := strings.Cut(m, "=")
			members = append(members, k, c.value(v))
		}
		c.say("%s", c.call(f[1], members...))
		for _, m := range f[2:] {
			if name, ok := strings.CutPrefix(m, "StackName="); ok && c.rest(name) != nil {
				c.state(c.rest(name))
			}
		}
	default:
		c.Fatalf("no command %s", f[0])
	}
}

// value is a file's text, JSON, or text.
func (c *conversation) value(s string) any {
	if text, ok := c.files[s]; ok {
		return text
	}
	var v any
	if json.Unmarshal([]byte(s), &v) == nil {
		return v
	}
	return s
}

func (c *conversation) deploy(operation string, f []string) {
	in := []any{"StackName", f[0], "Capabilities", []string{"CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"}, "TemplateBody", c.files[f[1]]}
	var pairs []string
	for _, p := range f[2:] {
		switch k, v, _ := strings.Cut(p, "="); k {
		case "-disable-rollback":
			in = append(in, "DisableRollback", true)
		case "-on-failure":
			in = append(in, "OnFailure", v)
		default:
			pairs = append(pairs, k, v)
		}
	}
	out := c.call(operation, append(in, "Parameters", append([]map[string]string{}, parameter(pairs...)...))...)
	if !strings.HasPrefix(out, "{") {
		c.say("%s", out)
		return
	}
	var made struct{ StackId string } //nolint:revive // the API's name
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		c.Fatal(err)
	}
	c.state(c.rest(made.StackId))
}

func (c *conversation) state(st *Stack) {
	c.say("%s %s", st.Status, st.Reason)
	for _, r := range shownResources(st) {
		c.say("  %s %s %s", r.ID, r.Status, strings.TrimSpace(r.Ref+" "+r.Reason))
	}
}

func (c *conversation) events(name string) {
	var out struct {
		StackEvents []struct{ LogicalResourceId, ResourceStatus, ResourceStatusReason string }
	} //nolint:revive // the API's names
	if err := json.Unmarshal([]byte(c.call("DescribeStackEvents", "StackName", name)), &out); err != nil {
		c.Fatal(err)
	}
	by := map[string][]string{}
	var ids []string
	for _, e := range slices.Backward(out.StackEvents) {
		if by[e.LogicalResourceId] == nil {
			ids = append(ids, e.LogicalResourceId)
		}
		by[e.LogicalResourceId] = append(by[e.LogicalResourceId], strings.TrimSpace(e.ResourceStatus+" "+e.ResourceStatusReason))
	}
	slices.Sort(ids)
	for _, id := range ids {
		c.say("%s\n    %s", id, strings.Join(by[id], "\n    "))
	}
}

// there lists what the services have.
func (c *conversation) there() {
	for _, l := range []struct{ service, operation string }{{"sqs", "ListQueues"}, {"sns", "ListTopics"}, {"dynamodb", "ListTables"}, {"iam", "ListRoles"}, {"logs", "DescribeLogGroups"}} {
		out := c.must(l.service, l.operation)
		for _, name := range regexp.MustCompile(`"(?:http:[^"]*/|)([A-Za-z0-9_./-]+)"`).FindAllStringSubmatch(out, -1) {
			if (l.operation == "ListQueues" || l.operation == "ListTables") && name[1] != "TableNames" && name[1] != "QueueUrls" {
				c.say("  %s %s", l.service, name[1])
			}
		}
		if n := strings.Count(out, "TopicArn") + strings.Count(out, "RoleName") + strings.Count(out, `"logGroupName"`); n > 0 {
			c.say("  %s: %d", l.service, n)
		}
	}
}
