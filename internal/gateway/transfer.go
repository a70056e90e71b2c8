package gateway

import (
	"bytes"
	"compress/gzip"
	"io"
	"strconv"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/wire"
)

// decodeTransfer undoes what clients wrap a body in on the way: aws-chunked framing, and gzip.
func decodeTransfer(m *wire.Message, limit int64) error {
	encoding := m.Header.Get("Content-Encoding")
	if strings.Contains(encoding, "aws-chunked") || strings.HasPrefix(m.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		body, err := dechunk(m.Body)
		if err != nil {
			return err
		}
		m.Body = body
	}
	// S3 stores a gzip encoding with the object; for an API call it is only transport.
	if strings.EqualFold(strings.TrimSpace(encoding), "gzip") && (m.Header.Get("X-Amz-Target") != "" || isForm(m.Header)) {
		return gunzip(m, limit)
	}
	return nil
}

func gunzip(m *wire.Message, limit int64) error {
	z, err := gzip.NewReader(bytes.NewReader(m.Body))
	if err != nil {
		return aws.Errorf("SerializationException", "The request body is not gzip: %s", err)
	}
	body, err := io.ReadAll(io.LimitReader(z, limit+1))
	if err != nil {
		return aws.Errorf("SerializationException", "The request body is not gzip: %s", err)
	}
	if int64(len(body)) > limit {
		return tooLarge(limit)
	}
	m.Body = body
	return nil
}

// dechunk joins the chunks of an aws-chunked body: each is its size in hexadecimal, extensions such as a signature, CRLF,
// the bytes, CRLF; the last has size zero and may be followed by trailers.
func dechunk(b []byte) ([]byte, error) {
	out := make([]byte, 0, len(b))
	for {
		line, rest, ok := bytes.Cut(b, []byte("\r\n"))
		if !ok {
			return nil, incomplete()
		}
		size, _, _ := bytes.Cut(line, []byte(";"))
		n, err := strconv.ParseUint(string(bytes.TrimSpace(size)), 16, 62)
		if err != nil || n > uint64(len(rest)) {
			return nil, incomplete()
		}
		if n == 0 {
			return out, nil
		}
		out = append(out, rest[:n]...)
		if b, ok = bytes.CutPrefix(rest[n:], []byte("\r\n")); !ok {
			return nil, incomplete()
		}
	}
}

func incomplete() error {
	return aws.Errorf("IncompleteBody", "The request body terminated unexpectedly: its aws-chunked framing is damaged.")
}
