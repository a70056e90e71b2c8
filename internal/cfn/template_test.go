package cfn

import (
	"strings"
	"testing"

	"github.com/newel-run/newel/asl/value"
)

func TestResolve(t *testing.T) {
	mappings, err := ParseNode("m", []byte(`{M: {five: {b: [1, x]}}}`))
	if err != nil {
		t.Fatal(err)
	}
	s := &Scope{
		Account: "123456789012", Region: "cn-north-1", StackName: "s", Parameters: map[string]value.Value{"P": "five", "L": value.Array{"a", "b"}},
		Mappings: mappings, Conditions: map[string]bool{"Yes": true, "No": false}, Import: func(name string) (string, error) { return "imported-" + name, nil },
		Resource: func(id string) (string, map[string]string, bool) {
			return "ref-" + id, map[string]string{"Arn": "arn-" + id}, id == "R"
		},
	}
	for text, want := range map[string]string{
		`!Ref R`:           `"ref-R"`,
		`{"Ref": "P"}`:     `"five"`,
		`!GetAtt [R, Arn]`: `"arn-R"`,
		`!Sub "${R}/${R.Arn}/${P}/${AWS::AccountId}/${!P}/$LATEST"`:   `"ref-R/arn-R/five/123456789012/${P}/$LATEST"`,
		`!Select [1, !Split ["-", "a-b-c"]]`:                          `"b"`,
		`!Base64 hello`:                                               `"aGVsbG8="`,
		`!Cidr ["10.0.0.0/16", 3, 8]`:                                 `["10.0.0.0/24","10.0.1.0/24","10.0.2.0/24"]`,
		`!Cidr ["2001:db8::/56", 2, 64]`:                              `["2001:db8::/64","2001:db8:0:1::/64"]`,
		`!Select [0, !GetAZs ""]`:                                     `"cn-north-1a"`,
		`!FindInMap [M, !Ref P, b]`:                                   `[1,"x"]`,
		`!If [Yes, 1, !Ref AWS::NoValue]`:                             `1`,
		`{a: !If [No, 1, !Ref "AWS::NoValue"]}`:                       `{}`,
		`!Equals ["1", 1]`:                                            `true`,
		`!Not [!Or [!Condition No, !Equals [!Ref P, six]]]`:           `true`,
		`!And [!Condition Yes, {Condition: No}]`:                      `false`,
		`!Join ["", [!ImportValue out]]`:                              `"imported-out"`,
		`Fn::ToJsonString: {a: [1, !Ref P]}`:                          `"{\"a\":[1,\"five\"]}"`,
		`Fn::Length: !Ref L`:                                          `2`,
		"{a: &x {b: 1}, c: {<<: *x, d: 2}, e: *x}":                    `{"a":{"b":1},"c":{"d":2,"b":1},"e":{"b":1}}`,
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
	if err == nil || !strings.Contains(err.Error(), "Circular dependency between resources: [X -> Y -> X]") {
		t.Errorf("got %v", err)
	}
}

func TestDefinition(t *testing.T) {
	i := &Instance{Properties: parsedObject(t, `{"Definition": {"States": {"B": {"Type":"Pass","End":true}, "A": 1}, "StartAt": "${x}${y}$LATEST"}, "DefinitionSubstitutions": {"x": "1"}}`)}
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
	a, b := parsedObject(t, `{"a":1,"b":{"c":2,"d":3}}`), parsedObject(t, `{"b":{"d":3,"c":2},"a":1}`)
	if digestText(a) != digestText(b) {
		t.Error("the order of members matters")
	}
	a.Set("code", strings.Repeat("x", 5000))
	if text := digestText(a); len(text) > 200 || text != digestText(digest(a)) {
		t.Errorf("got %s", text)
	}
}

func parsedObject(t *testing.T, text string) *value.Object {
	t.Helper()
	v, err := value.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v.(*value.Object)
}

func FuzzParse(f *testing.F) {
	f.Add("Resources: {A: {Type: AWS::SQS::Queue}, B: {Type: AWS::SQS::Queue, DependsOn: A}}")
	f.Add(`{"Conditions":{"C":{"Fn::Not":[{"Condition":"D"}]},"D":{"Fn::Equals":[1,2]}},"Resources":{"A":{"Type":"AWS::SNS::Topic","Properties":{"DisplayName":{"Fn::If":["C","x",{"Ref":"AWS::NoValue"}]}}}}}`)
	f.Add(`{"Resources":{"A":{"Type":"AWS::SQS::Queue","Properties":{"QueueName":{"Fn::Sub":["${a}",{"a":{"Ref":"A"}}]}}}}}`)
	f.Add("a: &a [1]\nb: *a\n<<: *a")
	f.Fuzz(func(t *testing.T, text string) {
		if tmpl, err := Parse("t", []byte(text)); err == nil {
			tmpl.bind(nil, Scope{}) //nolint:errcheck // it must not panic
			if _, err := Parse("t", tmpl.Text()); err != nil {
				t.Errorf("its own JSON form is refused: %v", err)
			}
		}
	})
}

func TestTemplateLocation(t *testing.T) {
	for text, want := range map[string]Location{
		"https://b.s3.amazonaws.com/a/k.yaml":                {Bucket: "b", Key: "a/k.yaml"},
		"https://b.s3.eu-west-1.amazonaws.com/k":             {Bucket: "b", Key: "k"},
		"https://b.s3-eu-west-1.amazonaws.com/k?versionId=v": {Bucket: "b", Key: "k", Version: "v"},
		"https://b.s3.dualstack.eu-west-1.amazonaws.com/k":   {Bucket: "b", Key: "k"},
		"https://b.c.s3.cn-north-1.amazonaws.com.cn/k%20l":   {Bucket: "b.c", Key: "k l"},
		"https://s3.amazonaws.com/b/a/k":                     {Bucket: "b", Key: "a/k"},
		"https://s3.eu-west-1.amazonaws.com/b/k":             {Bucket: "b", Key: "k"},
		"https://s3-eu-west-1.amazonaws.com/b/k":             {Bucket: "b", Key: "k"},
		"http://127.0.0.1:4566/b/k":                          {Bucket: "b", Key: "k"},
		"http://localhost:4566/b/k":                          {Bucket: "b", Key: "k"},
		"http://b.s3.localhost:4566/k":                       {Bucket: "b", Key: "k"},
		"http://s3.localhost.localstack.cloud:4566/b/k":      {Bucket: "b", Key: "k"},
		"s3://b/k": {}, "https://example.com/b/k": {}, "k.yaml": {}, "https://b.s3.amazonaws.com/": {}, "https://s3.amazonaws.com/b": {},
	} {
		got, err := templateLocation(text)
		if got != want || (err == nil) != (want.Bucket != "") {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
	}
}
