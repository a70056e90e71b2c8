package serverless

import (
	"crypto/md5"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/newel-run/newel/asl/value"
)

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// normal is a name as the beginning of a logical id: hello-world -> HelloDashworld.
func normal(name string) string {
	return upperFirst(strings.NewReplacer("-", "Dash", "_", "Underscore").Replace(name))
}

var notAlphanumeric = regexp.MustCompile(`[^0-9A-Za-z]`)

// alphanumeric drops every other character.
func alphanumeric(name string) string {
	return upperFirst(notAlphanumeric.ReplaceAllString(name, ""))
}

var pathVariable = regexp.MustCompile(`\{(.*)\}`)

// pathID is a path as part of a logical id: users/{id} -> UsersIdVar.
func pathID(path string) string {
	id := ""
	for _, part := range strings.Split(path, "/") {
		part = upperFirst(strings.ToLower(part))
		part = strings.ReplaceAll(part, "-", "Dash")
		part = pathVariable.ReplaceAllString(part, "${1}Var")
		id += alphanumeric(part)
	}
	return id
}

func functionID(name string) string { return normal(name) + "LambdaFunction" }

// shortHash is the beginning of the MD5 of a value's JSON text.
func shortHash(v value.Value, length int) string {
	sum := md5.Sum(value.Append(nil, v))
	return hex.EncodeToString(sum[:])[:length]
}
