package node

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/machine"
)

type object = map[string]any

// disk is a server on a data folder, through whose API markers are written: random texts that no compression can hide.
type disk struct {
	*testing.T
	dir     string
	node    *Node
	key     string            // of everything that takes one; "" for none
	markers map[string]string // what was written where
}

func newDisk(t *testing.T) *disk {
	d := &disk{T: t, dir: t.TempDir(), markers: map[string]string{}}
	d.start()
	return d
}

func (d *disk) start() {
	d.Helper()
	var err error
	d.node, err = Start(d.Context(), Config{Listen: "127.0.0.1:0", Data: d.dir, CacheDir: d.TempDir()})
	if err != nil {
		d.Fatal(err)
	}
}

func (d *disk) stop() {
	d.Helper()
	if err := d.node.Close(context.WithoutCancel(d.Context())); err != nil {
		d.Error(err)
	}
}

func (d *disk) mark(where string) string {
	d.markers[where] = rand.Text() + rand.Text()
	return d.markers[where]
}

// call makes a call; a refusal is returned as its code.
func (d *disk) call(name, operation string, in object, body ...byte) (out object, stream, code string) {
	d.Helper()
	input, err := json.Marshal(in)
	if err != nil {
		d.Fatal(err)
	}
	answer, err := d.node.Caller().Call(d.Context(), &aws.Request{Service: name, Operation: operation, Account: "000000000000", Region: "us-east-1", Input: input, Body: body})
	var e *aws.Error
	if errors.As(err, &e) {
		return nil, e.Message, e.Code
	}
	if err != nil {
		d.Fatalf("%s:%s: %v", name, operation, err)
	}
	if answer.Stream != nil {
		defer answer.Stream.Close() //nolint:errcheck // it was only read
		b, err := io.ReadAll(answer.Stream)
		if err != nil {
			d.Fatal(err)
		}
		stream = string(b)
	}
	text, err := service.Marshal(answer.Value)
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		d.Fatalf("%s:%s: %v in %s", name, operation, err, text)
	}
	return out, stream, ""
}

func (d *disk) must(name, operation string, in object, body ...byte) object {
	d.Helper()
	out, message, code := d.call(name, operation, in, body...)
	if code != "" {
		d.Fatalf("%s:%s: %s: %s", name, operation, code, message)
	}
	return out
}

// with adds members where there is a key.
func (d *disk) with(in object, members object) object {
	if d.key != "" {
		maps.Copy(in, members)
	}
	return in
}

// forms are the ways in which a marker may stand in a file: as it is, and within base64 at any of three places.
func forms(marker string) (out [][]byte) {
	out = append(out, []byte(marker))
	for shift := range 3 {
		text := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("-", shift) + marker))
		out = append(out, []byte(text[4:len(text)-4]))
	}
	return out
}

// found names the places whose markers stand in a file of the data folder.
func (d *disk) found() []string {
	d.Helper()
	places := map[string]bool{}
	err := filepath.WalkDir(d.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		for where, marker := range d.markers {
			for _, form := range forms(marker) {
				if bytes.Contains(b, form) {
					places[where] = true
				}
			}
		}
		return err
	})
	if err != nil {
		d.Fatal(err)
	}
	return slices.Sorted(maps.Keys(places))
}

const account = "000000000000"

func (d *disk) queue(name string) string {
	attributes := d.with(object{"VisibilityTimeout": "0"}, object{"KmsMasterKeyId": d.key})
	return d.must("sqs", "CreateQueue", object{"QueueName": name, "Attributes": attributes})["QueueUrl"].(string)
}

func (d *disk) services() {
	queue := d.queue("q")
	d.must("sqs", "SendMessage", object{"QueueUrl": queue, "MessageBody": d.mark("queue")})
	d.must("dynamodb", "CreateTable", d.with(object{"TableName": "table", "BillingMode": "PAY_PER_REQUEST", "KeySchema": []object{{"AttributeName": "id", "KeyType": "HASH"}},
		"AttributeDefinitions": []object{{"AttributeName": "id", "AttributeType": "S"}}}, object{"SSESpecification": object{"Enabled": true, "SSEType": "KMS", "KMSMasterKeyId": d.key}}))
	d.must("dynamodb", "PutItem", object{"TableName": "table", "Item": object{"id": object{"S": "1"}, "v": object{"S": d.mark("table")}}})
	d.must("logs", "CreateLogGroup", d.with(object{"logGroupName": "g"}, object{"kmsKeyId": d.key}))
	d.must("logs", "CreateLogStream", object{"logGroupName": "g", "logStreamName": "s"})
	d.must("logs", "PutLogEvents", object{"logGroupName": "g", "logStreamName": "s", "logEvents": []object{{"timestamp": d.node.metrics.Env.Now().UnixMilli(), "message": d.mark("log group")}}})
	topic := d.must("sns", "CreateTopic", object{"Name": "t", "Attributes": d.with(object{}, object{"KmsMasterKeyId": d.key})})["TopicArn"]
	d.must("sns", "Subscribe", object{"TopicArn": topic, "Protocol": "email", "Endpoint": "a@example.com"})
	d.must("sns", "Publish", object{"TopicArn": topic, "Message": d.mark("topic"), "Subject": d.mark("subject")})
	for len(d.must("newel-mail", "ListMails", object{})["Mails"].([]any)) == 0 {
		d.Context().Done() // it is on its way
	}
}

// large is a body of several frames with a marker in each.
func large(marker string) []byte { return []byte(strings.Repeat(marker+"\n", 6<<20/(len(marker)+1))) }

func (d *disk) bucket() {
	d.must("s3", "CreateBucket", object{"Bucket": "b12"})
	given := object{"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": d.key}
	d.must("s3", "PutObject", d.with(object{"Bucket": "b12", "Key": "put"}, given), large(d.mark("object"))...)
	d.must("s3", "CopyObject", d.with(object{"Bucket": "b12", "Key": "copy", "CopySource": "b12/put"}, given))
	if d.key != "" {
		d.must("s3", "PutBucketEncryption", object{"Bucket": "b12", "ServerSideEncryptionConfiguration": object{"Rules": []object{
			{"ApplyServerSideEncryptionByDefault": object{"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": d.key}, "BucketKeyEnabled": true}}}})
	}
	d.must("s3", "PutObject", object{"Bucket": "b12", "Key": "default"}, []byte(d.mark("object by the bucket's default"))...)
	id := d.must("s3", "CreateMultipartUpload", object{"Bucket": "b12", "Key": "parts"})["UploadId"]
	d.must("s3", "UploadPart", object{"Bucket": "b12", "Key": "parts", "UploadId": id, "PartNumber": 1}, large(d.mark("part"))...)
	d.must("s3", "UploadPartCopy", object{"Bucket": "b12", "Key": "parts", "UploadId": id, "PartNumber": 2, "CopySource": "b12/put"})
	var parts []object
	for _, p := range d.must("s3", "ListParts", object{"Bucket": "b12", "Key": "parts", "UploadId": id})["Parts"].([]any) {
		parts = append(parts, object{"PartNumber": p.(object)["PartNumber"], "ETag": p.(object)["ETag"]})
	}
	d.must("s3", "CompleteMultipartUpload", object{"Bucket": "b12", "Key": "parts", "UploadId": id, "MultipartUpload": object{"Parts": parts}})
}

const child = `"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":%[1]q},"StartAt":%[1]q,"States":{%[1]q:{"Type":"Pass","End":true}}},` +
	`"ItemSelector":{"item.$":"$$.Map.Item.Value","of.$":"$$.Execution.Input"}`

var definition = `{"Comment":"COMMENT","StartAt":"Keep","States":{
 "Keep":{"Type":"Pass","Assign":{"v.$":"$.m"},"Next":"Update"},
 "Update":{"Type":"Task","Resource":"arn:aws:states:::dynamodb:updateItem","Parameters":{"TableName":"table","Key":{"id":{"S":"2"}},"UpdateExpression":"SET v = :v","ExpressionAttributeValues":{":v":{"S.$":"$.m"}},"ReturnValues":"ALL_NEW"},"ResultPath":"$.r","Next":"Receive"},
 "Receive":{"Type":"Task","Resource":"arn:aws:states:::aws-sdk:sqs:receiveMessage","Parameters":{"QueueUrl":"QUEUE"},"ResultPath":"$.r","Next":"MapExpress"},
 "MapExpress":{"Type":"Map","ItemsPath":"$.items","Label":"x",` + fmt.Sprintf(child, "EXPRESS") + `,"ResultPath":"$.r","Next":"MapStandard"},
 "MapStandard":{"Type":"Map","ItemsPath":"$.items","Label":"s",` + fmt.Sprintf(child, "STANDARD") + `,"ResultPath":"$.r","Next":"Work"},
 "Work":{"Type":"Task","Resource":"arn:aws:states:us-east-1:000000000000:activity:a","End":true}}}`

// machines runs a machine whose states put its input wherever it can come to lie.
func (d *disk) machines() {
	events := d.queue("events")
	d.must("events", "PutRule", object{"Name": "r", "EventPattern": `{"source":["aws.states"]}`})
	d.must("events", "PutTargets", object{"Rule": "r", "Targets": []object{{"Id": "q", "Arn": "arn:aws:sqs:us-east-1:" + account + ":events"}}})
	activity := object{"activityArn": d.must("states", "CreateActivity", object{"name": "a"})["activityArn"]}
	configuration := object{"encryptionConfiguration": object{"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": d.key}}
	create := func(name, kind, definition string) any {
		return d.must("states", "CreateStateMachine", d.with(object{"name": name, "type": kind, "roleArn": "arn:aws:iam::" + account + ":role/r", "definition": definition}, configuration))["stateMachineArn"]
	}
	standard := create("m", "STANDARD", strings.Replace(strings.Replace(definition, "COMMENT", d.mark("definition"), 1), "QUEUE", d.node.URL()+"/"+account+"/q", 1))
	express := create("x", "EXPRESS", `{"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}`)
	input, _ := json.Marshal(object{"m": d.mark("machine"), "items": []string{d.mark("item")}})
	execution := d.must("states", "StartExecution", object{"stateMachineArn": standard, "input": string(input)})["executionArn"].(string)
	d.must("states", "StartExecution", object{"stateMachineArn": express, "input": `{"m":"` + d.mark("express") + `"}`})
	task := d.must("states", "GetActivityTask", activity)
	if !strings.Contains(fmt.Sprint(task["input"]), d.markers["machine"]) {
		d.Fatalf("the worker was given %v", task)
	}
	d.must("states", "SendTaskSuccess", object{"taskToken": task["taskToken"], "output": `{"m":"` + d.mark("task's answer") + `"}`})
	end, err := d.node.States().Engine().Wait(d.Context(), execution)
	if err != nil || end.Root.Status() != machine.Succeeded {
		d.Fatalf("%+v, %v", end, err)
	}
	for told := false; !told; { // of the end, after the start
		messages, _ := d.must("sqs", "ReceiveMessage", object{"QueueUrl": events, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 20})["Messages"].([]any)
		told = strings.Contains(fmt.Sprint(messages), d.markers["task's answer"])
	}
}

// TestNothingIsReadableOnDisk writes markers through the API, under a key and without one, and searches every byte of the
// data folder for them, while the server runs and after it has stopped: none is there under the key, every one without.
func TestNothingIsReadableOnDisk(t *testing.T) {
	for _, name := range []string{"key", "no key"} {
		t.Run(name, func(t *testing.T) {
			d := newDisk(t)
			if name == "key" {
				d.key = d.must("kms", "CreateKey", object{})["KeyMetadata"].(object)["Arn"].(string)
			}
			d.services()
			d.bucket()
			d.machines()
			var want []string
			if d.key == "" {
				want = slices.Sorted(maps.Keys(d.markers))
			}
			found := d.found()
			d.stop()
			if after := d.found(); !slices.Equal(found, want) || len(after) > len(want) {
				t.Errorf("found the markers of %q, after the stop %q; want %q", found, after, want)
			}
		})
	}
}

// read is a call that shows a marker again.
type read struct {
	where, service, operation string
	in                        object
}

func (d *disk) reads() []read {
	mail := d.must("newel-mail", "ListMails", object{})["Mails"].([]any)[0].(object)["Id"]
	part := func(key, span string) object { return object{"Bucket": "b12", "Key": key, "Range": span} }
	return []read{
		{"topic", "newel-mail", "GetMail", object{"Id": mail}},
		{"object", "s3", "GetObject", part("put", "bytes=65000-65200")},
		{"object", "s3", "GetObject", part("copy", "bytes=-100")},
		{"object by the bucket's default", "s3", "GetObject", part("default", "")},
		{"part", "s3", "GetObject", part("parts", "bytes=6291000-6291300")},
		{"object", "s3", "GetObject", part("parts", "bytes=6291480-6391480")},
	}
}

// TestADisabledKeyBites: what was written under a key comes back, also after a restart and by ranges; while the key is disabled
// it does not, and nothing new is taken.
func TestADisabledKeyBites(t *testing.T) {
	d := newDisk(t)
	d.key = d.must("kms", "CreateKey", object{})["KeyMetadata"].(object)["Arn"].(string)
	d.services()
	d.bucket()
	reads := d.reads()
	comeBack := func() {
		t.Helper()
		for _, r := range reads {
			out, stream, code := d.call(r.service, r.operation, r.in)
			if !strings.Contains(fmt.Sprint(out)+stream, d.markers[r.where]) {
				t.Errorf("%s:%s %v gave %s, %.300s", r.service, r.operation, r.in, code, stream)
			}
		}
	}
	comeBack()
	d.stop()
	d.start()
	defer d.stop()
	comeBack()
	machine := d.must("states", "CreateStateMachine", object{"name": "kept", "roleArn": "arn:aws:iam::" + account + ":role/r",
		"definition":              `{"Comment":"told","StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}`,
		"encryptionConfiguration": object{"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": d.key}})["stateMachineArn"]
	execution := d.must("states", "StartExecution", object{"stateMachineArn": machine, "input": `"told"`})["executionArn"].(string)
	if _, err := d.node.States().Engine().Wait(t.Context(), execution); err != nil {
		t.Fatal(err)
	}
	d.must("kms", "DisableKey", object{"KeyId": d.key})
	for _, r := range reads {
		if _, _, code := d.call(r.service, r.operation, r.in); code != "KMS.DisabledException" {
			t.Errorf("%s:%s %v: %s", r.service, r.operation, r.in, code)
		}
	}
	for _, operation := range []string{"DescribeExecution", "DescribeStateMachineForExecution"} {
		in := object{"executionArn": execution}
		if _, _, code := d.call("states", operation, in); !strings.HasPrefix(code, "Kms") {
			t.Errorf("%s: %s", operation, code)
		}
		in["includedData"] = "METADATA_ONLY"
		if out, _, code := d.call("states", operation, in); code != "" || out["stateMachineArn"] == nil || strings.Contains(fmt.Sprint(out), "told") {
			t.Errorf("%s of the metadata only: %s, %v", operation, code, out)
		}
	}
	if m := d.must("newel-mail", "ListMails", object{})["Mails"].([]any)[0].(object); m["Locked"] == nil || m["Subject"] != nil {
		t.Errorf("the list shows %v", m)
	}
	given := object{"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": d.key, "Bucket": "b12", "Key": "new"}
	for operation, in := range map[string]object{"PutObject": given, "CreateMultipartUpload": given,
		"CopyObject": {"Bucket": "b12", "Key": "new", "CopySource": "b12/put", "ServerSideEncryption": "AES256"}} {
		if _, _, code := d.call("s3", operation, in, 'x'); code != "KMS.DisabledException" {
			t.Errorf("%s: %s", operation, code)
		}
	}
	d.must("kms", "EnableKey", object{"KeyId": d.key})
	comeBack()
}
