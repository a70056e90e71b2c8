package gateway

import (
	"bufio"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/sigv4"
	"github.com/newel-run/newel/internal/http1"
)

// identity is who calls, and where.
type identity struct{ account, region, principal string }

// signature is what a request says of its signer; its parts are empty if it is not signed.
type signature struct {
	accessKey, region, service string
}

// sender is what a request says of who sent it.
type sender struct {
	authorization, query, token string // token is the security token in the header
	request                     interface{ HTTPRequest() *http.Request }
}

func senderOf(x *http1.Exchange) sender {
	return sender{x.Header.Get("Authorization"), x.Query, x.Header.Get("X-Amz-Security-Token"), x}
}

type ofHTTP struct{ r *http.Request }

func (o ofHTTP) HTTPRequest() *http.Request { return o.r }

func senderOfHTTP(r *http.Request) sender {
	return sender{r.Header.Get("Authorization"), r.URL.RawQuery, r.Header.Get("X-Amz-Security-Token"), ofHTTP{r}}
}

func (s *sender) queryValue(name string) string {
	q, _ := url.ParseQuery(s.query) // what cannot be read does not count
	return q.Get(name)
}

// signature reads the credential scope of a request without checking anything.
func (s *sender) signature() signature {
	credential := ""
	if h := s.authorization; strings.HasPrefix(h, "AWS4-") {
		_, after, _ := strings.Cut(h, "Credential=")
		credential, _, _ = strings.Cut(after, ",")
	} else if id, ok := strings.CutPrefix(h, "AWS "); ok { // version 2: only S3 still knows it
		id, _, _ = strings.Cut(id, ":")
		return signature{id, "", "s3"}
	} else if strings.Contains(s.query, "AWSAccessKeyId=") {
		return signature{s.queryValue("AWSAccessKeyId"), "", "s3"}
	} else if strings.Contains(s.query, "X-Amz-Credential=") {
		credential = s.queryValue("X-Amz-Credential")
	}
	// The access key may not contain a slash; the scope has four parts, or three without the region (SigV4A).
	var few [6]string
	p := few[:0]
	for part := range strings.SplitSeq(strings.TrimSpace(credential), "/") {
		if len(p) == 5 {
			return signature{}
		}
		p = append(p, part)
	}
	switch len(p) {
	case 5:
		return signature{p[0], p[2], p[3]}
	case 4:
		return signature{p[0], "", p[2]}
	}
	return signature{}
}

// key is an access key that may sign requests.
type key struct{ id, secret, account, principal string }

type authenticator struct {
	cfg  Config
	keys map[string]key // nil: signatures are not checked
}

func newAuthenticator(cfg Config) (*authenticator, error) {
	a := &authenticator{cfg: cfg}
	if cfg.Credentials == "" {
		return a, nil
	}
	var err error
	a.keys, err = readCredentials(cfg.Credentials, cfg.Account)
	return a, err
}

// identify checks who sent a request. Without a file of credentials everybody is who they say: an access key of twelve
// digits is an account.
func (a *authenticator) identify(from *sender, body []byte, s signature) (identity, error) {
	id := a.place(s)
	if a.keys == nil {
		return a.trust(from, s, id)
	}
	r := from.request.HTTPRequest()
	return id, a.verify(from, s, &id, func(secret string) error { return sigv4.Verify(r, body, secret, now(), a.cfg.ClockSkew) })
}

// identifyStream is identify before the body has been read. The chain is nil unless the body's pieces are to be checked.
func (a *authenticator) identifyStream(from *sender, s signature) (id identity, chain *sigv4.Chain, err error) {
	id = a.place(s)
	if a.keys == nil {
		id, err = a.trust(from, s, id)
		return id, nil, err
	}
	err = a.verify(from, s, &id, func(secret string) (err error) {
		chain, err = sigv4.VerifyHead(from.request.HTTPRequest(), secret, now(), a.cfg.ClockSkew)
		return err
	})
	return id, chain, err
}

func (a *authenticator) place(s signature) identity {
	id := identity{account: a.cfg.Account, region: a.cfg.Region}
	if aws.IsRegion(s.region) {
		id.region = s.region
	}
	return id
}

// trust believes who a request says it is from; a presigned URL has its time all the same.
func (a *authenticator) trust(from *sender, s signature, id identity) (identity, error) {
	if from.expired() {
		return id, denied("Request has expired")
	}
	return a.claim(s, from.sessionToken(), id), nil
}

// claim takes the account that an access key stands for.
func (a *authenticator) claim(s signature, token string, id identity) identity {
	if s.accessKey != "" && a.cfg.Identify != nil {
		if account, principal, ok := a.cfg.Identify(s.accessKey, token); ok {
			id.account, id.principal = account, principal
			return id
		}
	}
	if aws.IsAccount(s.accessKey) {
		id.account = s.accessKey
	}
	return id
}

// expired reports whether a presigned URL is past its time.
func (s *sender) expired() bool {
	return s.query != "" && s.authorization == "" && sigv4.Expired(s.request.HTTPRequest(), now())
}

func (s *sender) sessionToken() string {
	if s.token != "" || s.query == "" {
		return s.token
	}
	return s.queryValue("X-Amz-Security-Token")
}

func (a *authenticator) verify(from *sender, s signature, id *identity, check func(secret string) error) error {
	if s.service == "s3" && from.expired() {
		return denied("Request has expired")
	}
	return a.prove(s, from.sessionToken(), id, check)
}

// prove checks a signature with the secret of its access key.
func (a *authenticator) prove(s signature, token string, id *identity, check func(secret string) error) error {
	if s.accessKey == "" {
		return &aws.Error{Code: "MissingAuthenticationTokenException", Message: "Missing Authentication Token", Status: http.StatusForbidden, QueryCode: "MissingAuthenticationToken"}
	}
	k, ok := a.keys[s.accessKey]
	if !ok && a.cfg.Secret != nil {
		k.secret, k.account, k.principal, ok = a.cfg.Secret(s.accessKey, token)
	}
	if !ok {
		return &aws.Error{Code: "UnrecognizedClientException", Message: "The security token included in the request is invalid.", Status: http.StatusForbidden, QueryCode: "InvalidClientTokenId"}
	}
	if err := check(k.secret); err != nil {
		return &aws.Error{Code: "InvalidSignatureException", Message: err.Error(), Status: http.StatusForbidden, QueryCode: "SignatureDoesNotMatch"}
	}
	id.account, id.principal = k.account, k.principal
	return nil
}

// readCredentials reads a file in the format of AWS's shared credentials file: sections with aws_access_key_id and
// aws_secret_access_key. Newel's own settings are account (twelve digits; default: the access key if it is one, else the
// server's) and principal (an ARN).
func readCredentials(file, account string) (map[string]key, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	keys := map[string]key{}
	var k key
	finish := func() error {
		if k == (key{}) {
			return nil
		}
		if k.id == "" || k.secret == "" {
			return fmt.Errorf("credentials: %s: a section lacks aws_access_key_id or aws_secret_access_key", file)
		}
		if k.account == "" {
			if k.account = account; aws.IsAccount(k.id) {
				k.account = k.id
			}
		}
		if !aws.IsAccount(k.account) {
			return fmt.Errorf("credentials: %s: account %q: twelve digits are needed", file, k.account)
		}
		keys[k.id], k = k, key{}
		return nil
	}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if line[0] == '[' {
			if err := finish(); err != nil {
				return nil, err
			}
			continue
		}
		if err := k.set(line); err != nil {
			return nil, fmt.Errorf("credentials: %s:%d: %w", file, n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	if err := finish(); err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("credentials: %s holds no access key", file)
	}
	return keys, nil
}

func (k *key) set(line string) error {
	name, value, ok := strings.Cut(line, "=")
	if !ok {
		return fmt.Errorf("name = value is needed, not %q", strings.SplitN(line, " ", 2)[0])
	}
	value = strings.TrimSpace(value)
	switch strings.TrimSpace(name) {
	case "aws_access_key_id":
		k.id = value
	case "aws_secret_access_key":
		k.secret = value
	case "account":
		k.account = value
	case "principal":
		k.principal = value
	case "region", "output", "aws_session_token": // settings of clients that share the file
	default:
		return fmt.Errorf("unknown setting %q", strings.TrimSpace(name))
	}
	return nil
}
