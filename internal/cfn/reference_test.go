package cfn

import (
	"os"
	"strings"
	"testing"

	"github.com/newel-run/newel/internal/aws"
)

// TestReference keeps docs/cloudformation.md as the table says; -rewrite writes it.
func TestReference(t *testing.T) {
	const file, begin = "../../docs/cloudformation.md", "<!-- the rest is written by go test ./internal/cfn -run TestReference -rewrite -->\n"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, tail, ok := strings.Cut(string(text), begin)
	if !ok {
		t.Fatalf("%s lacks %s", file, begin)
	}
	want := "\n" + Reference()
	if *rewrite {
		if err := os.WriteFile(file, []byte(head+begin+want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if tail != want {
		t.Errorf("%s is not what the table of types says; run this test with -rewrite", file)
	}
}

// TestCalls makes every call of every type against the API's models: operations and members must be there. The values
// are made up, so only those complaints count that no value could avoid.
func TestCalls(t *testing.T) {
	for _, kind := range types() {
		if kind.Drive != nil {
			continue
		}
		t.Run(kind.Name, func(t *testing.T) {
			i := &Instance{Account: account, Region: region, ID: "X", Name: "name", Ref: "arn:aws:x:us-east-1:000000000000:a:b:1", Properties: parsed([]byte(`{}`)),
				Attributes: map[string]string{"Arn": "arn"}}
			calls := kind.calls(t, i)
			for _, c := range calls {
				model, ok := aws.Model(c.Service)
				if !ok || model.Operations[c.Operation] == nil {
					t.Errorf("no operation %s:%s", c.Service, c.Operation)
					continue
				}
				for name := range c.Input.All() {
					if memberOf(model.Operations[c.Operation].Input, name) == nil {
						t.Errorf("%s:%s has no member %s", c.Service, c.Operation, name)
					}
				}
			}
		})
	}
}

// calls are those that a type makes for an instance that has every property, and for its update from one that has none.
func (t *Type) calls(tt *testing.T, i *Instance) []Call {
	full := *i
	full.Properties = object()
	for _, p := range t.Properties {
		full.Properties.Set(p.Name, "1")
	}
	for name, text := range map[string]string{
		"Code": `{"S3Bucket":"b","S3Key":"k"}`, "Targets": `[{"Id":"1"}]`, "Integration": `{"Type":"AWS","IntegrationResponses":[{"StatusCode":"200"}]}`,
		"MethodResponses": `[{"StatusCode":"200"}]`, "Subscription": `[{"Protocol":"sqs","Endpoint":"e"}]`, "NotificationConfiguration": `{"QueueConfigurations":[{"Event":"e","Queue":"q"}]}`,
		"GlobalSecondaryIndexes": `[{"IndexName":"i"}]`,
		"Policies":               `[{"PolicyName":"p","PolicyDocument":{}}]`, "ManagedPolicyArns": `["a"]`, "Roles": `["r"]`, "Users": `["u"]`, "Groups": `["g"]`,
		"Queues": `["q"]`, "Topics": `["t"]`, "RoutingConfig": `{"AdditionalVersionWeights":[{"FunctionVersion":"1","FunctionWeight":0.5}]}`,
	} {
		if t.property(name) != nil {
			full.Properties.Set(name, parsed([]byte(`{"v":`+text+`}`)).At(0).Value)
		}
	}
	if t.property("Tags") != nil {
		full.Properties.Set("Tags", parsed([]byte(`{"v":[{"Key":"k","Value":"v"}]}`)).At(0).Value)
	}
	for _, name := range []string{"DefinitionString", "DefinitionS3Location"} {
		full.Properties.Delete(name)
	}
	var out []Call
	add := func(calls []Call, err error) {
		if err != nil {
			tt.Error(err)
		}
		out = append(out, calls...)
	}
	if t.Create != nil {
		add(t.Create(&full))
	}
	if t.After != nil {
		add(t.After(&full))
	}
	if t.Read != nil {
		add([]Call{t.Read(&full)}, nil)
	}
	if t.Update != nil {
		add(t.Update(&full, i))
		if t != stateMachine && t != function && t != topic { // they refuse to be without
			add(t.Update(i, &full))
		}
	}
	if t.Delete != nil {
		add(t.Delete(&full), nil)
	}
	return out
}
