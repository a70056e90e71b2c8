package cfn

import (
	"strings"
	"testing"
)

const restartTemplate = `
Parameters: {Delay: {Type: Number, Default: 1}}
Resources:
  K: {Type: AWS::KMS::Key, Properties: {Description: !Ref Delay}}
  Q: {Type: AWS::SQS::Queue, Properties: {QueueName: q, DelaySeconds: !Ref Delay}}
  R: {Type: AWS::SQS::Queue, Properties: {QueueName: !Sub "r-${Q.QueueName}-${Delay}"}}
  S: {Type: AWS::SecretsManager::Secret, Properties: {KmsKeyId: !Ref K, Description: !Ref Delay, GenerateSecretString: {}}}
  E:
    Type: AWS::Events::Connection
    Properties: {Description: !Ref Delay, KmsKeyIdentifier: !Ref K, AuthorizationType: BASIC, AuthParameters: {BasicAuthParameters: {Username: u, Password: p}}}
  C:
    Type: AWS::CloudFormation::Stack
    DependsOn: R
    Properties: {TemplateURL: "https://templates.s3.amazonaws.com/child.yaml", Parameters: {Delay: !Ref Delay}}
`

const restartChild = `
Parameters: {Delay: {Type: Number}}
Resources: {I: {Type: AWS::SQS::Queue, Properties: {QueueName: inner, DelaySeconds: !Ref Delay}}}
`

// TestRestart loses the process at every call in turn, before and after the call has had its effect, in a creation, an
// update and a deletion: after the restart the work goes on by itself, makes nothing twice and leaves nothing behind.
func TestRestart(t *testing.T) {
	for _, effect := range []bool{false, true} {
		for n, more := 0, true; more; n++ {
			w := newWorld(t)
			w.put("templates", "child.yaml", restartChild)
			more = false
			again := func(operation string, members ...any) {
				w.service.Close()
				w.boot(n)
				w.effect = effect
				w.call(operation, members...)
				st, _ := w.service.load(t.Context(), account, region, "s")
				rested := make(chan struct{})
				go func() {
					defer close(rested)
					if st != nil {
						w.service.await(t.Context(), account, region, st.ID) //nolint:errcheck // it ends with the process
					}
				}()
				select {
				case <-w.lost:
					more = true
				case <-rested:
				}
				w.service.Close()
				<-rested
				w.boot(-1)
			}
			again("CreateStack", "StackName", "s", "TemplateBody", restartTemplate)
			st := w.rest("s")
			w.check(n, st, "CREATE_COMPLETE", "q", "r-q-1", "inner")
			again("UpdateStack", "StackName", "s", "TemplateBody", restartTemplate, "Parameters", parameter("Delay", "2"))
			st = w.rest("s")
			w.check(n, st, "UPDATE_COMPLETE", "q", "r-q-2", "inner")
			id := st.ID
			again("DeleteStack", "StackName", "s")
			w.check(n, w.rest(id), "DELETE_COMPLETE")
			if t.Failed() {
				t.Fatalf("the process was lost at call %d, after its effect: %v", n, effect)
			}
		}
	}
}

func (w *world) check(n int, st *Stack, status string, queues ...string) {
	w.Helper()
	if st == nil || st.Status != status {
		w.Errorf("call %d: got %+v, want %s", n, st, status)
		return
	}
	out := w.must("sqs", "ListQueues")
	if strings.Count(out, "http://") != len(queues) {
		w.Errorf("call %d, %s: queues %s, want %v", n, status, out, queues)
	}
	for _, q := range queues {
		w.want(out, "/"+q+`"`)
	}
	keys := strings.Count(w.must("kms", "ListKeys"), "KeyId")
	if keys != 1 {
		w.Errorf("call %d, %s: %d keys", n, status, keys)
	}
	secrets := strings.Count(w.must("secretsmanager", "ListSecrets"), "ARN")
	if want := min(2, len(queues)); secrets != want {
		w.Errorf("call %d, %s: %d secrets, want %d", n, status, secrets, want)
	}
	if made := strings.Count(w.must("events", "ListConnections"), `"AUTHORIZED"`); made != min(1, len(queues)) {
		w.Errorf("call %d, %s: %d connections", n, status, made)
	}
	w.service.blocks.mu.Lock()
	defer w.service.blocks.mu.Unlock()
	if left := w.service.blocks.live[source(st)]; len(left) > 0 {
		w.Errorf("call %d: sequence numbers %v are never released", n, left)
	}
}

// TestCancel deletes a stack while it is being made, and takes an update back.
func TestCancel(t *testing.T) {
	w := newWorld(t)
	held, release := w.hold("CreateTopic")
	w.call("CreateStack", "StackName", "s", "TemplateBody", `Resources: {T: {Type: AWS::SNS::Topic}, Q: {Type: AWS::SQS::Queue, DependsOn: T}}`)
	<-held
	w.want(w.call("UpdateStack", "StackName", "s", "TemplateBody", `Resources: {T: {Type: AWS::SNS::Topic}}`), "is in CREATE_IN_PROGRESS state and can not be updated.")
	id := w.rested("s")
	w.want(w.call("DeleteStack", "StackName", "s"), "{}")
	release()
	if st := w.rest(id); st.Status != "DELETE_COMPLETE" || len(st.Resources) != 1 {
		t.Errorf("got %+v", st)
	}
	w.call("CreateStack", "StackName", "s", "TemplateBody", `Resources: {Q: {Type: AWS::SQS::Queue}}`)
	w.rest("s")
	held, release = w.hold("CreateTopic")
	w.call("UpdateStack", "StackName", "s", "TemplateBody", `Resources: {Q: {Type: AWS::SQS::Queue}, T: {Type: AWS::SNS::Topic}, P: {Type: AWS::SQS::Queue, DependsOn: T}}`)
	<-held
	w.want(w.call("CancelUpdateStack", "StackName", "s"), "{}")
	release()
	if st := w.rest("s"); st.Status != "UPDATE_ROLLBACK_COMPLETE" || len(st.Resources) != 1 || strings.Contains(w.must("sns", "ListTopics"), "TopicArn") {
		t.Errorf("got %+v", st)
	}
}

// rested is a stack's id.
func (w *world) rested(name string) string {
	st, err := w.service.load(w.Context(), account, region, name)
	if err != nil || st == nil {
		w.Fatal(st, err)
	}
	return st.ID
}

// TestToken checks that a client's token makes CreateStack repeatable.
func TestToken(t *testing.T) {
	w := newWorld(t)
	in := []any{"StackName", "s", "TemplateBody", `Resources: {Q: {Type: AWS::SQS::Queue}}`, "ClientRequestToken", "abc"}
	first := w.call("CreateStack", in...)
	w.rest("s")
	if again := w.call("CreateStack", in...); again != first {
		t.Errorf("got %s, then %s", first, again)
	}
	w.want(w.call("CreateStack", in[:4]...), "AlreadyExistsException: Stack [s] already exists")
}
