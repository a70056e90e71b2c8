package connection

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/httpcall"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// destination is an API destination's record. Times are epoch milliseconds.
type destination struct {
	Version           int
	Name, ID          string
	Account, Region   string
	Description       string `json:",omitempty"`
	ConnectionArn     string //nolint:revive // AWS's name
	Endpoint, Method  string
	RateLimit         int `json:",omitempty"` // kept, without effect
	Created, Modified int64
}

func (d *destination) arn() string {
	return aws.ARN{Service: "events", Region: d.Region, Account: d.Account, Resource: "api-destination/" + d.Name + "/" + d.ID}.String()
}

func (d *destination) key() store.Key { return rows(rowDestination, d.Account, d.Region).Str(d.Name) }

func readDestination(c *service.Context, rd store.Reader, name string) (*destination, error) {
	d := &destination{}
	ok, err := get(rd, rows(rowDestination, c.Account, c.Region).Str(name), d)
	if err == nil && !ok {
		err = notFound("Failed to describe the api-destination(s). An api-destination '%s' does not exist.", name)
	}
	return d, err
}

type destinationInput struct {
	Name, Description, ConnectionArn, InvocationEndpoint, HttpMethod string //nolint:revive // AWS's names
	InvocationRateLimitPerSecond                                     int
}

// connectionName is the name in a connection's ARN.
func connectionName(arn string) string {
	a, _ := aws.ParseARN(arn)
	name, _, _ := strings.Cut(strings.TrimPrefix(a.Resource, "connection/"), "/")
	return name
}

// take takes over what a request gives.
func (d *destination) take(c *service.Context, rd store.Reader, in *destinationInput) error {
	take(&d.Description, in.Description)
	take(&d.ConnectionArn, in.ConnectionArn)
	take(&d.Endpoint, in.InvocationEndpoint)
	take(&d.Method, in.HttpMethod)
	if in.InvocationRateLimitPerSecond != 0 {
		d.RateLimit = in.InvocationRateLimitPerSecond
	}
	d.Modified = c.Now.UnixMilli()
	_, err := readConnection(rd, c.Account, c.Region, connectionName(d.ConnectionArn))
	return err
}

func (s *Connections) createDestination(c *service.Context, tx store.Tx) (any, error) {
	var in destinationInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	d := &destination{Version: recordVersion, Name: in.Name, ID: aws.NewUUID(), Account: c.Account, Region: c.Region, Created: c.Now.UnixMilli()}
	if ok, err := get(tx, d.key(), &destination{}); err != nil {
		return nil, err
	} else if ok {
		return nil, aws.Errorf("ResourceAlreadyExistsException", "An api-destination '%s' already exists.", in.Name)
	}
	if err := d.take(c, tx, &in); err != nil {
		return nil, err
	}
	return d.answer(c, tx, "ApiDestinationArn", "ApiDestinationState", "CreationTime", "LastModifiedTime"), set(tx, d.key(), d)
}

func (s *Connections) updateDestination(c *service.Context, tx store.Tx) (any, error) {
	var in destinationInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	d, err := readDestination(c, tx, in.Name)
	if err != nil {
		return nil, err
	}
	if err := d.take(c, tx, &in); err != nil {
		return nil, err
	}
	return d.answer(c, tx, "ApiDestinationArn", "ApiDestinationState", "CreationTime", "LastModifiedTime"), set(tx, d.key(), d)
}

// answer is a destination with the members asked for; all of them if none are. It is active while its connection is
// authorized.
func (d *destination) answer(c *service.Context, rd store.Reader, members ...string) map[string]any {
	state := "INACTIVE"
	if con, err := readConnection(rd, c.Account, c.Region, connectionName(d.ConnectionArn)); err == nil && con.State == authorized {
		state = "ACTIVE"
	}
	out := map[string]any{"ApiDestinationArn": d.arn(), "Name": d.Name, "ApiDestinationState": state, "ConnectionArn": d.ConnectionArn, "InvocationEndpoint": d.Endpoint,
		"HttpMethod": d.Method, "InvocationRateLimitPerSecond": 300, "CreationTime": float64(d.Created) / 1000, "LastModifiedTime": float64(d.Modified) / 1000}
	if d.RateLimit != 0 {
		out["InvocationRateLimitPerSecond"] = d.RateLimit
	}
	if d.Description != "" {
		out["Description"] = d.Description
	}
	if len(members) > 0 {
		maps.DeleteFunc(out, func(name string, _ any) bool { return !slices.Contains(members, name) })
	}
	return out
}

func (s *Connections) describeDestination(c *service.Context, rd store.Reader) (any, error) {
	var in struct{ Name string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	d, err := readDestination(c, rd, in.Name)
	if err != nil {
		return nil, err
	}
	return d.answer(c, rd), nil
}

func (s *Connections) deleteDestination(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ Name string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	d, err := readDestination(c, tx, in.Name)
	if err != nil {
		return nil, err
	}
	tx.Delete(d.key())
	return nil, nil
}

func (s *Connections) listDestinations(c *service.Context, rd store.Reader) (any, error) {
	var in struct {
		ConnectionArn string //nolint:revive // AWS's name
		listInput
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	return in.page(rd, rows(rowDestination, c.Account, c.Region), "ApiDestinations", func(row []byte) (string, map[string]any, error) {
		d := &destination{}
		if json.Unmarshal(row, d) != nil {
			return "", nil, errCorrupt
		}
		if in.ConnectionArn != "" && d.ConnectionArn != in.ConnectionArn {
			return "", nil, nil
		}
		return d.Name, d.answer(c, rd), nil
	})
}

// InvokeDestination is an operation that only this server's outbox calls: it gives an event, the request's body, to an API
// destination.
const InvokeDestination = "InvokeApiDestination"

// invokeMax is how long an API destination may take.
const invokeMax = 5 * time.Second

type invocation struct {
	Arn                                     string //nolint:revive // AWS's name
	PathParameterValues                     []string
	HeaderParameters, QueryStringParameters map[string]string
}

func (s *Connections) invokeDestination(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in invocation
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	arn, _ := aws.ParseARN(in.Arn)
	name, _, _ := strings.Cut(strings.TrimPrefix(arn.Resource, "api-destination/"), "/")
	var d *destination
	err := s.view(ctx, c, func(rd store.Reader) (err error) { d, err = readDestination(c, rd, name); return err })
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, invokeMax)
	defer cancel()
	for fresh := false; ; fresh = true {
		add, renewable, err := s.additions(ctx, c, d.ConnectionArn, fresh)
		if err != nil {
			return nil, err
		}
		req, err := d.call(&in, c.Body).Build(add)
		if err != nil {
			return nil, validation("%s", err)
		}
		answer, err := httpcall.Send(ctx, req)
		if err == nil && answer.Status == http.StatusUnauthorized && renewable {
			continue
		}
		if err := refusal(answer, err); err != nil {
			return nil, err
		}
		return service.Answer(nil), nil
	}
}

// call is the request for an event: wildcards of the endpoint's path stand for the target's path parameters.
func (d *destination) call(in *invocation, event []byte) *httpcall.Call {
	endpoint := d.Endpoint
	for _, v := range in.PathParameterValues {
		endpoint = strings.Replace(endpoint, "*", v, 1)
	}
	pairs := func(m map[string]string) (out []httpcall.Pair) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			out = append(out, httpcall.Pair{Key: k, Value: m[k]})
		}
		return out
	}
	call := &httpcall.Call{Endpoint: endpoint, Method: d.Method, Headers: pairs(in.HeaderParameters), Query: pairs(in.QueryStringParameters), Body: string(event),
		Fixed: []httpcall.Pair{{Key: "User-Agent", Value: "Amazon/EventBridge/ApiDestinations"}, {Key: "Range", Value: "bytes=0-1048575"}}}
	if o, err := value.Parse(event); err == nil {
		if o, ok := o.(*value.Object); ok {
			call.Body = o
		}
	}
	return call
}

// refusal is nil for an answer that took the event; else it says whether the event is to be sent again, by EventBridge's
// rules: after 401, 407, 409, 429, 5xx, and where there was no answer.
func refusal(answer *httpcall.Response, err error) error {
	if err != nil {
		return &aws.Error{Code: "EndpointUnreachable", Message: err.Error(), Status: http.StatusServiceUnavailable, Fault: true}
	}
	if answer.Status < 300 {
		return nil
	}
	e := &aws.Error{Code: "EndpointRefused", Message: fmt.Sprintf("The endpoint answered %d %s", answer.Status, answer.StatusText), Status: http.StatusBadRequest}
	switch s := answer.Status; {
	case s >= 500, s == http.StatusUnauthorized, s == http.StatusProxyAuthRequired, s == http.StatusConflict, s == http.StatusTooManyRequests:
		e.Status, e.Fault = http.StatusServiceUnavailable, true
	}
	return e
}
