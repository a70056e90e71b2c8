package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/sigv4"
	"github.com/newel-run/newel/internal/aws/wire"
)

// serveStream answers a request whose body its service reads from the connection. What the request's signature says of
// the body (its hash, its chunks' signatures) is checked while it passes: the service learns of a damage as an error of
// Read and must not act on what it has read so far.
func (g *Gateway) serveStream(w http.ResponseWriter, r *http.Request, m *wire.Message, call *wire.Call, signed signature) {
	who, chain, err := g.auth.identifyStream(r, signed)
	if err != nil {
		g.writeError(w, r, call, err)
		return
	}
	// The path of a virtual-hosted request names no bucket; its labels do.
	body := transferred(r, m.Header, chain)
	req := &aws.Request{Service: call.Service.Key, Operation: call.Operation.Name, Account: who.account, Region: who.region,
		Principal: who.principal, ID: call.RequestID, Host: r.Host}
	if err := wire.DecodeRequest(call, m, req); err != nil {
		g.writeError(w, r, call, err)
		return
	}
	req.Body, req.Stream = nil, body
	g.answer(w, r, call, req)
}

// transferred undoes the framing of a body that is passed on, and takes it out of the header.
func transferred(r *http.Request, h http.Header, chain *sigv4.Chain) io.Reader {
	declared := h.Get("X-Amz-Content-Sha256")
	encodings := strings.Split(h.Get("Content-Encoding"), ",")
	kept := encodings[:0]
	framed := strings.HasPrefix(declared, "STREAMING-")
	for _, e := range encodings {
		if e = strings.TrimSpace(e); e == "aws-chunked" {
			framed = true
		} else if e != "" {
			kept = append(kept, e)
		}
	}
	if h.Del("Content-Encoding"); len(kept) > 0 {
		h.Set("Content-Encoding", strings.Join(kept, ","))
	}
	if framed {
		c := newChunked(r.Body, h, chain)
		if c.want >= 0 {
			h.Set("Content-Length", strconv.FormatInt(c.want, 10))
		}
		return c
	}
	if r.ContentLength >= 0 {
		h.Set("Content-Length", strconv.FormatInt(r.ContentLength, 10))
	}
	if len(declared) == sha256.Size*2 {
		return &hashed{in: r.Body, want: strings.ToLower(declared), sum: sha256.New()}
	}
	return &whole{r.Body}
}

// whole makes a connection that breaks off an answer to the client.
type whole struct{ in io.Reader }

func (b *whole) Read(p []byte) (int, error) {
	n, err := b.in.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = broken(err)
	}
	return n, err
}

// hashed checks a body against the hash that its request was signed with.
type hashed struct {
	in   io.Reader
	want string
	sum  hash.Hash
}

func (b *hashed) Read(p []byte) (int, error) {
	n, err := b.in.Read(p)
	b.sum.Write(p[:n]) //nolint:errcheck // a hash never fails
	switch {
	case errors.Is(err, io.EOF):
		if hex.EncodeToString(b.sum.Sum(nil)) != b.want {
			return n, aws.Errorf("XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.")
		}
	case err != nil:
		err = broken(err)
	}
	return n, err
}

// heldBytesMax is the length up to which a streamed answer leaves together with its header.
const heldBytesMax = 64 << 10

// writeStream sends an answer whose body comes from a reader. The status is out when the reader fails: the connection is
// broken off, so that the client sees that something is missing.
func (g *Gateway) writeStream(w http.ResponseWriter, r *http.Request, m *wire.Message) {
	defer m.Stream.Close() //nolint:errcheck // it was only read
	h := w.Header()
	for k, v := range m.Header {
		h[k] = v
	}
	if n, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64); err == nil && n <= heldBytesMax {
		hold(r)
	}
	w.WriteHeader(m.Status)
	if r.Method == http.MethodHead {
		return
	}
	if _, err := io.Copy(w, m.Stream); err != nil {
		if r.Context().Err() == nil {
			g.cfg.Log.Warn("an answer broke off", "path", r.URL.Path, "error", err)
		}
		panic(http.ErrAbortHandler)
	}
}

// hoist is a request's header with the x-amz-* parameters of a presigned URL in it: signers move headers there.
func hoist(r *http.Request) http.Header {
	if !strings.Contains(r.URL.RawQuery, "X-Amz-Algorithm=") {
		if r.Method == http.MethodPut {
			return r.Header.Clone() // its transfer encoding is taken out
		}
		return r.Header
	}
	h := r.Header.Clone()
	for name, values := range r.URL.Query() {
		switch lower := strings.ToLower(name); lower {
		case "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-signedheaders", "x-amz-signature", "x-amz-security-token":
		default:
			if strings.HasPrefix(lower, "x-amz-") && h.Get(name) == "" {
				h.Set(name, values[0])
			}
		}
	}
	return h
}
