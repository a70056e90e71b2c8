package node

import (
	"net/http"
	"net/http/pprof"
)

// profilePath is where Go's profiles are, when the server was started with --pprof: `go tool pprof URL/_newel/pprof/profile`.
const profilePath = "/_newel/pprof/"

// serveProfiles hands out profiles of the running server. They show file names and timing, never payloads.
func (n *Node) serveProfiles() {
	if !n.cfg.Profile {
		return
	}
	n.gateway.Handle("GET "+profilePath+"profile", n.gateway.Signed(http.HandlerFunc(pprof.Profile)))
	n.gateway.Handle("GET "+profilePath+"trace", n.gateway.Signed(http.HandlerFunc(pprof.Trace)))
	for _, name := range []string{"allocs", "block", "goroutine", "heap", "mutex", "threadcreate"} {
		n.gateway.Handle("GET "+profilePath+name, n.gateway.Signed(pprof.Handler(name)))
	}
}
