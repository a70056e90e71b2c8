package mail

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// relayTime bounds one conversation with the SMTP server.
const relayTime = 30 * time.Second

// relay hands a mail to the SMTP server. A mail that the server refuses for good is marked; any other failure is a fault,
// which the outbox tries again.
func (s *Service) relay(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in struct {
		ID string `json:"Id"`
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	p := s.PartitionOf("", "", "")
	var m *Mail
	err := s.Env.Store.View(ctx, p, func(rd store.Reader) (err error) { m, err = find(rd, in.ID); return err })
	if err != nil {
		return nil, service.Wire(err)
	}
	if m.Relayed != nil {
		return service.Answer(nil), nil
	}
	if err := s.Env.WithKeys(ctx, func() error { return m.open(s.Env) }); err != nil {
		return nil, &aws.Error{Code: "ServiceUnavailable", Status: 503, Fault: true, Message: "The mail cannot be read: " + err.Error()}
	}
	err = deliver(ctx, s.cfg.SMTP, m)
	var refused *textproto.Error
	var malformed *malformedError
	switch {
	case err == nil:
		now := s.Env.Now().UTC()
		m.Relayed = &now
	case errors.As(err, &refused) && refused.Code >= 500, errors.As(err, &malformed):
		m.RelayError = err.Error()
	default:
		return nil, &aws.Error{Code: "ServiceUnavailable", Status: 503, Fault: true, Message: "The SMTP server " + s.cfg.SMTP + " could not be used: " + err.Error()}
	}
	number, _ := strconv.ParseUint(m.ID, 10, 64) // find has parsed it
	err = s.Env.Store.Update(store.Finishing(ctx), p, func(tx store.Tx) error {
		b, err := tx.Get(keyOf(number))
		if err != nil || b == nil {
			return err
		}
		kept, err := decode(b)
		if err != nil {
			return err
		}
		kept.Relayed, kept.RelayError = m.Relayed, m.RelayError
		return put(tx, number, kept)
	})
	return service.Answer(nil), err
}

// malformedError is an address that no SMTP server can take.
type malformedError struct{ error }

func deliver(ctx context.Context, server string, m *Mail) error {
	from, err := mail.ParseAddress(m.From)
	if err != nil {
		return &malformedError{fmt.Errorf("sender %q: %w", m.From, err)}
	}
	to, err := mail.ParseAddress(m.To)
	if err != nil {
		return &malformedError{fmt.Errorf("address %q: %w", m.To, err)}
	}
	ctx, cancel := context.WithTimeout(ctx, relayTime)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", server)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // ends whatever the conversation waits for
	defer stop()
	host, _, _ := net.SplitHostPort(server)
	client, err := smtp.NewClient(conn, host)
	if err != nil {
		_ = conn.Close()
		return err
	}
	defer client.Close() //nolint:errcheck // Quit has ended it, or there is an error to tell
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		if ok, _ := client.Extension("STARTTLS"); ok {
			if err := client.StartTLS(&tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}); err != nil {
				return err
			}
		}
	}
	if err := client.Mail(from.Address); err != nil {
		return err
	}
	if err := client.Rcpt(to.Address); err != nil {
		return err
	}
	w, err := client.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(m.text(from, to)); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	_ = client.Quit() // the mail has been taken
	return nil
}

// text is the mail as RFC 5322 has it.
func (m *Mail) text(from, to *mail.Address) []byte {
	var b bytes.Buffer
	header := func(name, value string) { b.WriteString(name + ": " + oneLine(value) + "\r\n") }
	header("From", from.String())
	header("To", to.String())
	header("Subject", mime.QEncoding.Encode("utf-8", m.Subject))
	header("Date", m.Time.Format(time.RFC1123Z))
	header("Message-ID", "<"+m.ID+"."+strconv.FormatInt(m.Time.UnixNano(), 36)+"@newel>")
	for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
		header(textproto.CanonicalMIMEHeaderKey(oneLine(name)), mime.QEncoding.Encode("utf-8", m.Headers[name]))
	}
	header("MIME-Version", "1.0")
	header("Content-Type", m.ContentType+"; charset=UTF-8")
	header("Content-Transfer-Encoding", "quoted-printable")
	b.WriteString("\r\n")
	w := quotedprintable.NewWriter(&b)
	_, _ = w.Write([]byte(m.Body)) // a buffer never fails
	_ = w.Close()
	return b.Bytes()
}

func oneLine(s string) string { return strings.NewReplacer("\r", "", "\n", "").Replace(s) }
