package sns

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // signature version 1 is defined with it
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/newel-run/newel/internal/store"
)

// CertificatePattern is where Certificate is served.
const CertificatePattern = "/_newel/sns/{name}"

const certificatePath = "/_newel/sns/SimpleNotificationService-"

// signer signs messages as SNS does, with a key that the server made for itself and keeps in its store. Only who trusts
// this server's address can trust the certificate: its URL is the server's own.
type signer struct {
	s    *Service
	load sync.Mutex
	has  atomic.Pointer[signingKey]
}

type signingKey struct {
	key  *rsa.PrivateKey
	cert []byte // PEM
	name string // of the certificate in its URL
}

// errNoKey: the key has not been loaded yet; a transaction cannot do that itself.
var errNoKey = errors.New("sns: the signing key has not been loaded")

func (g *signer) init(s *Service) { g.s = s }

// ready loads the key, or makes it the first time.
func (g *signer) ready(ctx context.Context) error {
	g.load.Lock()
	defer g.load.Unlock()
	if g.has.Load() != nil {
		return nil
	}
	p, row := g.s.PartitionOf("", "", "signing"), store.K(store.TableTopic, string(rowSigning))
	var kept []byte
	read := func(rd store.Reader) error {
		b, err := rd.Get(row)
		kept = append([]byte(nil), b...)
		return err
	}
	if err := g.s.Env.Store.View(ctx, p, read); err != nil {
		return err
	}
	if len(kept) == 0 {
		fresh, err := makeKey(g.s.Env.Now())
		if err != nil {
			return err
		}
		err = g.s.Env.Store.Update(ctx, p, func(tx store.Tx) error {
			if err := read(tx); err != nil || len(kept) > 0 {
				return err
			}
			kept = fresh
			tx.Set(row, fresh)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return g.use(kept)
}

// makeKey makes a key and a certificate of it, in PEM.
func makeKey(now time.Time) ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "sns.amazonaws.com", Organization: []string{"Newel"}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(20, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	b := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	return append(b, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})...), nil
}

func (g *signer) use(kept []byte) error {
	private, rest := pem.Decode(kept)
	cert, _ := pem.Decode(rest)
	if private == nil || cert == nil {
		return errCorrupt
	}
	key, err := x509.ParsePKCS1PrivateKey(private.Bytes)
	if err != nil {
		return errCorrupt
	}
	sum := sha256.Sum256(cert.Bytes)
	g.has.Store(&signingKey{key, pem.EncodeToMemory(cert), hex.EncodeToString(sum[:16])})
	return nil
}

// sign signs names and values as SNS writes them for it: each on a line of its own. It returns the certificate's URL too.
func (g *signer) sign(version string, members ...string) (signature, certificate string, err error) {
	k := g.has.Load()
	if k == nil {
		return "", "", errNoKey
	}
	text := []byte(strings.Join(members, "\n") + "\n")
	hash, sum := crypto.SHA1, []byte(nil)
	if version == "2" {
		h := sha256.Sum256(text)
		hash, sum = crypto.SHA256, h[:]
	} else {
		h := sha1.Sum(text) //nolint:gosec // see above
		sum = h[:]
	}
	b, err := rsa.SignPKCS1v15(nil, k.key, hash, sum)
	return base64.StdEncoding.EncodeToString(b), g.s.base() + certificatePath + k.name + ".pem", err
}

// sign signs a notification; each text once.
func (s *Service) sign(a address, t *topic, m *message, text string) (signature, certificate string, err error) {
	if known, ok := m.signatures[text]; ok {
		return known, s.base() + certificatePath + s.signer.has.Load().name + ".pem", nil
	}
	members := []string{"Message", text, "MessageId", m.ID}
	if m.Subject != nil {
		members = append(members, "Subject", *m.Subject)
	}
	members = append(members, "Timestamp", m.At.Format(stamp), "TopicArn", a.arn(), "Type", "Notification")
	signature, certificate, err = s.signer.sign(t.signatureVersion(), members...)
	if err == nil {
		m.signatures[text] = signature
	}
	return signature, certificate, err
}

// presign makes, before the topic's transaction, the signatures that its subscriptions will need.
func (s *Service) presign(ctx context.Context, a address, messages []*message) error {
	var t *topic
	needed := map[string]bool{}
	err := s.Env.Store.View(ctx, s.PartitionOf(a.account, a.region, a.name), func(rd store.Reader) (err error) {
		clear(needed)
		if t, err = a.topic(rd); err != nil {
			return err
		}
		subscriptions, err := a.subscriptions(rd)
		for _, sub := range subscriptions {
			if !sub.pending() && !sub.raw() && sub.Protocol != "email" && sub.Protocol != "sms" {
				needed[sub.Protocol] = true
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	if len(needed) == 0 {
		return nil
	}
	if err := s.signer.ready(ctx); err != nil {
		return err
	}
	for _, m := range messages {
		for protocol := range needed {
			if _, _, err := s.sign(a, t, m, m.text(protocol)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Certificate serves the certificate of the server's signatures.
func (s *Service) Certificate() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.signer.ready(r.Context()); err != nil || r.URL.Path != certificatePath+s.signer.has.Load().name+".pem" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/x-pem-file")
		_, _ = w.Write(s.signer.has.Load().cert) // the client is gone if this fails
	})
}
