package apigateway

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/newel-run/newel/internal/service"
)

// proxyEvent is the event of a Lambda proxy integration, format 1.0. Members without a value are null.
func (v *invocation) proxyEvent() any {
	header, multiHeader := last(v.r.Header), map[string][]string(v.r.Header.Clone())
	header["Host"], multiHeader["Host"] = v.r.Host, []string{v.r.Host}
	query := v.r.URL.Query()
	domain, _, _ := strings.Cut(v.r.Host, ":")
	prefix, _, _ := strings.Cut(domain, ".")
	var body any
	binary := len(v.body) > 0 && v.isBinary(v.contentType())
	switch {
	case binary:
		body = base64.StdEncoding.EncodeToString(v.body)
	case len(v.body) > 0:
		body = string(v.body)
	}
	identity := map[string]any{"sourceIp": v.sourceIP(), "userAgent": v.r.UserAgent()}
	for _, name := range []string{"cognitoIdentityPoolId", "accountId", "cognitoIdentityId", "caller", "principalOrgId", "accessKey",
		"cognitoAuthenticationType", "cognitoAuthenticationProvider", "userArn", "user"} {
		identity[name] = nil
	}
	return map[string]any{
		"resource": v.resource.Path, "path": v.path, "httpMethod": v.r.Method, "headers": header, "multiValueHeaders": multiHeader,
		"queryStringParameters": orNull(last(query)), "multiValueQueryStringParameters": orNull(map[string][]string(query)),
		"pathParameters": orNull(v.parameters), "stageVariables": orNull(v.stage.Variables), "body": body, "isBase64Encoded": binary,
		"requestContext": map[string]any{
			"resourceId": v.resource.ID, "resourcePath": v.resource.Path, "httpMethod": v.r.Method, "extendedRequestId": v.extendedID(),
			"requestTime": v.now.UTC().Format("02/Jan/2006:15:04:05 -0700"), "path": "/" + v.stage.StageName + v.path, "accountId": v.at.account,
			"protocol": v.r.Proto, "stage": v.stage.StageName, "domainPrefix": prefix, "requestTimeEpoch": v.now.UnixMilli(), "requestId": v.id,
			"identity": identity, "domainName": domain, "deploymentId": v.stage.DeploymentID, "apiId": v.apiID,
		},
	}
}

func orNull[V any](m map[string]V) any {
	if len(m) == 0 {
		return nil
	}
	return m
}

// proxyAnswer is what a function of a proxy integration has to answer; other members make the answer malformed.
type proxyAnswer struct {
	StatusCode        json.RawMessage     `json:"statusCode"`
	Headers           map[string]any      `json:"headers"`
	MultiValueHeaders map[string][]any    `json:"multiValueHeaders"`
	Body              *string             `json:"body"`
	IsBase64Encoded   bool                `json:"isBase64Encoded"`
	header            map[string][]string // of both
	status            int
}

func parseProxyAnswer(payload []byte) (*proxyAnswer, error) {
	a := &proxyAnswer{status: http.StatusOK, header: map[string][]string{}}
	if t := bytes.TrimSpace(payload); len(t) == 0 || t[0] != '{' {
		return nil, errors.New("the function's answer is no JSON object")
	}
	d := json.NewDecoder(bytes.NewReader(payload))
	d.DisallowUnknownFields()
	d.UseNumber()
	if err := d.Decode(a); err != nil {
		return nil, fmt.Errorf("the function's answer is malformed: %w", err)
	}
	if text := strings.Trim(string(a.StatusCode), `"`); text != "" && text != "null" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 100 || n > 599 {
			return nil, fmt.Errorf("the function's statusCode is none: %s", text)
		}
		a.status = n
	}
	for name, s := range a.Headers {
		a.header[name] = append(a.header[name], fmt.Sprint(s))
	}
	for name, values := range a.MultiValueHeaders {
		a.header[name] = nil
		for _, s := range values {
			a.header[name] = append(a.header[name], fmt.Sprint(s))
		}
	}
	return a, nil
}

// proxy carries out a Lambda proxy integration.
func (v *invocation) proxy(ctx context.Context, w http.ResponseWriter) error {
	malformed := func(err error) error {
		return &refusal{http.StatusBadGateway, "InternalServerErrorException", "Internal server error", err}
	}
	to, err := parseURI(v.variables(v.method.Integration.URI))
	if err != nil {
		return internal(err)
	}
	payload, err := service.Marshal(v.proxyEvent())
	if err != nil {
		return err
	}
	input, err := json.Marshal(map[string]string{"FunctionName": to.function})
	if err != nil {
		return err
	}
	req := v.s.request(v.at)
	req.Service, req.Operation, req.Input, req.Body = "lambda", "Invoke", input, payload
	out, err := v.s.Env.Caller.Call(ctx, req)
	if err != nil {
		return internal(err)
	}
	if out.Header.Get("X-Amz-Function-Error") != "" {
		return malformed(fmt.Errorf("the function failed: %.500s", out.Body))
	}
	a, err := parseProxyAnswer(out.Body)
	if err != nil {
		return malformed(err)
	}
	var body []byte
	if a.Body != nil {
		body = []byte(*a.Body)
	}
	if a.IsBase64Encoded && v.isBinary(firstType(v.r.Header.Get("Accept"))) {
		if body, err = base64.StdEncoding.DecodeString(string(body)); err != nil {
			return malformed(err)
		}
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("x-amz-apigw-id", v.extendedID())
	for name, values := range a.header {
		h.Del(name)
		for _, s := range values {
			h.Add(name, s)
		}
	}
	h.Del("Content-Length")
	w.WriteHeader(a.status)
	_, _ = w.Write(body) // the client is gone if this fails
	return nil
}

func firstType(accept string) string {
	t, _, _ := strings.Cut(accept, ",")
	t, _, _ = strings.Cut(t, ";")
	return strings.TrimSpace(t)
}
