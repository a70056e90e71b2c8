// Package gateway is the HTTP edge of the seam: it turns requests of AWS clients into aws.Request, calls, and writes the
// answer. One port serves every service; which service and operation a request means follows from the X-Amz-Target
// header, the path of RPC v2, the Action parameter, or the method and URI of a REST API within the service that the
// request is signed for (route.go).
//
// What decides is in this order: the guard (guard.go: Host, Origin, fetch metadata, CORS preflights), then credentials
// (auth.go), then the protocol. A request that fails there reaches no service. The gateway keeps no state but metrics of
// its own life; anything that can fail behind it comes back as an error of Caller: an *aws.Error is written in the
// protocol of the request, anything else is logged and becomes an InternalFailure without details.
//
// The handler works on a request in memory (body limit in Config) and writes header and body of the answer together. The
// loop below it is internal/http1; what is an http.Handler (Handle, HandleHost) is served through its adapter. A request of
// net/http is made only where one is needed: for those, and where a signature is checked.
package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/http1"
)

// Gateway serves AWS's APIs over HTTP.
type Gateway struct {
	cfg    Config
	caller aws.Caller
	guard  guard
	auth   *authenticator
	router *router
	hooks  *http.ServeMux
	hooked []string // what the paths of hooks begin with
	hosts  []hostHook
	drain  chan struct{}
	closed atomic.Bool
	budget budget
}

// New makes a gateway for what caller answers. The error is a Config that cannot be served.
func New(cfg Config, caller aws.Caller) (*Gateway, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	g := &Gateway{cfg: cfg, caller: caller, guard: newGuard(cfg.Hosts), router: newRouter(cfg.Services), hooks: http.NewServeMux(), drain: make(chan struct{})}
	g.budget.max = cfg.BytesInFlight
	var err error
	if g.auth, err = newAuthenticator(cfg); err != nil {
		return nil, err
	}
	g.Handle("GET "+healthPath, http.HandlerFunc(g.health))
	return g, nil
}

// Handle serves the paths of a pattern (as in http.ServeMux) by h instead of as AWS API. The guard's rules apply to them,
// credentials do not: h sees to its own. Handle is called before Serve.
func (g *Gateway) Handle(pattern string, h http.Handler) {
	path, _, _ := strings.Cut(pattern[strings.IndexByte(pattern, '/'):], "{")
	g.hooked = append(g.hooked, path)
	g.hooks.Handle(pattern, h)
}

// mayHook reports whether a path may be one of a hook: only then the patterns are looked at.
func (g *Gateway) mayHook(path string) bool {
	for _, p := range g.hooked {
		if strings.HasPrefix(path, p) {
			return true
		}
	}
	return strings.HasPrefix(path, "/%")
}

type hostHook struct {
	serves func(authority string) bool
	h      http.Handler
}

// HandleHost serves the requests to the hosts that serves admits by h, under the rules of Handle.
func (g *Gateway) HandleHost(serves func(authority string) bool, h http.Handler) {
	g.hosts = append(g.hosts, hostHook{serves, h})
}

// Serve answers connections of l until ctx ends; then it stops accepting, closes aws.Draining of the running requests,
// waits for them at most Config.Drain and cuts off the rest. It returns nil after a drain, else what stopped it.
// A listener on an address other than loopback is refused unless the configuration secures it.
func (g *Gateway) Serve(ctx context.Context, l net.Listener) error {
	if err := g.cfg.CheckListen(l.Addr().String()); err != nil {
		_ = l.Close() // nothing was accepted
		return err
	}
	tlsConfig, err := g.cfg.tlsConfig()
	if err != nil {
		_ = l.Close()
		return err
	}
	srv := http1.New(http1.Config{
		Handler:        g.serve,
		HeaderBytesMax: g.cfg.HeaderBytesMax, HeaderTimeout: g.cfg.HeaderTimeout, IdleTimeout: g.cfg.IdleTimeout, StallTimeout: g.cfg.StallTimeout,
		Connections: g.cfg.Connections, Base: aws.WithDrain(context.WithoutCancel(ctx), g.drain), TLS: tlsConfig, Log: g.cfg.Log,
	})
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	select {
	case err := <-failed:
		srv.Close()
		return err
	case <-ctx.Done():
	}
	return g.stop(srv)
}

func (g *Gateway) stop(srv *http1.Server) error {
	if g.closed.CompareAndSwap(false, true) {
		close(g.drain)
	}
	ctx, cancel := context.WithTimeout(context.Background(), g.cfg.Drain)
	defer cancel()
	err := srv.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		g.cfg.Log.Warn("requests were still running when the drain time was over", "drain", g.cfg.Drain)
		srv.Close()
		err = nil
	}
	return err
}

// serve answers one request.
func (g *Gateway) serve(x *http1.Exchange) {
	id := aws.NewUUID()
	if e := g.guard.check(x); e != nil {
		g.refuse(x, e, id)
		return
	}
	if g.mayHook(x.Path) {
		if _, pattern := g.hooks.Handler(x.HTTPRequest()); pattern != "" {
			x.ServeHTTP(g.hooks)
			return
		}
	}
	for _, hook := range g.hosts {
		if hook.serves(x.Host) {
			x.ServeHTTP(hook.h)
			return
		}
	}
	g.serveAPI(x, id)
}

// readBody reads a body of at most BodyBytesMax bytes, for which there is room: errCrowded else.
func (g *Gateway) readBody(x *http1.Exchange, held *share) ([]byte, error) {
	limit, n := g.cfg.BodyBytesMax, x.ContentLength
	if n > limit {
		return nil, tooLarge(limit)
	}
	if !held.grow(requestBytes) {
		return nil, errCrowded
	}
	if n == 0 {
		return nil, nil
	}
	if b, ok := x.Buffered(); ok {
		if !held.grow(n) {
			return nil, errCrowded
		}
		return bytes.Clone(b), nil
	}
	in := &counted{x.Body(), held}
	var body []byte
	var err error
	if n > 0 && n <= preallocateMax {
		body = make([]byte, n)
		_, err = io.ReadFull(in, body)
	} else {
		body, err = io.ReadAll(io.LimitReader(in, limit+1))
	}
	if int64(len(body)) > limit {
		return nil, tooLarge(limit)
	}
	if errors.Is(err, errCrowded) {
		return nil, err
	}
	if err != nil {
		return nil, &aws.Error{Code: "IncompleteBody", Message: "The request body could not be read: " + err.Error()}
	}
	return body, nil
}

// preallocateMax bounds the memory that a Content-Length makes us reserve before the bytes are there.
const preallocateMax = 1 << 20

func tooLarge(limit int64) *aws.Error {
	return &aws.Error{Code: "RequestEntityTooLargeException", Status: http.StatusRequestEntityTooLarge,
		Message: "The request body is larger than the limit of " + byteCount(limit) + "."}
}

func now() time.Time { return time.Now() }
