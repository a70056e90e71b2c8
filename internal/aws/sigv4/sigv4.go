// Package sigv4 signs HTTP requests with AWS Signature Version 4 and checks such signatures, in the Authorization header
// or in the query (presigned). It follows AWS's description of the algorithm; the only difference between services is
// S3, which does not normalise paths and encodes them once.
//
// What is checked is the request as it came in: method, escaped path, query, the headers that the signer lists (Host must
// be among them), and the body by its SHA-256. A body that the signer declares unsigned (UNSIGNED-PAYLOAD) or signed
// piece by piece (STREAMING-...) is not covered; the connection's TLS protects it.
package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	timeLayout = "20060102T150405Z"
	unsigned   = "UNSIGNED-PAYLOAD"
)

// Expired reports whether a presigned request is past its time; it checks nothing else.
func Expired(r *http.Request, now time.Time) bool {
	if r.URL.RawQuery == "" || r.Header.Get("Authorization") != "" {
		return false
	}
	q := r.URL.Query()
	if q.Get("Signature") != "" && q.Get("Expires") != "" { // version 2
		at, err := strconv.ParseInt(q.Get("Expires"), 10, 64)
		return err == nil && now.Unix() > at
	}
	at, err := time.Parse(timeLayout, q.Get("X-Amz-Date"))
	seconds, err2 := strconv.Atoi(q.Get("X-Amz-Expires"))
	return err == nil && err2 == nil && now.After(at.Add(time.Duration(seconds)*time.Second))
}

// Credentials sign requests.
type Credentials struct{ AccessKey, Secret, SessionToken string }

// Sign adds the headers of a signature to a request with the given body. Request.Host and all headers that are there
// already, but for those that proxies change, are signed.
func Sign(r *http.Request, body []byte, c Credentials, service, region string, now time.Time) {
	stamp := now.UTC().Format(timeLayout)
	r.Header.Set("X-Amz-Date", stamp)
	if c.SessionToken != "" {
		r.Header.Set("X-Amz-Security-Token", c.SessionToken)
	}
	hash := hashHex(body)
	if service == "s3" {
		r.Header.Set("X-Amz-Content-Sha256", hash)
	}
	names := []string{"host"}
	for k := range r.Header {
		switch n := strings.ToLower(k); n {
		case "authorization", "user-agent", "connection", "expect", "x-amzn-trace-id":
		default:
			names = append(names, n)
		}
	}
	slices.Sort(names)
	scope := stamp[:8] + "/" + region + "/" + service + "/aws4_request"
	sig := sign(c.Secret, scope, stamp, canonical(r, names, hash, service == "s3", r.URL.RawQuery))
	r.Header.Set("Authorization", algorithm+" Credential="+c.AccessKey+"/"+scope+", SignedHeaders="+strings.Join(names, ";")+", Signature="+sig)
}

func sign(secret, scope, stamp, request string) string {
	toSign := algorithm + "\n" + stamp + "\n" + scope + "\n" + hashHex([]byte(request))
	return hex.EncodeToString(mac(signingKey(secret, scope), toSign))
}

func mac(key []byte, s string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(s)) //nolint:errcheck // a hash never fails
	return h.Sum(nil)
}

func hashHex(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// canonical is the canonical request.
func canonical(r *http.Request, names []string, payloadHash string, s3 bool, query string) string {
	var b strings.Builder
	b.WriteString(r.Method + "\n" + canonicalPath(r.URL.EscapedPath(), s3) + "\n" + canonicalQuery(query) + "\n")
	for _, n := range names {
		b.WriteString(n + ":" + headerValue(r, n) + "\n")
	}
	b.WriteString("\n" + strings.Join(names, ";") + "\n" + payloadHash)
	return b.String()
}

func headerValue(r *http.Request, name string) string {
	switch name {
	case "host":
		return r.Host
	case "content-length":
		if v := r.Header.Get("Content-Length"); v != "" {
			return v
		}
		return strconv.FormatInt(r.ContentLength, 10)
	case "transfer-encoding":
		return strings.Join(r.TransferEncoding, ",")
	}
	values := r.Header.Values(name)
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = strings.Join(strings.Fields(v), " ")
	}
	return strings.Join(out, ",")
}

func canonicalPath(escaped string, s3 bool) string {
	if escaped == "" {
		escaped = "/"
	}
	if s3 {
		// Clients may escape differently from the canonical form; S3 canonicalises the decoded path.
		if p, err := url.PathUnescape(escaped); err == nil {
			return escape(p, true)
		}
		return escaped
	}
	clean := path.Clean(escaped)
	if strings.HasSuffix(escaped, "/") && clean != "/" {
		clean += "/"
	}
	return escape(clean, true)
}

// canonicalQuery sorts and escapes the parameters, without the signature itself.
func canonicalQuery(raw string) string {
	if raw == "" {
		return ""
	}
	var pairs []string
	for _, p := range strings.Split(raw, "&") {
		if p == "" {
			continue
		}
		name, value, _ := strings.Cut(p, "=")
		name, value = unescape(name), unescape(value)
		if name != "X-Amz-Signature" {
			pairs = append(pairs, escape(name, false)+"="+escape(value, false))
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

func unescape(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}

// escape percent-encodes all but the unreserved characters, and slashes if keepSlash.
func escape(s string, keepSlash bool) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.', c == '~', c == '/' && keepSlash:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// signed is what a request's signature says.
type signed struct {
	scope, stamp, signature, service string
	names                            []string
	expires                          time.Duration // presigned: how long after stamp it is good
	presigned                        bool
}

var (
	errMismatch   = errors.New("The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.") //nolint:staticcheck // AWS's wording
	errIncomplete = errors.New("The request signature is incomplete.")                                                                                                                                               //nolint:staticcheck // a sentence for the client
)

// Verify checks a request's signature against the secret of its access key. The error's text is AWS's wording for the
// client.
func Verify(r *http.Request, body []byte, secret string, now time.Time, skew time.Duration) error {
	_, err := check(r, secret, now, skew, func(s *signed) (string, error) { return payloadHash(r, body, s) })
	return err
}

// check checks a signature over what stands in the header and the payload's hash.
func check(r *http.Request, secret string, now time.Time, skew time.Duration, payload func(*signed) (string, error)) (*signed, error) {
	s, err := parse(r)
	if err != nil {
		return nil, err
	}
	at, err := time.Parse(timeLayout, s.stamp)
	if err != nil || !strings.HasPrefix(s.scope, s.stamp[:8]+"/") {
		return nil, errIncomplete
	}
	if err := checkTime(s, at, now, skew); err != nil {
		return nil, err
	}
	if !slices.Contains(s.names, "host") {
		return nil, errIncomplete
	}
	for k := range r.Header {
		// Whatever can change the meaning of a request must be signed.
		if n := strings.ToLower(k); strings.HasPrefix(n, "x-amz-") && !s.presigned && !slices.Contains(s.names, n) {
			return nil, errIncomplete
		}
	}
	hash, err := payload(s)
	if err != nil {
		return nil, err
	}
	want := sign(secret, s.scope, s.stamp, canonical(r, s.names, hash, s.service == "s3", r.URL.RawQuery))
	if !hmac.Equal([]byte(want), []byte(s.signature)) {
		return nil, errMismatch
	}
	return s, nil
}

func checkTime(s *signed, at, now time.Time, skew time.Duration) error {
	if s.presigned {
		skew = max(skew, 0)
		if now.After(at.Add(s.expires)) || at.After(now.Add(skew)) {
			return errors.New("Request has expired") //nolint:staticcheck // AWS's wording
		}
		return nil
	}
	const layout = timeLayout
	if at.Before(now.Add(-skew)) {
		return fmt.Errorf("Signature expired: %s is now earlier than %s (%s - %d min.)", s.stamp, now.Add(-skew).UTC().Format(layout), now.UTC().Format(layout), int(skew.Minutes())) //nolint:staticcheck // AWS's wording
	}
	if at.After(now.Add(skew)) {
		return fmt.Errorf("Signature not yet current: %s is still later than %s (%s + %d min.)", s.stamp, now.Add(skew).UTC().Format(layout), now.UTC().Format(layout), int(skew.Minutes())) //nolint:staticcheck // AWS's wording
	}
	return nil
}

// payloadHash is the body's hash as it enters the canonical request; a declared hash must be the body's.
func payloadHash(r *http.Request, body []byte, s *signed) (string, error) {
	declared := r.Header.Get("X-Amz-Content-Sha256")
	actual := hashHex(body)
	switch {
	case declared == "" && s.presigned && s.service == "s3":
		return unsigned, nil
	case declared == "":
		return actual, nil
	case declared == unsigned, strings.HasPrefix(declared, "STREAMING-"):
		return declared, nil
	case !strings.EqualFold(declared, actual):
		return "", errors.New("The provided 'x-amz-content-sha256' header does not match what was computed.") //nolint:staticcheck // AWS's wording
	}
	return declared, nil
}

func parse(r *http.Request) (*signed, error) {
	s := &signed{}
	credential, names := "", ""
	if h := r.Header.Get("Authorization"); h != "" {
		rest, ok := strings.CutPrefix(h, algorithm)
		if !ok {
			return nil, fmt.Errorf("The signing algorithm is not supported: %s is needed.", algorithm) //nolint:staticcheck // a sentence for the client
		}
		for _, part := range strings.Split(rest, ",") {
			switch k, v, _ := strings.Cut(strings.TrimSpace(part), "="); k {
			case "Credential":
				credential = v
			case "SignedHeaders":
				names = v
			case "Signature":
				s.signature = v
			}
		}
		if s.stamp = r.Header.Get("X-Amz-Date"); s.stamp == "" {
			if t, err := http.ParseTime(r.Header.Get("Date")); err == nil {
				s.stamp = t.UTC().Format(timeLayout)
			}
		}
	} else {
		q := r.URL.Query()
		if q.Get("X-Amz-Algorithm") != algorithm {
			return nil, fmt.Errorf("The signing algorithm is not supported: %s is needed.", algorithm) //nolint:staticcheck // a sentence for the client
		}
		credential, names, s.signature, s.stamp = q.Get("X-Amz-Credential"), q.Get("X-Amz-SignedHeaders"), q.Get("X-Amz-Signature"), q.Get("X-Amz-Date")
		seconds, err := strconv.Atoi(q.Get("X-Amz-Expires"))
		if err != nil || seconds < 0 || seconds > 7*24*3600 {
			return nil, errIncomplete
		}
		s.presigned, s.expires = true, time.Duration(seconds)*time.Second
	}
	_, scope, _ := strings.Cut(credential, "/")
	parts := strings.Split(scope, "/")
	if len(parts) != 4 || parts[3] != "aws4_request" || names == "" || s.signature == "" || len(s.stamp) != len(timeLayout) {
		return nil, errIncomplete
	}
	s.scope, s.service, s.names = scope, parts[2], strings.Split(strings.ToLower(names), ";")
	return s, nil
}
