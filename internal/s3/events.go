package s3

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/outbox"
)

// event is something that happened to an object.
type event struct {
	name   string // as notifications call it, without "s3:": "ObjectCreated:Put"
	api    string // the operation that did it
	key    string
	object *object
}

func eventTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// sequencer orders the events of one key: hexadecimal digits that grow.
func sequencer(t time.Time) string { return fmt.Sprintf("%018X", t.UnixNano()) }

// notify owes an event to everybody whom the bucket's configuration names, and to the rules of the account's default
// bus. It is called within the transaction that causes it.
func (b *box) notify(e event) error {
	n, err := b.notificationOf()
	if err != nil {
		return err
	}
	if n != nil {
		err := n.all(func(t *target) error {
			if !t.wants(e.name, e.key) {
				return nil
			}
			return b.owe(t.call(string(encodeRow(map[string]any{"Records": []any{b.record(t, e)}}))))
		})
		if err != nil {
			return err
		}
	}
	detailType, kind := busEvent(e.name)
	if n != nil && n.EventBridgeConfiguration != nil && b.wanted(detailType) {
		if err := b.owe(b.putEvent(detailType, []string{b.arn(b.name)}, b.busDetail(e, kind))); err != nil {
			return err
		}
	}
	if b.wanted(cloudTrail) {
		return b.owe(b.putEvent(cloudTrail, []string{}, b.trailDetail(e)))
	}
	return nil
}

// wanted reports whether an event on the default bus could matter.
func (b *box) wanted(detailType string) bool {
	return b.s.cfg.Wanted == nil || b.s.cfg.Wanted(b.Account, b.Region, "aws.s3", detailType)
}

// record is an event as queues, topics and functions see it.
func (b *box) record(t *target, e event) map[string]any {
	object := map[string]any{"key": url.QueryEscape(e.key), "sequencer": sequencer(b.c.Now)}
	object["key"] = strings.ReplaceAll(url.QueryEscape(e.key), "%2F", "/")
	if strings.HasPrefix(e.name, "ObjectCreated") || strings.HasPrefix(e.name, "ObjectTagging") {
		object["size"], object["eTag"] = e.object.Size, e.object.ETag
	}
	return map[string]any{
		"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": b.Region, "eventTime": eventTime(b.c.Now), "eventName": e.name,
		"userIdentity":      map[string]any{"principalId": "AWS:" + b.c.Account},
		"requestParameters": map[string]any{"sourceIPAddress": sourceAddress},
		"responseElements":  map[string]any{"x-amz-request-id": b.c.ID, "x-amz-id-2": aws.ExtendedRequestID(b.c.ID)},
		"s3": map[string]any{
			"s3SchemaVersion": "1.0", "configurationId": t.Id,
			"bucket": map[string]any{"name": b.name, "ownerIdentity": map[string]any{"principalId": b.Account}, "arn": b.arn(b.name)},
			"object": object,
		},
	}
}

// sourceAddress stands for the client's address, which services do not learn.
const sourceAddress = "127.0.0.1"

// busEvent is the detail type of an event on a bus, and which of the shapes of its detail it has.
func busEvent(name string) (detailType, kind string) {
	switch {
	case strings.HasPrefix(name, "ObjectCreated"):
		return "Object Created", "created"
	case strings.HasPrefix(name, "ObjectRemoved"):
		return "Object Deleted", "deleted"
	case name == "ObjectTagging:Put":
		return "Object Tags Added", "tags"
	}
	return "Object Tags Deleted", "tags"
}

func (b *box) busDetail(e event, kind string) map[string]any {
	object := map[string]any{"key": e.key}
	detail := map[string]any{"version": "0", "bucket": map[string]any{"name": b.name}, "object": object,
		"request-id": b.c.ID, "requester": b.c.Account, "source-ip-address": sourceAddress}
	object["etag"] = e.object.ETag
	switch kind {
	case "created":
		object["size"], object["sequencer"], detail["reason"] = e.object.Size, sequencer(b.c.Now), e.api
	case "deleted":
		delete(object, "etag")
		object["sequencer"], detail["reason"], detail["deletion-type"] = sequencer(b.c.Now), "DeleteObject", "Permanently Deleted"
	}
	return detail
}

const cloudTrail = "AWS API Call via CloudTrail"

// trailDetail is an event as CloudTrail reports the call that caused it.
func (b *box) trailDetail(e event) map[string]any {
	var id [16]byte
	rand.Read(id[:]) //nolint:errcheck // never fails
	h := hex.EncodeToString(id[:])
	host := b.name + ".s3." + b.Region + ".amazonaws.com"
	principal := b.c.Principal
	if principal == "" {
		principal = "arn:" + aws.PartitionOf(b.Region) + ":iam::" + b.c.Account + ":root"
	}
	return map[string]any{
		"eventVersion": "1.09", "userIdentity": map[string]any{"type": "Root", "principalId": b.c.Account, "arn": principal, "accountId": b.c.Account},
		"eventTime": b.c.Now.UTC().Format("2006-01-02T15:04:05Z"), "eventSource": "s3.amazonaws.com", "eventName": e.api, "awsRegion": b.Region,
		"sourceIPAddress": sourceAddress, "userAgent": "newel",
		"requestParameters":   map[string]any{"bucketName": b.name, "Host": host, "key": e.key},
		"responseElements":    map[string]any{"x-amz-server-side-encryption": "AES256"},
		"additionalEventData": map[string]any{"bytesTransferredIn": e.object.Size, "x-amz-id-2": aws.ExtendedRequestID(b.c.ID), "bytesTransferredOut": 0},
		"requestID":           b.c.ID, "eventID": strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-"), "readOnly": false,
		"resources": []any{
			map[string]any{"type": "AWS::S3::Object", "ARN": b.arn(b.name) + "/" + e.key},
			map[string]any{"accountId": b.Account, "type": "AWS::S3::Bucket", "ARN": b.arn(b.name)},
		},
		"eventType": "AwsApiCall", "managementEvent": false, "recipientAccountId": b.Account, "eventCategory": "Data",
	}
}

// putEvent is the call that puts an event on the default bus of the bucket's owner.
func (b *box) putEvent(detailType string, resources []string, detail map[string]any) outbox.Call {
	return outbox.Call{Service: "events", Operation: "PutEvents", Account: b.Account, Region: b.Region, Principal: "s3.amazonaws.com",
		Input: encodeRow(map[string]any{"Entries": []any{map[string]any{
			"Source": "aws.s3", "DetailType": detailType, "Resources": resources, "Detail": string(encodeRow(detail)), "Time": b.c.Now.Unix()}}})}
}
