package gateway

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/wire"
)

// decodeTransfer undoes what clients wrap a body in on the way: aws-chunked framing, and gzip.
func decodeTransfer(m *wire.Message, limit int64) error {
	encoding := m.Header.Get("Content-Encoding")
	if strings.Contains(encoding, "aws-chunked") || strings.HasPrefix(m.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		body, err := io.ReadAll(newChunked(bytes.NewReader(m.Body), m.Header, nil))
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
