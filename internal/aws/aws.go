// Package aws is the seam of Newel: everything is an AWS call. The HTTP gateway, a Task state's integration, the
// CloudFormation deployer and a function's SDK call all go through the one method of Caller.
//
// Input and Output are in one canonical form whatever the wire protocol: the JSON text of the operation's input or
// output shape with its API member names, blobs in base64, timestamps as epoch seconds (AWS's JSON protocol). A
// streaming blob member (Lambda's Payload, S3's Body) travels in Body instead. The codecs of the wire protocols and the
// naming rules of task integrations are driven by the models (model.go), which are generated from AWS's published API
// models.
package aws

import (
	"context"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
)

// Caller is the seam.
type Caller interface {
	// Call performs one operation. An error that the service answers is an *Error; any other error is a fault of the
	// server or of the connection to it.
	Call(ctx context.Context, r *Request) (*Output, error)
}

// CallerFunc makes a function a Caller.
type CallerFunc func(ctx context.Context, r *Request) (*Output, error)

// Call calls f.
func (f CallerFunc) Call(ctx context.Context, r *Request) (*Output, error) { return f(ctx, r) }

// Request is one call of an AWS operation.
type Request struct {
	Service   string    // model key: "states", "lambda", "sqs", "dynamodb", "iam", "sts", "logs", ...
	Operation string    // "StartExecution"
	Account   string    // 12 digits: the caller's account
	Region    string    // "us-east-1"
	Principal string    // ARN of the caller, "" for the account's root
	Token     Token     // idempotency of an internal delivery; zero for a client's call
	Started   Token     // delivery of the request whose work an internal cancellation stops
	Waiter    *Waiter   // who is told when the work that the request starts has ended; nil for none
	Trace     string    // trace header of the caller in X-Ray's form, "" for none
	ID        string    // request id, "" to have one made
	Input     []byte    // canonical JSON of the input shape; nil or "{}" for none
	Body      []byte    // streaming blob member of the input
	Stream    io.Reader // in place of Body where the operation streams (S3 objects); read once
	Host      string    // authority that the client used, for URLs in answers; "" inside
	Tail      bool      // lambda: the caller wants the log tail of the invocation (LogType Tail)
}

// Token makes an internal delivery idempotent: the receiver commits its answer under (Source, Seq) together with the
// effect and answers a repetition from there. Answers below Low are no longer needed and are forgotten.
type Token struct {
	Source string // "p17": the sending partition's outbox
	Seq    uint64 // grows with every entry of that outbox; 0 means no token
	Low    uint64 // lowest sequence of the source that is still unanswered
}

// Waiter is a .sync task that waits for the work that its request starts.
type Waiter struct {
	Token  string `json:"t"` // its task token
	Parsed bool   `json:"p"` // .sync:2: JSON members of the result are values, not texts
}

// Output is the answer of an operation.
type Output struct {
	Value  any           // marshalled to canonical JSON by the codec; json.RawMessage and value.Doc pass through
	Body   []byte        // streaming blob member of the output
	Stream io.ReadCloser // in place of Body where the operation streams; whoever has the Output closes it
	Status int           // HTTP status if it is not 200 and not in the model
	Header http.Header   // header members and extra headers (X-Amz-Function-Error, X-Amz-Executed-Version)
}

// Error is an error answer of an AWS service.
type Error struct {
	Code      string         // "StateMachineDoesNotExist"
	Message   string         // AWS's wording
	Status    int            // HTTP status; 0 means 400
	Fault     bool           // the server's fault (5xx): the caller may retry
	Fields    map[string]any // further members of the error body ("reason", "Item", ...)
	QueryCode string         // the query protocol's code where it differs (AWS.SimpleQueueService.NonExistentQueue)
	Header    http.Header    // extra headers of the answer (S3's ETag beside a 304)
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// HTTPStatus is the status of the answer.
func (e *Error) HTTPStatus() int {
	if e.Status != 0 {
		return e.Status
	}
	if e.Fault {
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}

// Errorf makes an error answer with status 400.
func Errorf(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Reader returns the request's streaming body: Stream, else Body.
func (r *Request) Reader() io.Reader {
	if r.Stream != nil {
		return r.Stream
	}
	return bytesReader(r.Body)
}

// Trailed is what a Request.Stream is if its client sends headers after the body (aws-chunked trailers).
type Trailed interface {
	// Declared are the names of the trailers that are to come, in lower case.
	Declared() []string
	// Trailer is a trailer's value; it is known once the stream has been read to its end.
	Trailer(name string) string
}

// ExtendedRequestID is S3's second name for a request, x-amz-id-2.
func ExtendedRequestID(requestID string) string {
	sum := sha512.Sum512_256([]byte(requestID))
	return base64.StdEncoding.EncodeToString(append(sum[:], sum[:24]...))
}
