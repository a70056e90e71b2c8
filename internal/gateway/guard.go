package gateway

import (
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/http1"
)

// guard keeps web pages out. A page in a browser on this machine can send requests to loopback; it must not be able to
// run code here. It betrays itself by its Origin or fetch metadata, or, if it made its own name resolve to this address
// (DNS rebinding), by the Host that it asks for.
type guard struct {
	hosts map[string]bool // lower case
	zones []string        // ".example.org" for "*.example.org"
}

func newGuard(hosts []string) guard {
	g := guard{hosts: map[string]bool{}}
	for _, h := range hosts {
		h = strings.ToLower(strings.TrimSuffix(h, "."))
		if zone, ok := strings.CutPrefix(h, "*"); ok {
			g.zones = append(g.zones, zone)
		} else {
			g.hosts[h] = true
		}
	}
	return g
}

// awsZones are the domains under which AWS's own endpoints live; nobody else can point a name in them here.
var awsZones = []string{".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".localhost"}

// hostAllowed reports whether an authority is one that clients of this server use.
func (g guard) hostAllowed(authority string) bool {
	host := strings.TrimPrefix(hostname(authority), "sync-")
	if host == "" {
		return false
	}
	if host == "localhost" || net.ParseIP(host) != nil || g.hosts[host] {
		return true
	}
	for _, zones := range [][]string{awsZones, g.zones} {
		for _, z := range zones {
			if strings.HasSuffix(host, z) {
				return true
			}
		}
	}
	return false
}

// hostname is the name in an authority: in lower case, without port, brackets and the root's dot.
func hostname(authority string) string {
	host := authority
	if h, _, err := net.SplitHostPort(authority); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// check returns the refusal of a request, nil if it may pass.
func (g guard) check(x *http1.Exchange) *aws.Error {
	if !g.hostAllowed(x.Host) {
		return forbidden("The host name '" + x.Host + "' is not one that this server answers to. Use an IP address, localhost or an AWS host name, or list the name with --host.")
	}
	if x.Method == http.MethodOptions && x.Header.Get("Access-Control-Request-Method") != "" {
		return forbidden("Requests of web pages of another origin are not allowed.")
	}
	switch site := x.Header.Get("Sec-Fetch-Site"); site {
	case "", "same-origin", "none":
	default:
		return forbidden("Requests of web pages of another origin are not allowed (Sec-Fetch-Site: " + site + ").")
	}
	for _, origin := range x.Header.Values("Origin") {
		u, err := url.Parse(origin)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || !strings.EqualFold(u.Host, x.Host) {
			return forbidden("Requests of web pages of another origin are not allowed (Origin: " + origin + ").")
		}
	}
	return nil
}

func forbidden(message string) *aws.Error {
	return &aws.Error{Code: "AccessDeniedException", Message: message, Status: http.StatusForbidden}
}
