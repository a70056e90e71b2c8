package apigateway

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/apigateway/velocity"
	"github.com/newel-run/newel/internal/aws"
)

var verbs = []string{"ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}

func (e *edit) method() (*resource, *method, error) {
	r, err := e.resource()
	if err != nil {
		return nil, nil, err
	}
	m := r.Methods[e.in.HTTPMethod]
	if m == nil {
		return nil, nil, notFound("Invalid Method identifier specified")
	}
	return r, m, nil
}

func putMethod(e *edit) (any, error) {
	r, err := e.resource()
	if err != nil {
		return nil, err
	}
	in := &e.in
	switch {
	case !slices.Contains(verbs, in.HTTPMethod):
		return nil, badRequest("Invalid HttpMethod specified. Valid options are %s", strings.Join(verbs, ","))
	case r.Methods[in.HTTPMethod] != nil:
		return nil, conflict("Method already exists for this resource")
	case in.AuthorizationType != "NONE" && in.AuthorizationType != "AWS_IAM":
		return nil, badRequest("Newel supports the authorization types NONE and AWS_IAM only, not '%s'.", in.AuthorizationType)
	case in.RequestValidatorID != "":
		return nil, badRequest("Newel does not support request validators.")
	}
	m := &method{HTTPMethod: in.HTTPMethod, AuthorizationType: in.AuthorizationType, APIKeyRequired: in.APIKeyRequired,
		OperationName: in.OperationName, RequestModels: in.RequestModels}
	if err = parameters(in.RequestParameters, &m.RequestParameters); err != nil {
		return nil, err
	}
	if r.Methods == nil {
		r.Methods = map[string]*method{}
	}
	r.Methods[m.HTTPMethod] = m
	return m, nil
}

// parameters decodes a map whose values' type depends on the operation.
func parameters(raw json.RawMessage, into any) error {
	if len(raw) == 0 {
		return nil
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return &aws.Error{Code: "SerializationException", Message: err.Error()}
	}
	return nil
}

func getMethod(e *edit) (any, error) {
	_, m, err := e.method()
	return m, err
}

func updateMethod(e *edit) (any, error) {
	_, m, err := e.method()
	if err != nil {
		return nil, err
	}
	return m, patch("GetMethod", m, e.in.PatchOperations)
}

func deleteMethod(e *edit) (any, error) {
	r, m, err := e.method()
	if err != nil {
		return nil, err
	}
	delete(r.Methods, m.HTTPMethod)
	return nil, nil
}

func putMethodResponse(e *edit) (any, error) {
	_, m, err := e.method()
	if err != nil {
		return nil, err
	}
	if m.Responses[e.in.StatusCode] != nil {
		return nil, conflict("Response already exists for this resource")
	}
	res := &methodResponse{StatusCode: e.in.StatusCode, ResponseModels: e.in.ResponseModels}
	if err = parameters(e.in.ResponseParameters, &res.ResponseParameters); err != nil {
		return nil, err
	}
	if m.Responses == nil {
		m.Responses = map[string]*methodResponse{}
	}
	m.Responses[res.StatusCode] = res
	return res, nil
}

func (e *edit) methodResponse() (*method, *methodResponse, error) {
	_, m, err := e.method()
	if err != nil {
		return nil, nil, err
	}
	res := m.Responses[e.in.StatusCode]
	if res == nil {
		return nil, nil, notFound("Invalid Response status code specified")
	}
	return m, res, nil
}

func getMethodResponse(e *edit) (any, error) {
	_, res, err := e.methodResponse()
	return res, err
}

func updateMethodResponse(e *edit) (any, error) {
	_, res, err := e.methodResponse()
	if err != nil {
		return nil, err
	}
	return res, patch("GetMethodResponse", res, e.in.PatchOperations)
}

func deleteMethodResponse(e *edit) (any, error) {
	m, res, err := e.methodResponse()
	if err != nil {
		return nil, err
	}
	delete(m.Responses, res.StatusCode)
	return nil, nil
}

const timeoutMax = 29000 // ms

func putIntegration(e *edit) (any, error) {
	r, m, err := e.method()
	if err != nil {
		return nil, err
	}
	in := &e.in
	i := &integration{Type: in.Type, HTTPMethod: in.IntegrationHTTPMethod, URI: in.URI, ConnectionType: in.ConnectionType, Credentials: in.Credentials,
		RequestTemplates: in.RequestTemplates, PassthroughBehavior: in.PassthroughBehavior, ContentHandling: in.ContentHandling,
		TimeoutInMillis: timeoutMax, CacheNamespace: in.CacheNamespace, CacheKeyParameters: in.CacheKeyParameters}
	if err = parameters(in.RequestParameters, &i.RequestParameters); err != nil {
		return nil, err
	}
	if in.TimeoutInMillis != nil {
		i.TimeoutInMillis = *in.TimeoutInMillis
	}
	if i.PassthroughBehavior == "" {
		i.PassthroughBehavior = "WHEN_NO_MATCH"
	}
	if i.CacheNamespace == "" {
		i.CacheNamespace = r.ID
	}
	if i.CacheKeyParameters == nil {
		i.CacheKeyParameters = []string{}
	}
	if in.ConnectionID != "" || in.ConnectionType == "VPC_LINK" {
		return nil, badRequest("Newel does not support VPC links.")
	}
	if err = i.check(); err != nil {
		return nil, err
	}
	if m.Integration != nil {
		i.Responses = m.Integration.Responses
	}
	m.Integration = i
	return i, nil
}

// check finds what could never be invoked.
func (i *integration) check() error {
	switch i.Type {
	case "MOCK":
	case "AWS", "AWS_PROXY":
		if i.HTTPMethod == "" {
			return badRequest("Enumeration value for HttpMethod must be non-empty")
		}
		to, err := parseURI(i.URI)
		if err != nil {
			return err
		}
		if i.Type == "AWS_PROXY" && to.function == "" {
			return badRequest("Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream invocations.")
		}
	case "HTTP", "HTTP_PROXY":
		if !strings.HasPrefix(i.URI, "http://") && !strings.HasPrefix(i.URI, "https://") {
			return badRequest("Invalid HTTP endpoint specified for URI")
		}
	default:
		return badRequest("Invalid integration type: %s", i.Type)
	}
	if i.TimeoutInMillis < 50 || i.TimeoutInMillis > 300000 {
		return badRequest("Timeout should be between 50 ms and 29000 ms")
	}
	return checkTemplates(i.RequestTemplates)
}

func checkTemplates(templates map[string]string) error {
	for contentType, text := range templates {
		if _, err := velocity.Parse(text); err != nil {
			return badRequest("Invalid mapping template specified for %s: %v", contentType, err)
		}
	}
	return nil
}

func (e *edit) integration() (*method, *integration, error) {
	_, m, err := e.method()
	if err != nil {
		return nil, nil, err
	}
	if m.Integration == nil {
		return nil, nil, notFound("Invalid Integration identifier specified")
	}
	return m, m.Integration, nil
}

func getIntegration(e *edit) (any, error) {
	_, i, err := e.integration()
	return i, err
}

func updateIntegration(e *edit) (any, error) {
	_, i, err := e.integration()
	if err != nil {
		return nil, err
	}
	if err = patch("GetIntegration", i, e.in.PatchOperations); err != nil {
		return nil, err
	}
	return i, i.check()
}

func deleteIntegration(e *edit) (any, error) {
	m, _, err := e.integration()
	if err != nil {
		return nil, err
	}
	m.Integration = nil
	return nil, nil
}

func putIntegrationResponse(e *edit) (any, error) {
	_, i, err := e.integration()
	if err != nil {
		return nil, err
	}
	res := &integrationResponse{StatusCode: e.in.StatusCode, SelectionPattern: e.in.SelectionPattern, ResponseTemplates: e.in.ResponseTemplates, ContentHandling: e.in.ContentHandling}
	if err = parameters(e.in.ResponseParameters, &res.ResponseParameters); err != nil {
		return nil, err
	}
	if err = res.check(); err != nil {
		return nil, err
	}
	if i.Responses == nil {
		i.Responses = map[string]*integrationResponse{}
	}
	i.Responses[res.StatusCode] = res
	return res, nil
}

func (r *integrationResponse) check() error {
	if _, err := selection(r.SelectionPattern); err != nil {
		return badRequest("Invalid selection pattern: %v", err)
	}
	return checkTemplates(r.ResponseTemplates)
}

func (e *edit) integrationResponse() (*integration, *integrationResponse, error) {
	_, i, err := e.integration()
	if err != nil {
		return nil, nil, err
	}
	res := i.Responses[e.in.StatusCode]
	if res == nil {
		return nil, nil, notFound("Invalid Response status code specified")
	}
	return i, res, nil
}

func getIntegrationResponse(e *edit) (any, error) {
	_, res, err := e.integrationResponse()
	return res, err
}

func updateIntegrationResponse(e *edit) (any, error) {
	_, res, err := e.integrationResponse()
	if err != nil {
		return nil, err
	}
	if err = patch("GetIntegrationResponse", res, e.in.PatchOperations); err != nil {
		return nil, err
	}
	return res, res.check()
}

func deleteIntegrationResponse(e *edit) (any, error) {
	i, res, err := e.integrationResponse()
	if err != nil {
		return nil, err
	}
	delete(i.Responses, res.StatusCode)
	return nil, nil
}
