package limits

import (
	"context"
	"net/http"
	"slices"

	"github.com/newel-run/newel/internal/aws"
)

// refusals are those that differ from their protocol's.
var refusals = map[string]aws.Error{
	"dynamodb":   {Code: "RequestLimitExceeded", Message: "Throughput exceeds the current throughput limit for your account."},
	"kms":        {Code: "ThrottlingException", Message: "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls."},
	"s3":         {Code: "SlowDown", Message: "Please reduce your request rate.", Status: http.StatusServiceUnavailable},
	"sqs":        {Code: "RequestThrottled", Message: "Request is throttled.", Status: http.StatusForbidden},
	"lambda":     {Code: "TooManyRequestsException", Message: "Rate Exceeded.", Status: http.StatusTooManyRequests, Fields: map[string]any{"Reason": "CallerRateLimitExceeded"}},
	"apigateway": {Code: "TooManyRequestsException", Message: "Too Many Requests", Status: http.StatusTooManyRequests},
}

// Refusal is how a service throttles: an error that its clients' SDKs try again after a while.
func Refusal(service string) *aws.Error {
	e, ok := refusals[service]
	if !ok {
		e = aws.Error{Code: "ThrottlingException", Message: "Rate exceeded"}
		if info, known := aws.Lookup(service); known && slices.Contains(aws.MustModel(info.Key).Protocols, "query") {
			e.Code = "Throttling"
		}
	}
	if e.Status == http.StatusTooManyRequests {
		e.Header = http.Header{"Retry-After": {"1"}}
	}
	return &e
}

// Caller throttles the calls of clients; the server's own pass. StartExecution is asked for by its service, which knows
// the type of the machine.
func (l *Limiter) Caller(next aws.Caller) aws.Caller {
	return aws.CallerFunc(func(ctx context.Context, r *aws.Request) (*aws.Output, error) {
		if r.Host != "" && (r.Service != "states" || r.Operation != "StartExecution") {
			if e := l.Take(r.Service, r.Operation, r.Account, r.Region); e != nil {
				return nil, e
			}
		}
		return next.Call(ctx, r)
	})
}
