package tracing

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// Config says where traces go. Its zero value is: nowhere.
type Config struct {
	Endpoint string        // URL of OTLP over HTTP, with its path; "" for no traces
	JSON     bool          // the JSON encoding in place of protobuf
	Gzip     bool          // compress the requests
	Headers  [][2]string   // of each request
	Timeout  time.Duration // of a request; 10 s if zero
	TLS      *tls.Config   // nil: the system's
	Resource []Attribute   // service.name and what else names this server
	Ratio    float64       // of the executions without a traced caller that are traced
	Ignore   bool          // what a caller has decided does not count
	Version  string        // of this server
}

// tracesPath follows the base URL of an endpoint.
const tracesPath = "/v1/traces"

// FromEnvironment reads the standard OTEL_* variables. endpoint, if not empty, takes the place of
// OTEL_EXPORTER_OTLP_ENDPOINT. A variable that asks for something that is not here is an error.
func FromEnvironment(getenv func(string) string, endpoint string) (c Config, err error) {
	if c.Endpoint, err = endpointOf(getenv, endpoint); err != nil || c.Endpoint == "" {
		return Config{}, err
	}
	of := func(name string) string {
		if v := getenv("OTEL_EXPORTER_OTLP_TRACES_" + name); v != "" {
			return v
		}
		return getenv("OTEL_EXPORTER_OTLP_" + name)
	}
	switch v := of("PROTOCOL"); v {
	case "", "http/protobuf":
	case "http/json":
		c.JSON = true
	default:
		return c, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL=%s: http/protobuf or http/json", v)
	}
	switch v := of("COMPRESSION"); v {
	case "", "none":
	case "gzip":
		c.Gzip = true
	default:
		return c, fmt.Errorf("OTEL_EXPORTER_OTLP_COMPRESSION=%s: gzip or none", v)
	}
	c.Timeout = 10 * time.Second
	if v := of("TIMEOUT"); v != "" {
		ms, err := strconv.Atoi(v)
		if err != nil || ms <= 0 {
			return c, fmt.Errorf("OTEL_EXPORTER_OTLP_TIMEOUT=%s: a number of milliseconds is needed", v)
		}
		c.Timeout = time.Duration(ms) * time.Millisecond
	}
	if c.Headers, err = pairs("OTEL_EXPORTER_OTLP_HEADERS", of("HEADERS")); err != nil {
		return c, err
	}
	if c.TLS, err = tlsOf(of); err != nil {
		return c, err
	}
	if c.Resource, err = resourceOf(getenv); err != nil {
		return c, err
	}
	return c, c.sampler(getenv("OTEL_TRACES_SAMPLER"), getenv("OTEL_TRACES_SAMPLER_ARG"))
}

func endpointOf(getenv func(string) string, endpoint string) (string, error) {
	if strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") {
		return "", nil
	}
	switch v := getenv("OTEL_TRACES_EXPORTER"); v {
	case "", "otlp":
	case "none":
		return "", nil
	default:
		return "", fmt.Errorf("OTEL_TRACES_EXPORTER=%s: otlp or none", v)
	}
	whole := getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
	if endpoint == "" {
		endpoint = getenv("OTEL_EXPORTER_OTLP_ENDPOINT")
	} else {
		whole = ""
	}
	if whole == "" && endpoint != "" {
		if whole = strings.TrimRight(endpoint, "/"); !strings.HasSuffix(whole, tracesPath) {
			whole += tracesPath
		}
	}
	if whole == "" {
		return "", nil
	}
	u, err := url.Parse(whole)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", fmt.Errorf("the OTLP endpoint %q: a URL as http://127.0.0.1:4318 is needed", whole)
	}
	return whole, nil
}

// pairs reads a list name=value,name=value, whose values are percent-encoded.
func pairs(variable, text string) (list [][2]string, err error) {
	for part := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		name, v, ok := strings.Cut(part, "=")
		if v, err = url.PathUnescape(strings.TrimSpace(v)); err != nil || !ok {
			return nil, fmt.Errorf("%s: %q is not name=value", variable, part)
		}
		list = append(list, [2]string{strings.TrimSpace(name), v})
	}
	return list, nil
}

func tlsOf(of func(string) string) (*tls.Config, error) {
	c, used := &tls.Config{MinVersion: tls.VersionTLS12}, false
	if file := of("CERTIFICATE"); file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		c.RootCAs, used = x509.NewCertPool(), true
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_CERTIFICATE: %s holds no certificate", file)
		}
	}
	if file := of("CLIENT_CERTIFICATE"); file != "" {
		pair, err := tls.LoadX509KeyPair(file, of("CLIENT_KEY"))
		if err != nil {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: %w", err)
		}
		c.Certificates, used = []tls.Certificate{pair}, true
	}
	if !used {
		return nil, nil
	}
	return c, nil
}

func resourceOf(getenv func(string) string) ([]Attribute, error) {
	given, err := pairs("OTEL_RESOURCE_ATTRIBUTES", getenv("OTEL_RESOURCE_ATTRIBUTES"))
	if err != nil {
		return nil, err
	}
	name := "newel"
	var list []Attribute
	for _, p := range given {
		if p[0] == "service.name" {
			name = p[1]
			continue
		}
		list = append(list, texts(p[0], p[1])...)
	}
	if v := getenv("OTEL_SERVICE_NAME"); v != "" {
		name = v
	}
	return append(texts("service.name", name), list...), nil
}

// sampler reads the standard samplers: always_on, always_off and traceidratio, each also as parentbased_, the default.
func (c *Config) sampler(name, arg string) error {
	base, based := strings.CutPrefix(name, "parentbased_")
	c.Ignore = name != "" && !based
	switch base {
	case "", "always_on":
		c.Ratio = 1
	case "always_off":
		c.Ratio = 0
	case "traceidratio":
		c.Ratio = 1
		if arg != "" {
			r, err := strconv.ParseFloat(arg, 64)
			if err != nil || r < 0 || r > 1 {
				return fmt.Errorf("OTEL_TRACES_SAMPLER_ARG=%s: a number from 0 to 1 is needed", arg)
			}
			c.Ratio = r
		}
	default:
		return fmt.Errorf("OTEL_TRACES_SAMPLER=%s: always_on, always_off, traceidratio or one of these with parentbased_", name)
	}
	return nil
}
