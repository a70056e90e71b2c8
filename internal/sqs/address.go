package sqs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/rawjson"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// address identifies a queue.
type address struct{ account, region, name string }

func (a address) arn() string {
	return aws.ARN{Service: "sqs", Region: a.region, Account: a.account, Resource: a.name}.String()
}

// url is where clients find the queue: the authority that the client itself used, else the server's own.
func (a address) url(c *service.Context) string {
	base := strings.TrimSuffix(c.Env.BaseURL(), "/")
	if scheme, _, ok := strings.Cut(base, "://"); ok && c.Host != "" {
		base = scheme + "://" + c.Host
	}
	return base + "/" + a.account + "/" + a.name
}

// parseURL takes a queue URL apart. The name is the path's last segment, the account the one before it if it has 12
// digits, the region is read from AWS's host names; what the URL does not say is "". A bare name is accepted too.
func parseURL(s string) address {
	var a address
	path := s
	if u, err := url.Parse(s); err == nil && u.Host != "" {
		path = u.Path
		labels := strings.Split(u.Hostname(), ".")
		switch {
		case len(labels) > 3 && labels[0] == "sqs": // sqs.REGION.amazonaws.com
			a.region = labels[1]
		case len(labels) > 3 && labels[1] == "queue": // REGION.queue.amazonaws.com
			a.region = labels[0]
		}
	}
	segments := strings.Split(strings.Trim(path, "/"), "/")
	a.name = segments[len(segments)-1]
	if n := len(segments); n > 1 && isAccount(segments[n-2]) {
		a.account = segments[n-2]
	}
	return a
}

func isAccount(s string) bool {
	if len(s) != 12 {
		return false
	}
	return strings.Trim(s, "0123456789") == ""
}

// keyURL and keyName name the queue that an operation works on.
func keyURL(r *aws.Request) (string, error) {
	u, err := member(r.Input, "QueueUrl")
	if err != nil {
		return "", err
	}
	if u == "" {
		return "", missingParameter("QueueUrl")
	}
	return parseURL(u).name, nil
}

func keyName(r *aws.Request) (string, error) {
	name, err := member(r.Input, "QueueName")
	if err == nil && name == "" {
		err = missingParameter("QueueName")
	}
	return name, err
}

// member reads one string member of an object and looks no further into the text than it must.
func member(input []byte, name string) (string, error) {
	if len(input) == 0 {
		return "", nil
	}
	if s, ok := plainMember(input, name); ok {
		return s, nil
	}
	d := json.NewDecoder(bytes.NewReader(input))
	bad := func(err error) (string, error) {
		return "", &aws.Error{Code: "SerializationException", Message: err.Error()}
	}
	if _, err := d.Token(); err != nil {
		return bad(err)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return bad(err)
		}
		if key != name {
			var skipped json.RawMessage
			if err := d.Decode(&skipped); err != nil {
				return bad(err)
			}
			continue
		}
		var s string
		if err := d.Decode(&s); err != nil {
			return bad(err)
		}
		return s, nil
	}
	return "", nil
}

var errFound = errors.New("the member was found")

// plainMember is member of a text of printable ASCII without escapes, as nearly all are.
func plainMember(input []byte, name string) (s string, ok bool) {
	_ = rawjson.EachMember(input, func(n string, value []byte) error {
		if n != name {
			return nil
		}
		if rawjson.KindOf(value) == rawjson.String && !slices.ContainsFunc(value, func(c byte) bool { return c < ' ' || c > '~' || c == '\\' }) {
			s, ok = string(value[1:len(value)-1]), true
		}
		return errFound
	})
	return s, ok
}

// resolve finds the account and region that a request means. The ones that its URL (or QueueOwnerAWSAccountId) names
// come first if they have such a queue here, else the caller's own, so that URLs which an application hard-codes work.
func (s *Service) resolve(ctx context.Context, r *aws.Request) (*aws.Request, error) {
	var a address
	switch r.Operation {
	case "CreateQueue", "ListQueues":
		return r, nil
	case "GetQueueUrl":
		name, err := keyName(r)
		if err != nil {
			return nil, err
		}
		owner, err := member(r.Input, "QueueOwnerAWSAccountId")
		if err != nil {
			return nil, err
		}
		a = address{account: owner, name: name}
	default:
		u, err := member(r.Input, "QueueUrl")
		if err != nil {
			return nil, err
		}
		a = parseURL(u)
	}
	found, err := s.find(ctx, a, r)
	if err != nil || found.account == r.Account && found.region == r.Region {
		return r, err
	}
	as := *r
	as.Account, as.Region = found.account, found.region
	if as.Principal == "" {
		as.Principal = aws.ARN{Service: "iam", Account: r.Account, Resource: "root"}.String()
	}
	return &as, nil
}

// find applies the foreign-host rule to an address.
func (s *Service) find(ctx context.Context, a address, r *aws.Request) (address, error) {
	own := address{r.Account, r.Region, a.name}
	if a.account == "" {
		a.account = r.Account
	}
	if a.region == "" {
		a.region = r.Region
	}
	if a == own {
		return own, nil
	}
	there, err := s.exists(ctx, a)
	if err != nil || there {
		return a, err
	}
	return own, nil
}

func (s *Service) exists(ctx context.Context, a address) (there bool, err error) {
	err = s.Env.Store.View(ctx, s.partition(a), func(rd store.Reader) error {
		b, err := rd.Get(a.key(rowQueue))
		there = b != nil
		return err
	})
	return there, err
}

func (s *Service) partition(a address) store.Partition {
	return s.PartitionOf(a.account, a.region, a.name)
}
