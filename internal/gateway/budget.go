package gateway

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/wire"
	"github.com/newel-run/newel/internal/http1"
)

// budget bounds the bytes of bodies that requests hold in memory: what has arrived of them, and the answers until they are
// written. Above the bound new work is refused, finishing work has a quarter more. A request that holds something when
// nobody else does is never refused for it: the limit of a single body is another one.
type budget struct {
	max  int64
	used atomic.Int64
}

// requestBytes is what any request is taken to hold beside its body.
const requestBytes = 4 << 10

// share is what one request holds.
type share struct {
	b         *budget
	held      int64
	finishing bool
}

// grow takes bytes; it is not ok if there is no room for them.
func (s *share) grow(n int64) bool {
	most := s.b.max
	if s.finishing {
		most += most / 4
	}
	if used := s.b.used.Add(n); used > most && used > s.held+n {
		s.b.used.Add(-n)
		return false
	}
	s.held += n
	return true
}

func (s *share) release() {
	s.b.used.Add(-s.held)
	s.held = 0
}

// errCrowded: there is no room for a request.
var errCrowded = errors.New("gateway: too many bytes are in flight")

// counted takes room for a body as it arrives, so that a client that announces much and sends nothing holds nothing.
type counted struct {
	in    io.Reader
	share *share
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	if !c.share.grow(int64(n)) {
		return n, errCrowded
	}
	return n, err
}

// finishes reports whether a request's operation ends or only looks at what was accepted, as far as the header tells.
func finishes(x *http1.Exchange) bool {
	target := x.Header.Get("X-Amz-Target")
	if target == "" {
		return x.Method == http.MethodGet || x.Method == http.MethodHead || x.Method == http.MethodDelete
	}
	operation := target[strings.LastIndexByte(target, '.')+1:]
	for _, verb := range []string{"SendTask", "Stop", "Delete", "ChangeMessageVisibility", "Purge", "Describe", "Get", "List"} {
		if strings.HasPrefix(operation, verb) {
			return true
		}
	}
	return false
}

// crowd is the refusal of a request whose body was not read, in the words of the service that it is for.
func (g *Gateway) crowd(x *http1.Exchange, call *wire.Call, signed string) (*wire.Call, *aws.Error) {
	if isForm(x.Header) && x.Header.Get("X-Amz-Target") == "" {
		id := call.RequestID
		if call = (&wire.Call{Protocol: wire.Query, RequestID: id}); signed != "" {
			if found := g.router.candidates(signed, x.Host); len(found) > 0 {
				call.Service = aws.MustModel(found[0].Key)
			}
		}
	}
	service := ""
	if call.Service != nil {
		service = call.Service.Key
	}
	e := g.cfg.Refusal(service)
	x.Close() // the rest of the body is not read
	return call, e
}
