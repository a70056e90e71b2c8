package apigateway

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// respond maps an integration's answer to the client's: the first integration response whose pattern matches, else the one
// without a pattern.
func (v *invocation) respond(w http.ResponseWriter, a *answer) error {
	res, err := v.chosen(a)
	if err != nil {
		return err
	}
	status, err := strconv.Atoi(res.StatusCode)
	if err != nil || v.method.Responses[res.StatusCode] == nil {
		return internal(fmt.Errorf("the integration response names a method response that is not there: %s", res.StatusCode))
	}
	body, mediaType := a.body, "application/json"
	if t, text := template(res.ResponseTemplates, a.header.Get("Content-Type")); text != "" {
		mediaType = t
		if body, err = v.render(text, a.body, nil); err != nil {
			return err
		}
	}
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("x-amz-apigw-id", v.extendedID())
	for to, from := range res.ResponseParameters {
		name, ok := strings.CutPrefix(to, "method.response.header.")
		if s, found := v.responseValue(from, a); ok && found {
			h.Set(name, s)
		}
	}
	for name, s := range v.overrides.header {
		h.Set(name, s)
	}
	if v.overrides.status != 0 {
		status = v.overrides.status
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client is gone if this fails
	return nil
}

func (v *invocation) chosen(a *answer) (*integrationResponse, error) {
	var fallback *integrationResponse
	responses := v.method.Integration.Responses
	for _, code := range sorted(responses) {
		res := responses[code]
		if res.SelectionPattern == "" {
			if fallback == nil {
				fallback = res
			}
			continue
		}
		if p, err := selection(res.SelectionPattern); err == nil && a.selector != "" && p.MatchString(a.selector) {
			return res, nil
		}
	}
	if fallback == nil {
		return nil, internal(errors.New("no integration response matches and none is the default: " + a.selector))
	}
	return fallback, nil
}

// template is the response template for a media type, else the one for JSON, else the first.
func template(templates map[string]string, contentType string) (mediaType, text string) {
	contentType, _, _ = strings.Cut(contentType, ";")
	for _, t := range []string{strings.TrimSpace(contentType), "application/json"} {
		if text, ok := templates[t]; ok {
			return t, text
		}
	}
	for _, t := range sorted(templates) {
		return t, templates[t]
	}
	return "", ""
}

func (v *invocation) responseValue(expression string, a *answer) (string, bool) {
	if s, ok := v.common(expression); ok {
		return s, true
	}
	from, name, _ := strings.Cut(strings.TrimPrefix(expression, "integration.response."), ".")
	switch from {
	case "header", "multivalueheader":
		values := a.header.Values(name)
		return strings.Join(values, ","), len(values) > 0
	case "body":
		return bodyValue(a.body, name)
	}
	return "", false
}
