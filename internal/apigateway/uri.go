package apigateway

import (
	"regexp"
	"strings"

	"github.com/newel-run/newel/internal/aws"
)

// target is where an integration's URI leads.
type target struct {
	region, service string
	action          string // of "action/NAME"
	path            string // of "path/..."
	function        string // the ARN, if it is a function's invocation
}

// parseURI reads arn:aws:apigateway:REGION:SERVICE:action/NAME or :path/PATH. References to stage variables may stand in it.
func parseURI(uri string) (target, error) {
	a, ok := aws.ParseARN(uri)
	kind, rest, cut := strings.Cut(a.Resource, "/")
	if !ok || a.Service != "apigateway" || !cut || kind != "action" && kind != "path" {
		return target{}, badRequest("Invalid ARN specified in the request")
	}
	to := target{region: a.Region, service: a.Account}
	if i := strings.LastIndexByte(to.service, '.'); i >= 0 { // SUBDOMAIN.SERVICE
		to.service = to.service[i+1:]
	}
	info, known := aws.Lookup(to.service)
	if !known {
		return target{}, badRequest("AWS ARN for integration contains invalid service: %s", to.service)
	}
	to.service = info.Key
	if kind == "path" {
		to.path = rest
		if name, ok := strings.CutPrefix(rest, "2015-03-31/functions/"); ok && to.service == "lambda" {
			to.function = strings.TrimSuffix(name, "/invocations")
		}
		return to, nil
	}
	to.action, _, _ = strings.Cut(rest, "&")
	if aws.MustModel(to.service).Operations[to.action] == nil && !strings.Contains(to.action, "${") {
		return target{}, badRequest("AWS ARN for integration contains invalid action")
	}
	return to, nil
}

// selection compiles the pattern that chooses an integration response: it has to match the whole text.
func selection(pattern string) (*regexp.Regexp, error) {
	return regexp.Compile("(?s)^(?:" + pattern + ")$")
}
