package sns

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http/httptest"
	"net/url"
	"testing"
	"testing/synctest"
)

// TestSignature verifies a message with the certificate that the server gives out, also after a restart.
func TestSignature(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		arn, q := w.topic("t", members{"SignatureVersion": "2"}), w.queue("q")
		w.subscribe(arn, "sqs", q, nil)
		w.Do("Publish", members{"TopicArn": arn, "Message": "m", "Subject": "s"})
		var m map[string]string
		if err := json.Unmarshal([]byte(body(w.receive(q, 1)[0])), &m); err != nil {
			t.Fatal(err)
		}
		w.close()
		w.open()
		defer w.close()
		at, err := url.Parse(m["SigningCertURL"])
		if err != nil {
			t.Fatal(err)
		}
		answer := httptest.NewRecorder()
		w.sns.Certificate().ServeHTTP(answer, httptest.NewRequest("GET", at.Path, nil))
		block, _ := pem.Decode(answer.Body.Bytes())
		if block == nil {
			t.Fatalf("certificate: %d %s", answer.Code, answer.Body)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		text := ""
		for _, name := range []string{"Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"} {
			text += name + "\n" + m[name] + "\n"
		}
		sum := sha256.Sum256([]byte(text))
		signature, err := base64.StdEncoding.DecodeString(m["Signature"])
		if err != nil || rsa.VerifyPKCS1v15(cert.PublicKey.(*rsa.PublicKey), crypto.SHA256, sum[:], signature) != nil {
			t.Errorf("the signature of %q does not hold", text)
		}
	})
}
