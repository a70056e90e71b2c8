package gateway

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/http1/header"
)

func TestChunked(t *testing.T) {
	for _, c := range []struct{ name, body, length, trailer, want, code string }{
		{"signed", "5;chunk-signature=aa\r\nhello\r\n1\r\n!\r\n0;chunk-signature=bb\r\n\r\n", "6", "", "hello!", ""},
		{"trailer", "3\r\nabc\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n\r\n", "3", "x-amz-checksum-crc32", "abc", ""},
		{"no last line", "3\r\nabc\r\n0\r\n", "3", "", "abc", ""},
		{"empty", "0\r\n\r\n", "0", "", "", ""},
		{"cut in a chunk", "5\r\nhel", "5", "", "", "IncompleteBody"},
		{"cut after a chunk", "5\r\nhello\r\n", "5", "", "", "IncompleteBody"},
		{"too short", "3\r\nabc\r\n0\r\n\r\n", "5", "", "", "IncompleteBody"},
		{"too long", "3\r\nabc\r\n0\r\n\r\n", "2", "", "", "IncompleteBody"},
		{"no CRLF", "3\r\nabcd\r\n0\r\n\r\n", "", "", "", "IncompleteBody"},
		{"size", "zz\r\nabc\r\n0\r\n\r\n", "", "", "", "IncompleteBody"},
		{"negative", "-1\r\nabc\r\n0\r\n\r\n", "", "", "", "IncompleteBody"},
		{"trailer missing", "3\r\nabc\r\n0\r\n\r\n", "3", "x-amz-checksum-crc32", "", "MalformedTrailerError"},
		{"trailer unknown", "3\r\nabc\r\n0\r\nx-amz-acl:public\r\n\r\n", "3", "x-amz-checksum-crc32", "", "MalformedTrailerError"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := http.Header{}
			if c.length != "" {
				h.Set("X-Amz-Decoded-Content-Length", c.length)
			}
			if c.trailer != "" {
				h.Set("X-Amz-Trailer", c.trailer)
			}
			r := newChunked(iotest.OneByteReader(strings.NewReader(c.body)), header.Of(h), nil)
			got, err := io.ReadAll(r)
			var e *aws.Error
			if c.code != "" {
				if !errors.As(err, &e) || e.Code != c.code {
					t.Fatalf("%q, %v, want %s", got, err, c.code)
				}
				return
			}
			if err != nil || string(got) != c.want {
				t.Fatalf("%q, %v", got, err)
			}
			if c.trailer != "" && r.Trailer(c.trailer) == "" {
				t.Error("the trailer is lost")
			}
		})
	}
}

func FuzzChunked(f *testing.F) {
	f.Add([]byte("3\r\nabc\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n\r\n"), "3", "x-amz-checksum-crc32")
	f.Add([]byte("5;chunk-signature=aa\r\nhello\r\n0\r\n\r\n"), "", "")
	f.Fuzz(func(t *testing.T, body []byte, length, trailer string) {
		h := http.Header{"X-Amz-Decoded-Content-Length": {length}, "X-Amz-Trailer": {trailer}}
		got, err := io.ReadAll(newChunked(bytes.NewReader(body), header.Of(h), nil))
		if len(got) > len(body) {
			t.Errorf("%d bytes out of %d", len(got), len(body))
		}
		var e *aws.Error
		if err != nil && !errors.As(err, &e) {
			t.Errorf("not an answer: %v", err)
		}
	})
}
