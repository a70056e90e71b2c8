package gateway

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/sigv4"
	"github.com/newel-run/newel/internal/http1/header"
)

// chunked reads an aws-chunked body: each chunk is its size in hexadecimal, extensions such as a signature, CRLF, the
// bytes, CRLF; the last has size zero and may be followed by trailers. It is an aws.Trailed. Where the request's
// signature was checked, every chunk's is too; a damaged frame, a length other than X-Amz-Decoded-Content-Length and a
// wrong signature are *aws.Error of Read.
type chunked struct {
	in       *bufio.Reader
	left     int64 // bytes of the chunk
	total    int64
	want     int64 // -1: not said
	declared []string
	trailer  map[string]string
	chain    *sigv4.Chain // nil: not signed or not checked
	sig      string
	sum      hash.Hash
	started  bool
	err      error
}

func newChunked(in io.Reader, h header.List, chain *sigv4.Chain) *chunked {
	c := &chunked{in: bufio.NewReaderSize(in, 32<<10), want: -1, trailer: map[string]string{}, chain: chain, sum: sha256.New()}
	if n, err := strconv.ParseInt(h.Get("X-Amz-Decoded-Content-Length"), 10, 64); err == nil && n >= 0 {
		c.want = n
	}
	for _, line := range h.Values("X-Amz-Trailer") {
		for name := range strings.SplitSeq(line, ",") {
			c.declared = append(c.declared, strings.ToLower(strings.TrimSpace(name)))
		}
	}
	return c
}

// Declared implements aws.Trailed.
func (c *chunked) Declared() []string { return c.declared }

// Trailer implements aws.Trailed.
func (c *chunked) Trailer(name string) string { return c.trailer[name] }

func (c *chunked) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if c.left == 0 {
		if c.err = c.next(); c.err != nil {
			return 0, c.err
		}
	}
	n, err := c.in.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	c.total += int64(n)
	if c.chain != nil {
		c.sum.Write(p[:n]) //nolint:errcheck // a hash never fails
	}
	if err != nil {
		c.err = broken(err)
		return n, c.err
	}
	return n, nil
}

// next ends a chunk and reads the head of the following one; io.EOF after the last.
func (c *chunked) next() error {
	if c.started {
		if err := c.endChunk(); err != nil {
			return err
		}
	}
	c.started = true
	line, err := c.line()
	if err != nil {
		return err
	}
	size, extension, _ := strings.Cut(line, ";")
	n, err := strconv.ParseInt(strings.TrimSpace(size), 16, 64)
	if err != nil || n < 0 || c.want >= 0 && n > c.want-c.total {
		return incomplete()
	}
	c.sig = strings.TrimPrefix(strings.TrimSpace(extension), "chunk-signature=")
	if c.left = n; n > 0 {
		return nil
	}
	if c.want >= 0 && c.total != c.want {
		return incomplete()
	}
	if err := c.checkChunk(); err != nil {
		return err
	}
	if err := c.readTrailers(); err != nil {
		return err
	}
	return io.EOF
}

func (c *chunked) endChunk() error {
	if line, err := c.line(); err != nil || line != "" {
		return incomplete()
	}
	return c.checkChunk()
}

func (c *chunked) checkChunk() error {
	if c.chain == nil {
		return nil
	}
	ok := c.chain.Chunk(c.sig, hex.EncodeToString(c.sum.Sum(nil)))
	c.sum.Reset()
	if !ok {
		return badSignature()
	}
	return nil
}

const trailersMax = 32

// readTrailers reads the lines after the last chunk up to an empty one or the end; with a signed trailer its signature
// is among them.
func (c *chunked) readTrailers() error {
	canonical, signature := "", ""
	for range trailersMax {
		line, err := c.line()
		if err != nil && line == "" || line == "" {
			break
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return incomplete()
		}
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		if name == "x-amz-trailer-signature" {
			signature = value
			continue
		}
		if !slices.Contains(c.declared, name) {
			return &aws.Error{Code: "MalformedTrailerError", Message: "The request contained trailing data that was not well-formed or did not conform to our published schema."}
		}
		c.trailer[name] = value
		canonical += name + ":" + value + "\n"
	}
	for _, name := range c.declared {
		if _, there := c.trailer[name]; !there {
			return &aws.Error{Code: "MalformedTrailerError", Message: "The request contained trailing data that was not well-formed or did not conform to our published schema."}
		}
	}
	if c.chain != nil && c.chain.Trailers && !c.chain.Trailer(signature, canonical) {
		return badSignature()
	}
	return nil
}

// line reads a line without its CRLF; one that does not fit the buffer is an error.
func (c *chunked) line() (string, error) {
	b, err := c.in.ReadSlice('\n')
	if err != nil && !(errors.Is(err, io.EOF) && len(b) > 0) {
		return "", broken(err)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

func broken(err error) error {
	var e *aws.Error
	if errors.As(err, &e) {
		return e
	}
	return incomplete()
}

func incomplete() *aws.Error {
	return aws.Errorf("IncompleteBody", "The request body terminated unexpectedly")
}

func badSignature() *aws.Error {
	return &aws.Error{Code: "SignatureDoesNotMatch", Status: http.StatusForbidden, Message: "The request signature we calculated does not match the signature you provided. Check your key and signing method."}
}
