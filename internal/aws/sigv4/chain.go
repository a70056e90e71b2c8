package sigv4

import (
	"crypto/hmac"
	"encoding/hex"
	"net/http"
	"strings"
	"time"
)

// Chain checks the signatures of an aws-chunked body's pieces: each covers the one before it, the first that of the
// header.
type Chain struct {
	Trailers bool // the body ends in signed trailers

	key          []byte
	stamp, scope string
	last         string
}

// VerifyHead checks the signature of a request whose body has not been read. A declared SHA-256 of the body counts as
// it stands: the caller compares the body with it. The chain is nil unless the body is signed piece by piece.
func VerifyHead(r *http.Request, secret string, now time.Time, skew time.Duration) (*Chain, error) {
	s, err := check(r, secret, now, skew, func(s *signed) (string, error) {
		switch declared := r.Header.Get("X-Amz-Content-Sha256"); {
		case declared != "":
			return declared, nil
		case s.presigned:
			return unsigned, nil
		}
		return "", errIncomplete
	})
	if err != nil {
		return nil, err
	}
	declared := r.Header.Get("X-Amz-Content-Sha256")
	if !strings.HasPrefix(declared, "STREAMING-"+algorithm) {
		return nil, nil
	}
	return &Chain{Trailers: strings.HasSuffix(declared, "-TRAILER"), key: signingKey(secret, s.scope), stamp: s.stamp, scope: s.scope, last: s.signature}, nil
}

// Chunk checks the next chunk's signature, given the hash of its bytes.
func (c *Chain) Chunk(signature, hash string) bool {
	return c.next(signature, algorithm+"-PAYLOAD\n"+c.stamp+"\n"+c.scope+"\n"+c.last+"\n"+hashHex(nil)+"\n"+hash)
}

// Trailer checks the signature of the trailers: lines "name:value" in the order in which they came.
func (c *Chain) Trailer(signature, lines string) bool {
	return c.next(signature, algorithm+"-TRAILER\n"+c.stamp+"\n"+c.scope+"\n"+c.last+"\n"+hashHex([]byte(lines)))
}

func (c *Chain) next(signature, toSign string) bool {
	c.last = hex.EncodeToString(mac(c.key, toSign))
	return hmac.Equal([]byte(c.last), []byte(signature))
}

// VerifyPolicy checks the signature of a form's policy, given the scope of its credential.
func VerifyPolicy(policy, scope, signature, secret string) error {
	if policy == "" || strings.Count(scope, "/") != 3 || !strings.HasSuffix(scope, "/s3/aws4_request") {
		return errIncomplete
	}
	if !hmac.Equal([]byte(hex.EncodeToString(mac(signingKey(secret, scope), policy))), []byte(signature)) {
		return errMismatch
	}
	return nil
}

func signingKey(secret, scope string) []byte {
	k := []byte("AWS4" + secret)
	for _, part := range strings.Split(scope, "/") {
		k = mac(k, part)
	}
	return k
}
