package gateway

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/wire"
	"github.com/newel-run/newel/internal/http1/header"
)

// router finds out what a request is about.
type router struct {
	served []string // model keys of the services behind the gateway, S3 last
	trees  sync.Map // model key -> *tree
}

func newRouter(services []string) *router {
	served := slices.Clone(services)
	slices.SortStableFunc(served, func(a, b string) int { return rankS3(a) - rankS3(b) })
	return &router{served: served}
}

func rankS3(key string) int {
	if key == "s3" {
		return 1
	}
	return 0
}

// route finds protocol, service and operation of a request that is signed for the service name signed ("" if it is not).
// When it fails it still returns a call with what is known, so that the error can be written in the client's protocol.
func (rt *router) route(host string, m *wire.Message, signed string) (*wire.Call, *aws.Error) {
	if target := m.Header.Get("X-Amz-Target"); target != "" {
		return routeTarget(target, m.Header.Get("Content-Type"))
	}
	if strings.HasPrefix(m.Path, "/service/") && strings.EqualFold(m.Header.Get("Smithy-Protocol"), "rpc-v2-cbor") {
		return routeCBOR(m.Path)
	}
	if action, version, ok := queryAction(m); ok {
		return rt.routeQuery(action, version, signed, host)
	}
	return rt.routeREST(host, m, signed)
}

// routeTarget reads an X-Amz-Target, "<prefix>.<Operation>".
func routeTarget(target, contentType string) (*wire.Call, *aws.Error) {
	c := &wire.Call{Protocol: wire.JSON}
	prefix, name := target, ""
	if i := strings.LastIndexByte(target, '.'); i >= 0 {
		prefix, name = target[:i], target[i+1:]
	}
	s, ok := aws.Model(prefix)
	if !ok {
		return c, unknownOperation("No service has the target prefix '%s' (X-Amz-Target: %s).", prefix, target)
	}
	c.Service = s
	if c.Operation = s.Operations[name]; c.Operation == nil {
		if c.Service, c.Operation = sameTarget(s, name); c.Operation == nil {
			return c, unknownOperation("%s has no operation '%s'.", s.ID, name)
		}
	}
	if strings.HasPrefix(contentType, "application/x-amz-cbor") {
		return c, unknownOperation("Newel does not speak application/x-amz-cbor; use JSON.")
	}
	return c, nil
}

// sameTarget looks an operation up in another service with the same target prefix (Timestream).
func sameTarget(s *aws.Service, name string) (*aws.Service, *aws.Operation) {
	for _, info := range aws.Services() {
		if info.TargetPrefix == s.TargetPrefix && info.Key != s.Key {
			if other := aws.MustModel(info.Key); other.Operations[name] != nil {
				return other, other.Operations[name]
			}
		}
	}
	return s, nil
}

// routeCBOR reads the path of RPC v2: /service/<shape name>/operation/<Operation>.
func routeCBOR(path string) (*wire.Call, *aws.Error) {
	c := &wire.Call{Protocol: wire.CBOR}
	p := strings.Split(path, "/")
	if len(p) != 5 || p[3] != "operation" {
		return c, unknownOperation("The path '%s' is not /service/<service>/operation/<operation>.", path)
	}
	s, ok := aws.Model(p[2])
	if !ok {
		return c, unknownOperation("No service is called '%s'.", p[2])
	}
	c.Service = s
	if c.Operation = s.Operations[p[4]]; c.Operation == nil {
		return c, unknownOperation("%s has no operation '%s'.", s.ID, p[4])
	}
	return c, nil
}

func isForm(h header.List) bool {
	return strings.HasPrefix(h.Get("Content-Type"), "application/x-www-form-urlencoded")
}

// queryAction finds the Action of a query request, in its body or in the URL.
func queryAction(m *wire.Message) (action, version string, ok bool) {
	raw := m.Query
	if isForm(m.Header) && m.Method == http.MethodPost {
		raw = string(m.Body)
		if !strings.Contains(raw, "Action=") {
			raw = m.Query
		}
	}
	for part := range strings.SplitSeq(raw, "&") {
		switch name, value, _ := strings.Cut(part, "="); name {
		case "Action":
			action, _ = url.QueryUnescape(value)
		case "Version":
			version, _ = url.QueryUnescape(value)
		}
	}
	return action, version, action != ""
}

func (rt *router) routeQuery(action, version, signed, host string) (*wire.Call, *aws.Error) {
	c := &wire.Call{Protocol: wire.Query}
	candidates := rt.candidates(signed, host)
	if len(candidates) == 0 {
		for _, info := range aws.Services() {
			if info.APIVersion == version && slices.Contains(rt.served, info.Key) {
				candidates = append(candidates, info)
			}
		}
	}
	if len(candidates) == 0 && version == "" {
		candidates = rt.offering(action)
	}
	for _, exact := range []bool{true, false} {
		for _, info := range candidates {
			if exact && version != "" && info.APIVersion != version {
				continue
			}
			s := aws.MustModel(info.Key)
			if op := s.Operations[action]; op != nil {
				c.Service, c.Operation = s, op
				if slices.Contains(s.Protocols, "ec2") {
					c.Protocol = wire.EC2
				}
				return c, nil
			}
			if c.Service == nil {
				c.Service = s
			}
		}
	}
	e := &aws.Error{Code: "InvalidAction", Message: "Could not find operation " + action + " for version " + orNone(version) + "."}
	if c.Service != nil {
		e.Message = "Could not find operation " + action + " of " + c.Service.ID + " for version " + orNone(version) + "."
	}
	return c, e
}

// offering finds the service of a link that names an action only, such as the one to unsubscribe in a notification of SNS.
func (rt *router) offering(action string) []aws.Info {
	for _, info := range aws.Services() {
		if !slices.Contains(rt.served, info.Key) {
			continue
		}
		if s := aws.MustModel(info.Key); s.Operations[action] != nil && slices.Contains(s.Protocols, "query") {
			return []aws.Info{info}
		}
	}
	return nil
}

func orNone(s string) string {
	if s == "" {
		return "NO_VERSION_SPECIFIED"
	}
	return s
}

// candidates are the services that a request may mean: those that share the name it is signed with, else the one that
// the host names.
func (rt *router) candidates(signed, host string) []aws.Info {
	if signed != "" {
		if found := aws.SignedAs(signed); len(found) > 0 {
			return found
		}
		if info, ok := aws.Lookup(signed); ok {
			return []aws.Info{info}
		}
	}
	first, _, dotted := strings.Cut(strings.TrimPrefix(hostname(host), "sync-"), ".")
	if !dotted {
		return nil
	}
	if strings.HasPrefix(first, "s3-") { // s3-us-west-2.amazonaws.com
		first = "s3"
	}
	if info, ok := aws.Lookup(first); ok {
		return []aws.Info{info}
	}
	return nil
}

func (rt *router) routeREST(host string, m *wire.Message, signed string) (*wire.Call, *aws.Error) {
	candidates := rt.candidates(signed, host)
	if bucket := virtualBucket(hostname(host), signed); bucket != "" && (signed == "" || signed == "s3") {
		if m.Path == "/" {
			m.Path = ""
		}
		m.Path = "/" + url.PathEscape(bucket) + m.Path
		info, _ := aws.Lookup("s3")
		candidates = []aws.Info{info}
	}
	named := len(candidates) > 0
	if !named {
		for _, key := range rt.served {
			if info, ok := aws.Lookup(key); ok {
				candidates = append(candidates, info)
			}
		}
	}
	for _, info := range candidates {
		if call := rt.match(info.Key, m); call != nil {
			return call, nil
		}
	}
	return restUnknown(candidates, named, m)
}

func restUnknown(candidates []aws.Info, named bool, m *wire.Message) (*wire.Call, *aws.Error) {
	c := &wire.Call{Protocol: wire.RESTJSON}
	if !named {
		return c, &aws.Error{Code: "UnknownOperationException", Status: http.StatusNotFound,
			Message: "The request names no operation: it is not signed, has no X-Amz-Target and no Action, and no service has " + m.Method + " " + m.Path + "."}
	}
	c.Service = aws.MustModel(candidates[0].Key)
	p := restProtocol(c.Service)
	if p == "" {
		return &wire.Call{Protocol: wire.JSON, Service: c.Service}, unknownOperation("The request for %s has no X-Amz-Target header.", c.Service.ID)
	}
	c.Protocol = p
	return c, &aws.Error{Code: "UnknownOperationException", Status: http.StatusNotFound,
		Message: c.Service.ID + " has no operation for " + m.Method + " " + m.Path + "."}
}

func restProtocol(s *aws.Service) wire.Protocol {
	for _, p := range s.Protocols {
		if p == string(wire.RESTJSON) || p == string(wire.RESTXML) {
			return wire.Protocol(p)
		}
	}
	return ""
}

// virtualBucket is the bucket in a virtual-hosted S3 name: bucket.s3.amazonaws.com, bucket.s3.us-east-1.amazonaws.com,
// bucket.s3-us-west-2.amazonaws.com, bucket.s3.localhost; and for requests signed for S3 bucket.localhost, which SDKs make
// of the endpoint http://localhost.
func virtualBucket(host, signed string) string {
	for _, mark := range []string{".s3.", ".s3-"} {
		if i := strings.LastIndex(host, mark); i > 0 {
			return host[:i]
		}
	}
	if bucket, ok := strings.CutSuffix(host, ".localhost"); ok && signed == "s3" && bucket != "s3" && !strings.HasPrefix(bucket, "s3.") {
		return bucket
	}
	return ""
}

// streams finds the operation of a request whose body is not to be read before the call; nil if it is none such. Only
// what stands in front of the body is looked at.
func (rt *router) streams(host string, m wire.Message, signed string) *wire.Call {
	if m.Method != http.MethodPut || m.Header.Get("X-Amz-Target") != "" || signed != "" && signed != "s3" {
		return nil
	}
	call, e := rt.routeREST(host, &m, signed)
	if e != nil || !wire.Streams(call) {
		return nil
	}
	return call
}

func (rt *router) match(key string, m *wire.Message) *wire.Call {
	t, ok := rt.trees.Load(key)
	if !ok {
		s := aws.MustModel(key)
		p := restProtocol(s)
		if p == "" {
			return nil
		}
		t, _ = rt.trees.LoadOrStore(key, newTree(s, p))
	}
	return t.(*tree).match(m)
}
