package lambda

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
)

// CodePath is the path below which the server offers functions' packages, for GetFunction's Code.Location:
// CodePath + "ACCOUNT/REGION/NAME". Like AWS's presigned URLs, a location is signed and good for ten minutes; the key is
// the process's own, so a restart ends it too.
const CodePath = "/_newel/lambda/code/"

const locationAge = 10 * time.Minute

func (s *Service) codeLocation(f *record, now time.Time) string {
	path := CodePath + f.Account + "/" + f.Region + "/" + f.Name
	expires := strconv.FormatInt(now.Add(locationAge).Unix(), 10)
	q := url.Values{"qualifier": {f.version()}, "expires": {expires}, "signature": {s.sign(path, f.version(), expires)}}
	return s.Env.BaseURL() + path + "?" + q.Encode()
}

func (s *Service) sign(parts ...string) string {
	mac := hmac.New(sha256.New, s.locationKey[:])
	mac.Write([]byte(strings.Join(parts, "\n")))
	return hex.EncodeToString(mac.Sum(nil))
}

// ServeCode answers GET requests below CodePath with a function's package.
func (s *Service) ServeCode(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	version, expires := q.Get("qualifier"), q.Get("expires")
	at, _ := strconv.ParseInt(expires, 10, 64)
	part := strings.Split(strings.TrimPrefix(r.URL.Path, CodePath), "/")
	if len(part) != 3 || s.Env.Now().Unix() > at || !hmac.Equal([]byte(q.Get("signature")), []byte(s.sign(r.URL.Path, version, expires))) {
		http.Error(w, "The location has expired: call GetFunction for another one.", http.StatusForbidden)
		return
	}
	b, err := s.Code(r.Context(), part[0], part[1], part[2], version)
	var e *aws.Error
	switch {
	case errors.As(err, &e):
		http.Error(w, e.Message, e.HTTPStatus())
		return
	case err != nil:
		s.Env.Log.Error("a function's code could not be read", "function", part[2], "error", err)
		http.Error(w, "The code could not be read.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	_, _ = w.Write(b) // the client is gone if this fails
}

// Code reads the deployment package of a function, or of a version of it. It fails with an AWS error if there is no such
// function.
func (s *Service) Code(ctx context.Context, account, region, name, qualifier string) ([]byte, error) {
	id := identity{account, region, name}
	f, err := s.loadQualified(ctx, id, qualifier)
	if errors.Is(err, errNoSuchFunction) {
		return nil, notFound(id.arn())
	}
	if err != nil {
		return nil, service.Wire(err)
	}
	return s.code(ctx, f)
}
