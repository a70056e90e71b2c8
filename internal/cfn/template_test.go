package cfn

import (
	"strings"
	"testing"

	"github.com/newel-run/newel/asl/value"
)

// TestProblems checks that everything wrong is found at once, with its place and what is supported.
func TestProblems(t *testing.T) {
	_, err := Parse("t.yaml", []byte(`AWSTemplateFormatVersion : 2010-09-09
Mappings: {}
Parameters:
  P: {Type: List}
Resources:
  A:
    Type: AWS::S3::Bucket
  B:
    Type: AWS::SQS::Queue
    Condition: X
    Properties:
      Fifo: true
  C:
    Type: AWS::IAM::Role
`))
	want := []string{
		`t.yaml:2:1: template section "Mappings" is not supported; supported: AWSTemplateFormatVersion,`,
		`t.yaml:4:3: parameter P: type "List" is not supported; supported: String, Number, CommaDelimitedList`,
		`t.yaml:6:3: resource A: type "AWS::S3::Bucket" is not supported; supported: AWS::DynamoDB::Table,`,
		`t.yaml:10:5: resource attribute "Condition" is not supported`,
		`t.yaml:12:7: resource B: property "Fifo" of AWS::SQS::Queue is not supported; supported: QueueName,`,
		`t.yaml:13:3: resource C: property AssumeRolePolicyDocument of AWS::IAM::Role is required`,
	}
	got := strings.Split(err.Error(), "\n")
	if len(got) != len(want) {
		t.Fatalf("got\n%s", err)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("got  %s\nwant %s", got[i], want[i])
		}
	}
}

func TestReferenceProblems(t *testing.T) {
	for text, want := range map[string]string{
		`!Ref Nobody`:          `"Nobody" is no parameter or resource of the template`,
		`!Ref AWS::Nothing`:    `pseudo parameter AWS::Nothing is not supported`,
		`!GetAtt Q.Colour`:     `attribute "Colour" of Q (AWS::SQS::Queue) is not supported; supported: Arn, QueueName, QueueUrl`,
		`!GetAtt Q`:            `Fn::GetAtt needs a resource and an attribute`,
		`!Sub "${Q.Arn}${No}"`: `Fn::Sub: "No" is no parameter or resource`,
		`!Select [0, [a]]`:     `function Fn::Select is not supported; supported: Ref, Fn::GetAtt, Fn::Sub, Fn::Join`,
		`!Join [a]`:            `Fn::Join needs a delimiter and a list`,
	} {
		_, err := Parse("t", []byte("Resources: {Q: {Type: AWS::SQS::Queue}}\nOutputs:\n  O: {Value: "+text+"}\n"))
		if err == nil || !strings.HasPrefix(err.Error(), "t:3:14: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

func TestResolve(t *testing.T) {
	s := &Scope{
		Account: "123456789012", Region: "cn-north-1", StackName: "s", Parameters: map[string]value.Value{"P": "five", "L": value.Array{"a", "b"}},
		Resource: func(id string) (string, map[string]string, bool) {
			return "ref-" + id, map[string]string{"Arn": "arn-" + id}, id == "R"
		},
	}
	for text, want := range map[string]string{
		`!Ref R`:           `"ref-R"`,
		`{"Ref": "P"}`:     `"five"`,
		`!GetAtt [R, Arn]`: `"arn-R"`,
		`!Sub "${R}/${R.Arn}/${P}/${AWS::AccountId}/${!P}/$LATEST"`:   `"ref-R/arn-R/five/123456789012/${P}/$LATEST"`,
		`Fn::Sub: ["${X}-${P}", {X: !Ref R}]`:                         `"ref-R-five"`,
		`!Join [":", [a, !Ref P, 7]]`:                                 `"a:five:7"`,
		`!Join ["-", !Ref L]`:                                         `"a-b"`,
		`{a: !Ref AWS::NoValue, b: [!Ref "AWS::NoValue", 1]}`:         `{"b":[1]}`,
		`!Sub "${AWS::Partition} ${AWS::URLSuffix} ${AWS::Region}"`:   `"aws-cn amazonaws.com.cn cn-north-1"`,
		`[2010-09-09, 007, 1.50, true, yes, ~, 12345678901234567890]`: `["2010-09-09","007",1.50,true,"yes",null,12345678901234567890]`,
		"{\n\t\"a\":\t\"\\ud83d\\ude00\\/\"}":                         `{"a":"😀/"}`,
	} {
		v, err := resolve(t, s, text)
		if got := string(value.Append(nil, v)); err != nil || got != want {
			t.Errorf("%s: got %s, %v; want %s", text, got, err, want)
		}
	}
	if _, err := resolve(t, s, `!GetAtt R.Name`); err == nil {
		t.Error("an attribute that is not there resolves")
	}
}

func TestOrder(t *testing.T) {
	tmpl := parse(t, `
Resources:
  C: {Type: AWS::SQS::Queue, Properties: {QueueName: !Sub "${B.QueueName}-c"}}
  A: {Type: AWS::SQS::Queue}
  B: {Type: AWS::SQS::Queue, DependsOn: [D]}
  D: {Type: AWS::SQS::Queue}
`)
	var ids []string
	for _, r := range tmpl.Resources {
		ids = append(ids, r.ID)
	}
	if got := strings.Join(ids, " "); got != "D B C A" {
		t.Errorf("got %s", got)
	}
	_, err := Parse("t", []byte("Resources:\n  X: {Type: AWS::SQS::Queue, DependsOn: Y}\n  Y: {Type: AWS::SQS::Queue, Properties: {QueueName: !Ref X}}\n"))
	if err == nil || !strings.Contains(err.Error(), "circular dependency between resources: X -> Y -> X") {
		t.Errorf("got %v", err)
	}
}

func TestDefinition(t *testing.T) {
	i := &Instance{Properties: object(t, `{"Definition": {"States": {"B": {"Type":"Pass","End":true}, "A": 1}, "StartAt": "${x}${y}$LATEST"}, "DefinitionSubstitutions": {"x": "1"}}`)}
	got, err := definition(i)
	if want := `{"StartAt":"1${y}$LATEST","States":{"A":1,"B":{"End":true,"Type":"Pass"}}}`; got != want || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestNames(t *testing.T) {
	long := strings.Repeat("x", 200)
	for _, c := range []struct{ stack, id string }{{"s", "i"}, {long, "i"}, {"s", long}, {long, long}} {
		a := generatedName(function, c.stack, "1", c.id)
		if len(a) > 64 || a != generatedName(function, c.stack, "1", c.id) || a == generatedName(function, c.stack, "2", c.id) {
			t.Errorf("%s (%d)", a, len(a))
		}
	}
}

func TestDigest(t *testing.T) {
	a, b := object(t, `{"a":1,"b":{"c":2,"d":3}}`), object(t, `{"b":{"d":3,"c":2},"a":1}`)
	if digestText(a) != digestText(b) {
		t.Error("the order of members matters")
	}
	a.Set("code", strings.Repeat("x", 5000))
	if text := digestText(a); len(text) > 200 || text != digestText(digest(a)) {
		t.Errorf("got %s", text)
	}
}

func object(t *testing.T, text string) *value.Object {
	t.Helper()
	v, err := value.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v.(*value.Object)
}

func FuzzParse(f *testing.F) {
	f.Add(twoResources)
	f.Add(`{"Resources":{"A":{"Type":"AWS::SQS::Queue","Properties":{"QueueName":{"Fn::Sub":["${a}",{"a":{"Ref":"A"}}]}}}}}`)
	f.Add("a: &a [1]\nb: *a\n<<: *a")
	f.Fuzz(func(t *testing.T, text string) {
		if tmpl, err := Parse("t", []byte(text)); err == nil {
			if _, err := Parse("t", tmpl.Text()); err != nil {
				t.Errorf("its own JSON form is refused: %v", err)
			}
		}
	})
}
