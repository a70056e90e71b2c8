// Package mail is the server's mail sink: every mail and text message that a service sends is kept, for people to read
// with `newel mail` and for tests to look at. Where an SMTP server is configured, mails go there too.
//
// The rows are authoritative, all on one partition: 'm' number is a mail, 'n' the last number given out. The number is
// the mail's id. A mail is in the sink exactly if the transaction of SendMail was committed; the relay is owed in the
// same transaction and happens at least once. The newest Config.Keep mails are kept.
package mail

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/outbox"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// Name is the service's key at the seam. It is no service of AWS's: its operations have no model and no wire protocol.
const Name = "newel-mail"

// Config is what a sink is made of.
type Config struct {
	SMTP string // "host:port" of the server that gets the mails too; "" for none
	Keep int    // how many mails are kept; 0 means 10,000
}

// Mail is one mail or text message.
type Mail struct {
	ID          string            `json:"Id"`
	Kind        string            // "email" or "sms"
	Time        time.Time         // when it was accepted
	From, To    string            // addresses; a phone number for a text message
	Subject     string            `json:",omitempty"`
	ContentType string            // "text/plain" or "application/json"
	Body        string            `json:",omitempty"`
	Account     string            // of the sender
	Region      string            // of the sender
	Source      string            `json:",omitempty"` // ARN of what sent it: a topic
	Headers     map[string]string `json:",omitempty"`
	Relayed     *time.Time        `json:",omitempty"` // when the SMTP server took it
	RelayError  string            `json:",omitempty"` // why the SMTP server refused it for good
	Locked      string            `json:",omitempty"` // in a list: why KMS does not let it be read

	Protection *service.Protection `json:",omitempty"` // its content is kept encrypted; nil: as it is
	Sealed     []byte              `json:",omitempty"` // the content, as it is kept (protect.go)
}

// Service is the sink.
type Service struct {
	*service.Service
	cfg    Config
	outbox *outbox.Outbox
}

// New makes the sink. Start begins its relay, Close ends it.
func New(env *service.Env, cfg Config) *Service {
	if cfg.Keep == 0 {
		cfg.Keep = 10_000
	}
	s := &Service{cfg: cfg, outbox: outbox.New(env, Name)}
	s.Service = service.New(Name, env, []service.Operation{
		{Name: "SendMail", Update: s.send},
		{Name: "ListMails", Do: s.list},
		{Name: "GetMail", View: s.get},
		{Name: "DeleteMails", Update: s.clear},
		{Name: "RelayMail", Do: s.relay},
	})
	s.KeyFault = keyFault
	s.Place = func(_, _, _ string) store.Partition { return store.Place(env.Store.Partitions(), Name) }
	return s
}

// Start goes on with what the relay owes.
func (s *Service) Start(ctx context.Context) error { return s.outbox.Start(ctx) }

// Close ends the relay; the next Start goes on with it.
func (s *Service) Close() { s.outbox.Close() }

func mailKey() store.Key            { return append(store.K(store.TableMail), 'm') }
func numberKey() store.Key          { return append(store.K(store.TableMail), 'n') }
func keyOf(number uint64) store.Key { return mailKey().U64(number) }

func (s *Service) send(c *service.Context, tx store.Tx) (any, error) {
	var m Mail
	if err := service.Decode(c.Request, &m); err != nil {
		return nil, err
	}
	if m.To == "" || m.Kind != "email" && m.Kind != "sms" {
		return nil, aws.Errorf("InvalidParameterValue", "A mail has a Kind, email or sms, and an address To that it goes to.")
	}
	number, err := lastNumber(tx)
	if err != nil {
		return nil, err
	}
	number++
	m.ID, m.Time, m.Account, m.Region = strconv.FormatUint(number, 10), c.Now.UTC().Truncate(time.Millisecond), c.Account, c.Region
	m.Relayed, m.RelayError, m.Locked, m.Sealed = nil, "", "", nil
	kept, err := m.seal(c.Env)
	if err == nil {
		err = put(tx, number, kept)
	}
	if err != nil {
		return nil, err
	}
	tx.Set(numberKey(), binary.BigEndian.AppendUint64(nil, number))
	if keep := uint64(s.cfg.Keep); number > keep {
		tx.Delete(keyOf(number - keep))
	}
	if s.cfg.SMTP != "" && m.Kind == "email" {
		input, err := json.Marshal(map[string]string{"Id": m.ID})
		if err != nil {
			return nil, err
		}
		err = s.outbox.Add(c, tx, outbox.Entry{Request: outbox.Call{Service: Name, Operation: "RelayMail", Account: c.Account, Region: c.Region, Input: input}})
		if err != nil {
			return nil, err
		}
	}
	return map[string]string{"Id": m.ID}, nil
}

func lastNumber(rd store.Reader) (uint64, error) {
	b, err := rd.Get(numberKey())
	if err != nil || len(b) != 8 {
		return 0, err
	}
	return binary.BigEndian.Uint64(b), nil
}

func put(tx store.Tx, number uint64, m *Mail) error {
	b, err := json.Marshal(m)
	if err == nil {
		tx.Set(keyOf(number), b)
	}
	return err
}

func decode(b []byte) (*Mail, error) {
	m := &Mail{}
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("%w: mail: %w", store.ErrCorrupt, err)
	}
	return m, nil
}

const listMax = 1000

type listInput struct {
	MaxResults int
	To         string // only those to this address
	Before     string // only those older than this id
}

// list answers {"Mails": [...]}, newest first, without bodies.
func (s *Service) list(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in listInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if in.MaxResults <= 0 || in.MaxResults > listMax {
		in.MaxResults = listMax
	}
	var mails []*Mail
	err := s.View(ctx, s.PartitionOf("", "", ""), func(rd store.Reader) (err error) { mails, err = in.find(rd); return err })
	if err != nil {
		return nil, service.Wire(err)
	}
	for _, m := range mails {
		if err := m.openOrSay(ctx, s.Env); err != nil {
			return nil, service.Wire(err)
		}
		m.Body = ""
	}
	return service.Answer(map[string]any{"Mails": mails}), nil
}

func (in *listInput) find(rd store.Reader) ([]*Mail, error) {
	end := mailKey().End()
	if in.Before != "" {
		n, err := strconv.ParseUint(in.Before, 10, 64)
		if err != nil {
			return nil, noMail(in.Before)
		}
		end = keyOf(n)
	}
	mails := []*Mail{}
	for _, b := range rd.Scan(mailKey(), end, true) {
		m, err := decode(b)
		if err != nil {
			return nil, err
		}
		if in.To != "" && m.To != in.To {
			continue
		}
		if mails = append(mails, m); len(mails) == in.MaxResults {
			break
		}
	}
	return mails, nil
}

func (s *Service) get(c *service.Context, rd store.Reader) (any, error) {
	var in struct {
		ID string `json:"Id"`
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	m, err := find(rd, in.ID)
	if err != nil {
		return nil, err
	}
	return m, m.open(c.Env)
}

func find(rd store.Reader, id string) (*Mail, error) {
	number, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		return nil, noMail(id)
	}
	b, err := rd.Get(keyOf(number))
	if err != nil {
		return nil, err
	}
	if b == nil {
		return nil, noMail(id)
	}
	return decode(b)
}

func (s *Service) clear(_ *service.Context, tx store.Tx) (any, error) {
	tx.DeleteRange(mailKey(), mailKey().End())
	return nil, nil
}

func noMail(id string) *aws.Error {
	return &aws.Error{Code: "NotFound", Status: 404, Message: fmt.Sprintf("There is no mail %q.", id)}
}
