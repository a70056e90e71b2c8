package cfn

import (
	"strings"
	"testing"
)

const twoResources = `
Resources:
  Second:
    Type: AWS::SQS::Queue
    DependsOn: First
    Properties: {VisibilityTimeout: "5"}
  First: {Type: AWS::SQS::Queue, Properties: {QueueName: one}}
Outputs:
  Url: {Value: !Ref First}
  Name: {Value: !GetAtt Second.QueueName}
`

func TestDeployUpdateDelete(t *testing.T) {
	w, k := &world{things: map[string]bool{}}, &kept{}
	s := newStack()
	if err := deployment(w, s, parse(t, twoResources), k).Deploy(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := s.Find("Second").Name
	if got, want := w.take(), "CreateQueue one\nCreateQueue "+second; got != want {
		t.Errorf("created:\n%s\nwant\n%s", got, want)
	}
	if !strings.HasPrefix(second, "s-Second-") || s.Outputs[0].OutputValue != "http://queues/one" || s.Outputs[1].OutputValue != second {
		t.Errorf("name %s, outputs %v", second, s.Outputs)
	}

	s = k.load(t)
	if err := deployment(w, s, parse(t, twoResources), k).Deploy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.take(); got != "" {
		t.Errorf("the same template again made calls:\n%s", got)
	}

	changed := strings.Replace(twoResources, `VisibilityTimeout: "5"`, "DelaySeconds: 7", 1)
	if err := deployment(w, s, parse(t, changed), k).Deploy(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := `SetQueueAttributes {"QueueUrl":"http://queues/` + second + `","Attributes":{"DelaySeconds":"7","VisibilityTimeout":"30"}}`
	if got := w.take(); got != want {
		t.Errorf("updated:\n%s\nwant\n%s", got, want)
	}

	s = k.load(t)
	if err := deployment(w, s, nil, k).Delete(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := w.take(), "DeleteQueue "+second+"\nDeleteQueue one"; got != want {
		t.Errorf("deleted:\n%s\nwant\n%s", got, want)
	}
	if len(k.load(t).Resources) != 0 {
		t.Error("the record still has resources")
	}
}

func TestReplaceAndRemove(t *testing.T) {
	w, k := &world{things: map[string]bool{}}, &kept{}
	s := newStack()
	table := `
Resources:
  T: {Type: AWS::DynamoDB::Table, Properties: {KeySchema: [{AttributeName: a, KeyType: HASH}], AttributeDefinitions: [{AttributeName: a, AttributeType: S}]}}
  Q: {Type: AWS::SQS::Queue}
`
	if err := deployment(w, s, parse(t, table), k).Deploy(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.take()
	before, queue := s.Find("T").Name, s.Find("Q").Name
	next := strings.Replace(strings.ReplaceAll(table, "AttributeName: a", "AttributeName: b"), "  Q: {Type: AWS::SQS::Queue}\n", "", 1)
	if err := deployment(w, s, parse(t, next), k).Deploy(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := s.Find("T").Name
	if got, want := w.take(), "CreateTable "+after+"\nDeleteQueue "+queue+"\nDeleteTable "+before; before == after || got != want {
		t.Errorf("replaced:\n%s\nwant\n%s", got, want)
	}
	if len(w.things) != 1 {
		t.Errorf("left: %v", w.things)
	}
}

func TestCustomNameIsNotReplaced(t *testing.T) {
	w, k := &world{things: map[string]bool{}}, &kept{}
	s := newStack()
	table := `Resources: {T: {Type: AWS::DynamoDB::Table, Properties: {TableName: t, KeySchema: [{AttributeName: a, KeyType: HASH}], AttributeDefinitions: [{AttributeName: a, AttributeType: S}]}}}`
	if err := deployment(w, s, parse(t, table), k).Deploy(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := deployment(w, s, parse(t, strings.ReplaceAll(table, "AttributeName: a", "AttributeName: b")), k).Deploy(t.Context())
	if err == nil || !strings.Contains(err.Error(), "custom-named resource requires replacing. Rename t") {
		t.Errorf("got %v", err)
	}
}

func TestNothingIsTakenOver(t *testing.T) {
	w, k := &world{things: map[string]bool{"sqs:one": true}}, &kept{}
	s := newStack()
	for range 2 { // the second attempt must not find itself announced
		err := deployment(w, s, parse(t, twoResources), k).Deploy(t.Context())
		if err == nil || err.Error() != "First: one already exists" {
			t.Fatalf("got %v", err)
		}
		k.save(t.Context(), s) //nolint:errcheck // it encodes
		s = k.load(t)
	}
	if err := deployment(w, s, nil, k).Delete(t.Context()); err != nil || !w.things["sqs:one"] {
		t.Errorf("%v: somebody else's queue was deleted", err)
	}
}

// TestResume breaks the connection at every call in turn, as a crash does, and deploys again from the saved record.
func TestResume(t *testing.T) {
	for n := 1; ; n++ {
		w, k := &world{things: map[string]bool{}, failAt: n}, &kept{}
		s := newStack()
		k.save(t.Context(), s) //nolint:errcheck // it encodes
		if err := deployment(w, s, parse(t, twoResources), k).Deploy(t.Context()); err == nil {
			return // more calls than there are
		}
		s = k.load(t)
		if err := deployment(w, s, parse(t, twoResources), k).Deploy(t.Context()); err != nil {
			t.Fatalf("after a failure at call %d: %v", n, err)
		}
		if strings.Count(w.take(), "CreateQueue") != 2 || len(s.Resources) != 2 || s.Resources[0].ID != "First" {
			t.Errorf("after a failure at call %d: %+v", n, s)
		}
		if err := deployment(w, s, nil, k).Delete(t.Context()); err != nil || len(w.things) != 0 {
			t.Errorf("after a failure at call %d: left %v, %v", n, w.things, err)
		}
	}
}

func TestRetain(t *testing.T) {
	w, k := &world{things: map[string]bool{}}, &kept{}
	s := newStack()
	keep := `Resources: {Q: {Type: AWS::SQS::Queue, DeletionPolicy: Retain, Properties: {QueueName: q}}}`
	if err := deployment(w, s, parse(t, keep), k).Deploy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := deployment(w, s, nil, k).Delete(t.Context()); err != nil || !w.things["sqs:q"] || len(s.Resources) != 0 {
		t.Errorf("%v %v %v", err, w.things, s.Resources)
	}
}
