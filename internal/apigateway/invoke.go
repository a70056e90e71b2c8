package apigateway

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

const bodyMax = 10 << 20 // API Gateway's payload limit, bytes

// invocation is one request to a deployed API.
type invocation struct {
	s          *Service
	at         place
	apiID      string
	api        *snapshot
	stage      *stage
	resource   *resource
	method     *method
	r          *http.Request
	path       string // below the stage
	parameters map[string]string
	body       []byte
	id         string
	now        time.Time
	overrides  overrides
}

// overrides are what templates have set of $context.responseOverride.
type overrides struct {
	status int
	header map[string]string
}

// refusal is an answer of API Gateway itself.
type refusal struct {
	status     int
	kind, text string
	cause      error // for the log
}

func (r *refusal) Error() string { return r.text }

func internal(cause error) *refusal {
	return &refusal{http.StatusInternalServerError, "InternalServerErrorException", "Internal server error", cause}
}

// ServesHost reports whether a host name is a deployed API's: ID.execute-api.REGION.amazonaws.com or ID.execute-api.localhost.
func ServesHost(authority string) bool {
	_, rest, ok := strings.Cut(authority, ".")
	return ok && strings.HasPrefix(rest, "execute-api.")
}

// UserRequestPattern is the path below which APIs are invoked on any host name, as a pattern of http.ServeMux:
// /restapis/ID/STAGE/_user_request_/PATH.
const UserRequestPattern = "/restapis/{api}/{stage}/_user_request_/{path...}"

// ServeHTTP invokes an API, by UserRequestPattern or by a host name that ServesHost knows, /STAGE/PATH.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := &invocation{s: s, r: r, id: aws.NewUUID(), now: s.Env.Now()}
	apiID, stageName, path := r.PathValue("api"), r.PathValue("stage"), ""
	if apiID != "" {
		_, path, _ = strings.Cut(r.URL.EscapedPath(), "/_user_request_")
	} else {
		apiID, _, _ = strings.Cut(r.Host, ".")
		first, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
		stageName, path = first, "/"+rest
	}
	w.Header().Set("x-amzn-RequestId", v.id)
	if err := v.run(w, apiID, stageName, path); err != nil {
		v.refuse(w, err)
	}
}

func (v *invocation) refuse(w http.ResponseWriter, err error) {
	var e *refusal
	if !errors.As(err, &e) {
		e = internal(service.Wire(err))
	}
	if e.cause != nil {
		v.s.Env.Log.Warn("an API's request failed", "api", v.apiID, "method", v.r.Method, "path", v.path, "status", e.status, "error", e.cause)
	}
	w.Header().Set("x-amzn-ErrorType", e.kind)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.status)
	b, _ := json.Marshal(map[string]string{"message": e.text})
	_, _ = w.Write(b) // the client is gone if this fails
}

func (v *invocation) run(w http.ResponseWriter, apiID, stageName, path string) error {
	if v.path = path; v.path == "" {
		v.path = "/"
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, v.r.Body, bodyMax))
	if err != nil {
		return &refusal{http.StatusRequestEntityTooLarge, "RequestTooLargeException", "Request Too Long", nil}
	}
	v.body = body
	ctx := v.r.Context()
	if err = v.find(ctx, strings.ToLower(apiID), stageName); err != nil {
		return err
	}
	timeout := time.Duration(v.method.Integration.TimeoutInMillis) * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err = v.integrate(ctx, w)
	if err != nil && ctx.Err() != nil && v.r.Context().Err() == nil {
		return &refusal{http.StatusGatewayTimeout, "InternalServerErrorException", "Endpoint request timed out", err}
	}
	return err
}

// find reads the stage and its deployment and finds resource and method in it.
func (v *invocation) find(ctx context.Context, apiID, stageName string) error {
	forbidden := &refusal{http.StatusForbidden, "ForbiddenException", "Forbidden", nil}
	at, ok := v.s.locate(apiID)
	if !ok {
		return forbidden
	}
	v.at, v.apiID = at, apiID
	c := &service.Context{}
	c.Request = v.s.request(at)
	var d *deployment
	admitted := true
	err := v.s.Env.Store.View(ctx, v.s.PartitionOf(at.account, at.region, ""), func(rd store.Reader) (err error) {
		if v.stage, err = load[stage](rd, key(c, "stage", apiID, stageName)); err != nil || v.stage == nil {
			return err
		}
		if d, err = v.s.snapshot(rd, c, apiID, v.stage.DeploymentID); err != nil || d == nil {
			return err
		}
		v.api = d.Snapshot
		if v.route(); v.method != nil && v.method.APIKeyRequired {
			admitted, err = admits(c, rd, apiID, stageName, v.r.Header.Get("x-api-key"))
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case d == nil || d.Snapshot.API.DisableExecuteAPIEndpoint || !admitted:
		return forbidden
	case v.method == nil:
		return &refusal{http.StatusForbidden, "MissingAuthenticationTokenException", "Missing Authentication Token", nil}
	}
	return nil
}

// snapshot reads a deployment, which never changes.
func (s *Service) snapshot(rd store.Reader, c *service.Context, apiID, id string) (*deployment, error) {
	name := apiID + "/" + id
	s.mu.Lock()
	d := s.snapshots[name]
	s.mu.Unlock()
	if d != nil {
		return d, nil
	}
	d, err := load[deployment](rd, key(c, "deployment", apiID, id))
	if err != nil || d == nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.snapshots) >= snapshotsMax {
		clear(s.snapshots)
	}
	s.snapshots[name] = d
	return d, nil
}

const snapshotsMax = 256

// route finds the resource that a path names, a literal before a parameter before a greedy one, and its method.
func (v *invocation) route() {
	segments := strings.Split(strings.Trim(v.path, "/"), "/")
	if v.path == "/" {
		segments = nil
	}
	best := ""
	for _, r := range v.api.Resources {
		m := r.Methods[v.r.Method]
		if m == nil {
			m = r.Methods["ANY"]
		}
		if m == nil {
			continue
		}
		if rank, parameters, ok := match(r.Path, segments); ok && (v.method == nil || rank < best) {
			best, v.resource, v.method, v.parameters = rank, r, m, parameters
		}
	}
}

// match fits a resource's path to the segments of a request. A smaller rank is a better fit.
func match(path string, segments []string) (rank string, parameters map[string]string, ok bool) {
	var parts []string
	if path != "/" {
		parts = strings.Split(path[1:], "/")
	}
	parameters = map[string]string{}
	for i, part := range parts {
		if i >= len(segments) {
			return "", nil, false
		}
		name, isParameter := strings.CutPrefix(strings.TrimSuffix(part, "}"), "{")
		greedy, isGreedy := strings.CutSuffix(name, "+")
		switch {
		case isParameter && isGreedy:
			parameters[greedy] = unescape(strings.Join(segments[i:], "/"))
			return rank + "c", parameters, true
		case isParameter && segments[i] != "":
			parameters[name] = unescape(segments[i])
			rank += "b"
		case part == unescape(segments[i]):
			rank += "a"
		default:
			return "", nil, false
		}
	}
	return rank, parameters, len(parts) == len(segments)
}

func unescape(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	return s
}

// contentType is the media type of the request.
func (v *invocation) contentType() string {
	t, _, _ := strings.Cut(v.r.Header.Get("Content-Type"), ";")
	if t = strings.ToLower(strings.TrimSpace(t)); t == "" {
		return "application/json"
	}
	return t
}

// isBinary reports whether the API handles a media type as bytes.
func (v *invocation) isBinary(mediaType string) bool {
	return slices.ContainsFunc(v.api.API.BinaryMediaTypes, func(t string) bool {
		prefix, wild := strings.CutSuffix(t, "*")
		return t == "*/*" || t == mediaType || wild && strings.HasPrefix(mediaType, prefix)
	})
}

func (v *invocation) sourceIP() string {
	if host, _, err := net.SplitHostPort(v.r.RemoteAddr); err == nil {
		return host
	}
	return v.r.RemoteAddr
}
