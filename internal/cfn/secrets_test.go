package cfn

import (
	"encoding/json"
	"strings"
	"testing"
)

const withSecrets = `
Parameters:
  Kind: {Type: AWS::SSM::Parameter::Value<String>, Default: /given}
  Length: {Type: Number, Default: 20}
Resources:
  Password:
    Type: AWS::SecretsManager::Secret
    Properties:
      Description: of the database
      GenerateSecretString: {SecretStringTemplate: '{"user":"admin"}', GenerateStringKey: password, PasswordLength: !Ref Length, ExcludePunctuation: "true"}
      Tags: [{Key: team, Value: x}]
  Plain: {Type: AWS::SecretsManager::Secret, Properties: {Name: plain, SecretString: v}}
  P: {Type: AWS::SSM::Parameter, Properties: {Name: /made, Type: String, Value: !Ref Kind, Tags: {team: x}}}
  Q:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: '{{resolve:ssm:/given:1}}-{{resolve:secretsmanager:outer:SecretString:name}}'
Outputs:
  Secret: {Value: !Ref Password}
  Same: {Value: !GetAtt Password.Id}
  Value: {Value: !GetAtt P.Value}
`

// value reads a secret's current value.
func (w *world) secretValue(id string) string {
	w.Helper()
	var out struct{ SecretString string }
	if err := json.Unmarshal([]byte(w.must("secretsmanager", "GetSecretValue", "SecretId", id)), &out); err != nil {
		w.Fatal(err)
	}
	return out.SecretString
}

// TestSecrets: a stack makes secrets with passwords of its own and parameters, and reads what was there before it.
func TestSecrets(t *testing.T) {
	w := newWorld(t)
	w.must("ssm", "PutParameter", "Name", "/given", "Type", "String", "Value", "standard")
	w.must("ssm", "PutParameter", "Name", "/given", "Type", "String", "Value", "later", "Overwrite", true)
	w.must("secretsmanager", "CreateSecret", "Name", "outer", "SecretString", `{"name":"queue"}`)
	deploy := func(operation, template string) *Stack {
		t.Helper()
		w.want(w.call(operation, "StackName", "s", "TemplateBody", template), "StackId")
		return w.rest("s")
	}
	st := deploy("CreateStack", withSecrets)
	if st.Status != "CREATE_COMPLETE" {
		t.Fatalf("%s %s", st.Status, st.Reason)
	}
	outputs := map[string]string{}
	for _, o := range st.Outputs {
		outputs[o.OutputKey] = o.OutputValue
	}
	if outputs["Value"] != "later" || outputs["Same"] != outputs["Secret"] || !strings.HasPrefix(outputs["Secret"], "arn:aws:secretsmanager:us-east-1:000000000000:secret:") {
		t.Errorf("outputs %v", outputs)
	}
	w.want(w.must("sqs", "ListQueues"), "/standard-queue")
	w.want(w.must("secretsmanager", "DescribeSecret", "SecretId", outputs["Secret"]), `"Description":"of the database"`, `"Key":"team"`)
	first := w.secretValue(outputs["Secret"])
	var made map[string]string
	if json.Unmarshal([]byte(first), &made) != nil || made["user"] != "admin" || len(made["password"]) != 20 || strings.ContainsAny(made["password"], `!"#$%&'()*+,-./:;<=>?@[\]^_{|}~`) {
		t.Errorf("secret %s", first)
	}
	// A change beside it leaves the password; one of its kind makes a new one.
	deploy("UpdateStack", strings.NewReplacer("of the database", "of it", "Tags: {team: x}", "Tags: {owner: y}").Replace(withSecrets))
	if tags := w.must("ssm", "ListTagsForResource", "ResourceType", "Parameter", "ResourceId", "/made"); tags != `{"TagList":[{"Key":"owner","Value":"y"}]}` {
		t.Errorf("the parameter's tags %s", tags)
	}
	if w.secretValue(outputs["Secret"]) != first {
		t.Error("a new password without need")
	}
	deploy("UpdateStack", strings.NewReplacer("Default: 20", "Default: 24", "SecretString: v}", "SecretString: w}").Replace(withSecrets))
	if got := w.secretValue(outputs["Secret"]); got == first || len(got) != len(first)+4 || w.secretValue("plain") != "w" {
		t.Errorf("after the update %s", got)
	}
	w.call("DeleteStack", "StackName", "s")
	w.rest(st.ID)
	if _, err := w.ask("secretsmanager", "DescribeSecret", "SecretId", "plain"); err == nil {
		t.Error("the secret is still there")
	}
	if _, err := w.ask("ssm", "GetParameter", "Name", "/made"); err == nil {
		t.Error("the parameter is still there")
	}
	w.want(w.call("CreateStack", "StackName", "t", "TemplateBody", strings.Replace(withSecrets, "Default: /given", "Default: /none", 1)), "Unable to fetch parameters [/none] from parameter store for this account.")
}
