package gateway

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/newel-run/newel/internal/aws"
)

// Config is what a gateway is made of. The zero value serves loopback with no credentials asked for.
type Config struct {
	Account string // account of requests that name none; default "000000000000"
	Region  string // region of requests that name none; default "us-east-1"
	Version string // for the health page

	// Services are the model keys that the caller answers. They decide between services where a request does not say
	// which one it means: an unsigned REST request goes to the first that has a route for it, S3 last.
	Services []string
	// Health reports the state of each service; false means that the server is not ready yet. nil: all of Services are
	// "running".
	Health func() (services map[string]string, ready bool)

	Hosts       []string // further host names that clients may use (--host); "*.example.org" admits subdomains
	Credentials string   // file of access keys: every request must be signed by one of them; "" trusts all
	CertFile    string   // TLS certificate chain and key in PEM
	KeyFile     string
	Insecure    bool          // allow a non-loopback address without credentials or TLS
	ClockSkew   time.Duration // how far a signature's time may be off; default 5 min, AWS's

	// Identify maps the access key and session token of a request whose signature is not checked to its account and the
	// ARN of its principal; ok false falls back to the key itself. It is asked for keys that STS or IAM gave out.
	Identify func(accessKey, sessionToken string) (account, principal string, ok bool)

	// Secret finds the secret of an access key that is not in Credentials: one that STS or IAM gave out here. It is asked
	// only if there is a file of credentials.
	Secret func(accessKey, sessionToken string) (secret, account, principal string, ok bool)

	BodyBytesMax   int64         // default 256 MiB
	BytesInFlight  int64         // of bodies and answers in memory, above which new work is refused; default 256 MiB
	Connections    int           // at a time; further ones are answered 503 and closed; default 16,384
	HeaderBytesMax int           // default 64 KiB
	HeaderTimeout  time.Duration // for the header of a request to arrive; default 10 s, at most StallTimeout
	IdleTimeout    time.Duration // of a kept-alive connection; default 5 min
	StallTimeout   time.Duration // for more of a body to arrive, or of an answer to be taken; default 2 min
	Drain          time.Duration // for running requests to end after a stop; default 10 s

	// Refusal is how a service refuses work that there is no room for; "" for none known. nil: ThrottlingException.
	Refusal func(service string) *aws.Error

	Log *slog.Logger
}

// WithDefaults fills what is not set.
func (c Config) WithDefaults() Config {
	set(&c.Account, "000000000000")
	set(&c.Region, "us-east-1")
	set(&c.ClockSkew, 5*time.Minute)
	set(&c.BodyBytesMax, 256<<20)
	set(&c.BytesInFlight, 256<<20)
	set(&c.Connections, 16384)
	set(&c.HeaderBytesMax, 64<<10)
	if c.Refusal == nil {
		c.Refusal = func(string) *aws.Error { return aws.Errorf("ThrottlingException", "Rate exceeded") }
	}
	set(&c.IdleTimeout, 5*time.Minute)
	set(&c.StallTimeout, 2*time.Minute)
	set(&c.HeaderTimeout, min(10*time.Second, c.StallTimeout))
	set(&c.Drain, 10*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func set[T comparable](field *T, value T) {
	if *field == *new(T) {
		*field = value
	}
}

func (c Config) validate() error {
	if !aws.IsAccount(c.Account) {
		return fmt.Errorf("account %q: twelve digits are needed", c.Account)
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		return errors.New("a TLS certificate and its key belong together: give both or none")
	}
	return nil
}

// CheckListen refuses an address that would let the network in without credentials and TLS: whoever reaches the port may
// run code. An address whose host is not an IP literal is refused too unless it is localhost.
func (c Config) CheckListen(addr string) error {
	if c.Insecure || isLoopback(addr) || (c.Credentials != "" && c.CertFile != "") {
		return nil
	}
	return fmt.Errorf("refusing to listen on %s, which other machines can reach: anyone who reaches this port can run code here. "+
		"Give --credentials FILE together with --tls-cert and --tls-key, or --insecure if the network is trusted", addr)
}

func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (c Config) tlsConfig() (*tls.Config, error) {
	if c.CertFile == "" {
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("TLS certificate: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}, nil
}

func byteCount(n int64) string { return strconv.FormatInt(n, 10) + " bytes" }
