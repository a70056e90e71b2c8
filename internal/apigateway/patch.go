package apigateway

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/newel-run/newel/internal/aws"
)

// operation is one of an Update's patchOperations.
type operation struct{ Op, Path, Value, From string }

// methodSettings says which members of a stage's method settings the ends of paths name.
var methodSettings = map[string]string{
	"metrics/enabled": "metricsEnabled", "logging/loglevel": "loggingLevel", "logging/dataTrace": "dataTraceEnabled",
	"throttling/burstLimit": "throttlingBurstLimit", "throttling/rateLimit": "throttlingRateLimit", "caching/enabled": "cachingEnabled",
	"caching/ttlInSeconds": "cacheTtlInSeconds", "caching/dataEncrypted": "cacheDataEncrypted",
	"caching/requireAuthorizationForCacheControl": "requireAuthorizationForCacheControl", "caching/unauthorizedCacheControlHeaderStrategy": "unauthorizedCacheControlHeaderStrategy",
}

// patch applies operations to a value whose JSON has the members of the output of an operation.
func patch[T any](output string, v *T, operations []operation) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var doc map[string]any
	if err = json.Unmarshal(b, &doc); err != nil {
		return err
	}
	shape := aws.MustModel("apigateway").Operations[output].Output
	for _, op := range operations {
		if err = apply(shape, doc, op); err != nil {
			return err
		}
	}
	if b, err = json.Marshal(doc); err != nil {
		return err
	}
	changed := new(T)
	if err = json.Unmarshal(b, changed); err != nil {
		return badRequest("Invalid patch value: %v", err)
	}
	*v = *changed
	return nil
}

func apply(shape *aws.Shape, doc map[string]any, op operation) error {
	bad := badRequest("Invalid patch path '%s' specified for op '%s'. Newel supports the members of the resource only.", op.Path, op.Op)
	if op.Op != "add" && op.Op != "replace" && op.Op != "remove" {
		return badRequest("Newel does not support the patch operation '%s'.", op.Op)
	}
	if !strings.HasPrefix(op.Path, "/") {
		return bad
	}
	parts := strings.Split(op.Path[1:], "/")
	for i := range parts {
		parts[i] = strings.ReplaceAll(strings.ReplaceAll(parts[i], "~1", "/"), "~0", "~")
	}
	if len(parts) == 4 && methodSettings[parts[2]+"/"+parts[3]] != "" && shape.Member("methodSettings") != nil {
		parts = []string{"methodSettings", parts[0] + "/" + parts[1], methodSettings[parts[2]+"/"+parts[3]]}
	}
	if parts[0] == "apiStages" && len(parts) == 1 {
		return applyStage(doc, op)
	}
	changed, ok := change(shape, any(doc), parts, op)
	if !ok || changed == nil {
		return bad
	}
	return nil
}

// applyStage adds a stage to a usage plan or removes one: its value is API:STAGE.
func applyStage(doc map[string]any, op operation) error {
	id, name, ok := strings.Cut(op.Value, ":")
	if !ok {
		return badRequest("Invalid API stage %s", op.Value)
	}
	list, _ := doc["apiStages"].([]any)
	list = slices.DeleteFunc(list, func(item any) bool {
		m, _ := item.(map[string]any)
		return m["apiId"] == id && m["stage"] == name
	})
	if op.Op == "add" {
		list = append(list, map[string]any{"apiId": id, "stage": name})
	}
	doc["apiStages"] = list
	return nil
}

// change applies an operation to the part of a value that a path names, and returns the value that takes its place.
func change(shape *aws.Shape, v any, path []string, op operation) (any, bool) {
	if len(path) == 0 {
		if op.Op == "remove" {
			return nil, true
		}
		return scalar(shape, op.Value)
	}
	switch shape.Type {
	case "structure", "map":
		m, _ := v.(map[string]any)
		if m == nil {
			m = map[string]any{}
		}
		var inner *aws.Shape
		if shape.Type == "map" {
			inner = shape.Value.Shape
		} else if member := shape.Member(path[0]); member != nil {
			inner = member.Shape
		} else {
			return nil, false
		}
		changed, ok := change(inner, m[path[0]], path[1:], op)
		if !ok {
			return nil, false
		}
		if changed == nil {
			delete(m, path[0])
		} else {
			m[path[0]] = changed
		}
		return m, true
	case "list":
		list, _ := v.([]any)
		n, err := strconv.Atoi(path[0])
		switch at := slices.Index(list, any(path[0])); {
		case op.Op == "remove" && at >= 0:
			return append(list[:at:at], list[at+1:]...), true
		case op.Op == "remove" && err == nil && n < len(list):
			return append(list[:n:n], list[n+1:]...), true
		case op.Op == "replace" && err == nil && n >= 0 && n < len(list):
			list[n] = op.Value
			return list, true
		case op.Op == "replace" && at >= 0:
			list[at] = op.Value
			return list, true
		case op.Op == "add" && err == nil && op.Value != "":
			return append(list, op.Value), true
		case op.Op == "add" && at < 0:
			return append(list, path[0]), true
		}
	}
	return nil, false
}

// scalar is a patch value as the type of its member. An operation that gives no value for text empties it.
func scalar(shape *aws.Shape, text string) (any, bool) {
	switch shape.Type {
	case "boolean":
		return strings.EqualFold(text, "true"), true
	case "integer", "long":
		n, err := strconv.Atoi(text)
		return n, err == nil
	case "double", "float":
		f, err := strconv.ParseFloat(text, 64)
		return f, err == nil
	case "string":
		return text, true
	}
	return nil, false
}
