package gateway

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/client"
	"github.com/newel-run/newel/internal/aws/sigv4"
)

const describe = `{"stateMachineArn":"a"}`

func target(extra ...string) map[string]string {
	h := map[string]string{"X-Amz-Target": "AWSStepFunctions.DescribeStateMachine", "Content-Type": "application/x-amz-json-1.0"}
	for i := 0; i < len(extra); i += 2 {
		h[extra[i]] = extra[i+1]
	}
	return h
}

// What a web page could send does not reach a service; what clients send does.
func TestGuard(t *testing.T) {
	c := &recorder{output: &aws.Output{}}
	addr := serve(t, Config{Hosts: []string{"newel.example.org", "*.s3.example.org"}}, c)
	_, port, _ := net.SplitHostPort(addr)
	for _, tc := range []struct {
		name, method string
		header       map[string]string
		allowed      bool
	}{
		{"plain", "POST", target(), true},
		{"IP of another interface", "POST", target("Host", "192.168.1.5:4566"), true},
		{"IPv6", "POST", target("Host", "[::1]:4566"), true},
		{"localhost", "POST", target("Host", "LOCALHOST.:"+port), true},
		{"sync-localhost", "POST", target("Host", "sync-localhost:"+port), true},
		{"sync- before an address", "POST", target("Host", "sync-127.0.0.1:"+port), true},
		{"below localhost", "POST", target("Host", "bucket.s3.localhost"), true},
		{"AWS", "POST", target("Host", "states.us-east-1.amazonaws.com"), true},
		{"sync- AWS", "POST", target("Host", "sync-states.us-east-1.amazonaws.com"), true},
		{"AWS China", "POST", target("Host", "states.cn-north-1.amazonaws.com.cn"), true},
		{"--host", "POST", target("Host", "newel.example.org:80"), true},
		{"sync- --host", "POST", target("Host", "sync-newel.example.org"), true},
		{"--host zone", "POST", target("Host", "b.s3.example.org"), true},
		{"rebinding", "POST", target("Host", "attacker.example"), false},
		{"rebinding with port", "POST", target("Host", "attacker.example:"+port), false},
		{"looks like AWS", "POST", target("Host", "xamazonaws.com"), false},
		{"looks like AWS 2", "POST", target("Host", "amazonaws.com.evil.example"), false},
		{"looks like localhost", "POST", target("Host", "localhost.evil.example"), false},
		{"looks like --host", "POST", target("Host", "x.newel.example.org"), false},
		{"other origin", "POST", target("Origin", "https://evil.example"), false},
		{"opaque origin", "POST", target("Origin", "null"), false},
		{"another port's origin", "POST", target("Origin", "http://127.0.0.1:3000"), false},
		{"own origin", "POST", target("Origin", "http://"+addr), true},
		{"own origin, other case", "POST", target("Host", "localhost:1", "Origin", "http://LOCALHOST:1"), true},
		{"cross-site fetch", "POST", target("Sec-Fetch-Site", "cross-site"), false},
		{"same-site fetch", "GET", target("Sec-Fetch-Site", "same-site"), false},
		{"same-origin fetch", "POST", target("Sec-Fetch-Site", "same-origin"), true},
		{"typed by the user", "POST", target("Sec-Fetch-Site", "none"), true},
		{"preflight", "OPTIONS", map[string]string{"Origin": "http://" + addr, "Access-Control-Request-Method": "POST"}, false},
	} {
		c.last = nil
		got := send(t, tc.method, addr, "/", describe, tc.header)
		if reached := c.last != nil; reached != tc.allowed {
			t.Errorf("%s: reached the service: %v (%d %s)", tc.name, reached, got.status, got.body)
		}
		if !tc.allowed && (got.status != http.StatusForbidden || !strings.Contains(got.body, "AccessDeniedException")) {
			t.Errorf("%s: refused with %d %s", tc.name, got.status, got.body)
		}
		for name := range got.header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s: the answer has the header %s", tc.name, name)
			}
		}
	}
	if got := send(t, "GET", addr, "/_newel/health", "", map[string]string{"Host": "attacker.example"}); got.status != http.StatusForbidden {
		t.Errorf("health for another host: %d", got.status)
	}
}

func credentialsFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

const oneKey = "[default]\naws_access_key_id = AKIDONE\naws_secret_access_key = sec=ret/1\naccount = 111122223333\nprincipal = arn:aws:iam::111122223333:user/u\n"

func TestCredentials(t *testing.T) {
	c := &recorder{output: &aws.Output{Value: json.RawMessage(`{"name":"m"}`)}}
	addr := serve(t, Config{Credentials: credentialsFile(t, oneKey+"\n# another\n[second]\naws_access_key_id=444455556666\naws_secret_access_key=two\n")}, c)
	for _, tc := range []struct {
		name      string
		cred      sigv4.Credentials
		at        time.Duration
		code      string
		account   string
		principal string
	}{
		{"good", sigv4.Credentials{AccessKey: "AKIDONE", Secret: "sec=ret/1"}, 0, "", "111122223333", "arn:aws:iam::111122223333:user/u"},
		{"second", sigv4.Credentials{AccessKey: "444455556666", Secret: "two"}, 4 * time.Minute, "", "444455556666", ""},
		{"wrong secret", sigv4.Credentials{AccessKey: "AKIDONE", Secret: "x"}, 0, "InvalidSignatureException", "", ""},
		{"unknown key", sigv4.Credentials{AccessKey: "AKIDTWO", Secret: "x"}, 0, "UnrecognizedClientException", "", ""},
		{"unsigned", sigv4.Credentials{}, 0, "MissingAuthenticationTokenException", "", ""},
		{"too old", sigv4.Credentials{AccessKey: "AKIDONE", Secret: "sec=ret/1"}, -6 * time.Minute, "InvalidSignatureException", "", ""},
		{"too new", sigv4.Credentials{AccessKey: "AKIDONE", Secret: "sec=ret/1"}, 6 * time.Minute, "InvalidSignatureException", "", ""},
	} {
		for _, service := range []struct{ key, operation, input string }{{"states", "DescribeStateMachine", describe}, {"lambda", "GetFunction", `{"FunctionName":"a:b c"}`}, {"iam", "GetRole", `{"RoleName":"r"}`}, {"s3", "GetObject", `{"Bucket":"b","Key":"a//b c/"}`}} {
			c.last = nil
			cl := &client.Client{Endpoint: "http://" + addr, Credentials: tc.cred, Now: func() time.Time { return time.Now().Add(tc.at) }}
			_, err := cl.Call(context.Background(), &aws.Request{Service: service.key, Operation: service.operation, Region: "eu-north-1", Input: []byte(service.input)})
			if tc.code == "" {
				if err != nil || c.last.Account != tc.account || c.last.Principal != tc.principal || c.last.Region != "eu-north-1" {
					t.Errorf("%s %s: %v, request %+v", tc.name, service.key, err, c.last)
				}
				continue
			}
			e, ok := err.(*aws.Error)
			if !ok || e.Status != http.StatusForbidden || c.last != nil || service.key == "states" && e.Code != tc.code {
				t.Errorf("%s %s: %v, reached the service: %v", tc.name, service.key, err, c.last != nil)
			}
		}
	}
}

func TestCredentialsFile(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "no secret": "[a]\naws_access_key_id=x\n", "bad account": oneKey + "account=1\n", "unknown setting": "[a]\nsecret=x\n", "no value": "[a]\nx\n",
	} {
		if _, err := New(Config{Credentials: credentialsFile(t, text)}, &recorder{}); err == nil {
			t.Errorf("%s: the file was taken", name)
		}
	}
	if _, err := New(Config{Credentials: filepath.Join(t.TempDir(), "none")}, &recorder{}); err == nil {
		t.Error("a missing file was taken")
	}
}

// The keys that STS gave out are known to a hook.
func TestSecretHook(t *testing.T) {
	c := &recorder{output: &aws.Output{}}
	addr := serve(t, Config{Credentials: credentialsFile(t, oneKey), Secret: func(key, token string) (secret, account, principal string, ok bool) {
		return "s", "777788889999", "arn:session", key == "ASIA1" && token == "t"
	}}, c)
	for token, ok := range map[string]bool{"t": true, "other": false} {
		cl := &client.Client{Endpoint: "http://" + addr, Credentials: sigv4.Credentials{AccessKey: "ASIA1", Secret: "s", SessionToken: token}}
		_, err := cl.Call(context.Background(), &aws.Request{Service: "states", Operation: "ListStateMachines"})
		if (err == nil) != ok || ok && (c.last.Account != "777788889999" || c.last.Principal != "arn:session") {
			t.Errorf("token %s: %v, %+v", token, err, c.last)
		}
	}
}

// certificate makes a self-signed certificate for 127.0.0.1.
func certificate(t *testing.T) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AddCert(cert)
	return certFile, keyFile, pool
}

func TestTLS(t *testing.T) {
	cert, key, pool := certificate(t)
	c := &recorder{output: &aws.Output{Value: map[string]string{"name": strings.Repeat("x", 20000)}}}
	addr := serve(t, Config{Credentials: credentialsFile(t, oneKey), CertFile: cert, KeyFile: key}, c)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	defer transport.CloseIdleConnections()
	cl := &client.Client{Endpoint: "https://" + addr, Credentials: sigv4.Credentials{AccessKey: "AKIDONE", Secret: "sec=ret/1"}, HTTP: &http.Client{Transport: transport}}
	for range 2 {
		out, err := cl.Call(context.Background(), &aws.Request{Service: "states", Operation: "DescribeStateMachine", Input: []byte(describe)})
		if err != nil || len(out.Value.(json.RawMessage)) < 20000 {
			t.Errorf("%v", err)
		}
	}
	if _, err := New(Config{CertFile: cert}, c); err == nil {
		t.Error("a certificate without a key was taken")
	}
}

func TestCheckListen(t *testing.T) {
	for _, tc := range []struct {
		addr string
		cfg  Config
		ok   bool
	}{
		{"127.0.0.1:4566", Config{}, true}, {"[::1]:4566", Config{}, true}, {"localhost:1", Config{}, true}, {"127.9.9.9:1", Config{}, true},
		{"0.0.0.0:4566", Config{}, false}, {":4566", Config{}, false}, {"[::]:4566", Config{}, false}, {"10.0.0.1:1", Config{}, false}, {"example.org:1", Config{}, false},
		{"0.0.0.0:4566", Config{Insecure: true}, true},
		{"0.0.0.0:4566", Config{Credentials: "f"}, false}, {"0.0.0.0:4566", Config{CertFile: "c", KeyFile: "k"}, false},
		{"0.0.0.0:4566", Config{Credentials: "f", CertFile: "c", KeyFile: "k"}, true},
	} {
		if err := tc.cfg.CheckListen(tc.addr); (err == nil) != tc.ok {
			t.Errorf("%s with %+v: %v", tc.addr, tc.cfg, err)
		}
	}
	g, err := New(Config{}, &recorder{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Skip(err)
	}
	if err := g.Serve(context.Background(), l); err == nil || !strings.Contains(err.Error(), "--insecure") {
		t.Errorf("Serve: %v", err)
	}
}
