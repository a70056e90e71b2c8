// Package httpcall makes the HTTP requests of HTTP tasks and API destinations: what a definition says of a request, merged
// with what an EventBridge connection adds to it.
//
// The rules are AWS's (Step Functions Developer Guide, "Call HTTPS APIs"): the connection's headers, query parameters and
// body members win over those of the same name; header names are compared without case; bodies and queries are
// percent-encoded with %20 for a space. A redirect is not followed, since the credentials are for one endpoint: its status is
// the answer.
//
// Build is pure; Send is the only thing here that touches the network.
package httpcall

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/newel-run/newel/asl/value"
)

// Pair is a header, query parameter or body member.
type Pair struct{ Key, Value string }

// Additions are what a connection adds to a request: its credentials and its own parameters.
type Additions struct{ Headers, Query, Body []Pair }

// Call is a request as its definition has it.
type Call struct {
	Endpoint, Method string
	Headers, Query   []Pair      // in the order in which they are sent; a name may stand there more than once
	Body             value.Value // nil for none; a string is sent as it is, everything else as JSON
	Form             bool        // the body is sent URL-encoded
	ArrayFormat      string      // of a form: INDICES (or ""), REPEAT, COMMAS, BRACKETS
	Fixed            []Pair      // headers that the sender sets: User-Agent and the like
}

// Request is a request as it is sent.
type Request struct {
	Method, URL string
	Headers     []Pair
	Body        string
}

// ErrMerge is the refusal to add a connection's body members to a body that is no object.
var ErrMerge = errors.New("the request body is not a JSON object, so that the connection's body parameters cannot be merged into it")

// contentType is what a body is sent as unless a header says otherwise.
const contentType = "application/json; charset=UTF-8"

// Build merges a call with a connection's additions. Headers are in the order of TestState's view: the call's, the
// connection's, the fixed ones.
func (c *Call) Build(add Additions) (*Request, error) {
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("%q is not an HTTPS endpoint", c.Endpoint)
	}
	r := &Request{Method: c.Method, Headers: merge(c.Headers, add.Headers, strings.EqualFold)}
	r.Headers = merge(r.Headers, c.Fixed, strings.EqualFold)
	u.Fragment = ""
	own := u.RawQuery
	u.RawQuery = strings.Join(append(nonEmpty(own), pairs(merge(c.Query, add.Query, func(a, b string) bool { return a == b }))...), "&")
	r.URL = u.String()
	body := c.Body
	if len(add.Body) > 0 {
		o, ok := body.(*value.Object)
		if !ok && body != nil {
			return nil, ErrMerge
		}
		merged := value.NewObject()
		if ok {
			merged = o.Clone()
		}
		for _, p := range add.Body {
			merged.Set(p.Key, p.Value)
		}
		body = merged
	}
	text, isText := body.(string)
	switch {
	case body == nil:
	case c.Form && !isText:
		r.Body = form(body, c.ArrayFormat)
	case isText:
		r.Body = text
	default:
		r.Body = string(value.Append(nil, body))
	}
	return r, nil
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// merge replaces pairs by those of the same key.
func merge(have, add []Pair, same func(a, b string) bool) []Pair {
	var out []Pair
	for _, p := range have {
		replaced := false
		for _, q := range add {
			replaced = replaced || same(p.Key, q.Key)
		}
		if !replaced {
			out = append(out, p)
		}
	}
	return append(out, add...)
}

func pairs(list []Pair) []string {
	out := make([]string, len(list))
	for i, p := range list {
		out[i] = escape(p.Key) + "=" + escape(p.Value)
	}
	return out
}

// escape percent-encodes all but RFC 3986's unreserved characters.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// form writes a value as application/x-www-form-urlencoded: members of objects as a[b], items of arrays by the format.
func form(v value.Value, arrays string) string {
	var out []Pair
	flatten(&out, "", v, arrays)
	return strings.Join(pairs(out), "&")
}

func flatten(out *[]Pair, name string, v value.Value, arrays string) {
	switch v := v.(type) {
	case *value.Object:
		for k, member := range v.All() {
			if name != "" {
				k = name + "[" + k + "]"
			}
			flatten(out, k, member, arrays)
		}
	case value.Array:
		if arrays == "COMMAS" {
			texts := make([]string, len(v))
			for i, item := range v {
				texts[i] = Text(item)
			}
			*out = append(*out, Pair{name, strings.Join(texts, ",")})
			return
		}
		for i, item := range v {
			key := name
			switch arrays {
			case "REPEAT":
			case "BRACKETS":
				key += "[]"
			default:
				key += fmt.Sprintf("[%d]", i)
			}
			flatten(out, key, item, arrays)
		}
	default:
		*out = append(*out, Pair{name, Text(v)})
	}
}

// Text is a scalar as headers, queries and forms show it: null is empty, everything that is no string is JSON.
func Text(v value.Value) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	return string(value.Append(nil, v))
}
