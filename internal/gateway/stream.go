package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/sigv4"
	"github.com/newel-run/newel/internal/aws/wire"
	"github.com/newel-run/newel/internal/http1"
	"github.com/newel-run/newel/internal/http1/header"
)

// serveStream answers a request whose body its service reads from the connection. What the request's signature says of
// the body (its hash, its chunks' signatures) is checked while it passes: the service learns of a damage as an error of
// Read and must not act on what it has read so far.
func (g *Gateway) serveStream(x *http1.Exchange, m *wire.Message, call *wire.Call, from *sender, signed signature) {
	who, chain, err := g.auth.identifyStream(from, signed)
	if err != nil {
		g.writeError(x, call, err)
		return
	}
	// The path of a virtual-hosted request names no bucket; its labels do.
	body := transferred(x, &m.Header, chain)
	req := &aws.Request{Service: call.Service.Key, Operation: call.Operation.Name, Account: who.account, Region: who.region,
		Principal: who.principal, ID: call.RequestID, Host: x.Host}
	if err := wire.DecodeRequest(call, m, req); err != nil {
		g.writeError(x, call, err)
		return
	}
	req.Body, req.Stream = nil, body
	g.answer(x, call, req)
}

// transferred undoes the framing of a body that is passed on, and takes it out of the header.
func transferred(x *http1.Exchange, h *header.List, chain *sigv4.Chain) io.Reader {
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
		c := newChunked(x.Body(), *h, chain)
		if c.want >= 0 {
			h.Set("Content-Length", strconv.FormatInt(c.want, 10))
		}
		return c
	}
	if x.ContentLength >= 0 {
		h.Set("Content-Length", strconv.FormatInt(x.ContentLength, 10))
	}
	if len(declared) == sha256.Size*2 {
		return &hashed{in: x.Body(), want: strings.ToLower(declared), sum: sha256.New()}
	}
	return &whole{x.Body()}
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

// writeStream sends an answer whose body comes from a reader. The status is out when the reader fails: the connection is
// broken off, so that the client sees that something is missing.
func (g *Gateway) writeStream(x *http1.Exchange, m *wire.Message) {
	defer m.Stream.Close() //nolint:errcheck // it was only read
	length := int64(-1)
	if n, err := strconv.ParseInt(m.Header.Get("Content-Length"), 10, 64); err == nil {
		length = n
	}
	w := x.Stream(m.Status, m.Header, length)
	if x.Method == http.MethodHead {
		_ = w.Close() // the client is gone if this fails
		return
	}
	_, err := io.Copy(w, m.Stream)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		if x.Context().Err() == nil {
			g.cfg.Log.Warn("an answer broke off", "path", x.Path, "error", err)
		}
		panic(http.ErrAbortHandler)
	}
}

// hoist is a request's header with the x-amz-* parameters of a presigned URL in it: signers move headers there.
func hoist(x *http1.Exchange) header.List {
	h := x.Header
	if x.Method == http.MethodPut {
		h = slices.Clone(h) // its transfer encoding is taken out
	}
	if !strings.Contains(x.Query, "X-Amz-Algorithm=") {
		return h
	}
	query, _ := url.ParseQuery(x.Query) // what cannot be read does not count
	for name, values := range query {
		switch lower := strings.ToLower(name); lower {
		case "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-signedheaders", "x-amz-signature", "x-amz-security-token":
		default:
			if strings.HasPrefix(lower, "x-amz-") && x.Header.Get(name) == "" {
				h = append(h[:len(h):len(h)], header.Field{Name: name, Value: values[0]})
			}
		}
	}
	return h
}
