// Package connection is EventBridge's connections, which say how to authorize at an HTTP API and what to add to every request to
// it, and its API destinations, which are such APIs as targets of rules.
//
// It is a part of the service "events" (Operations are rows of its table). The connections of an account and region are one
// partition. A connection's record says all that may be shown; its parameters as a whole are a secret of Secrets Manager,
// reached through the seam, which seals them. Access tokens are in memory only.
//
// A connection is made in three steps: its record in the state CREATING, its secret, its record with the secret. A crash in
// between leaves a connection that can be updated or deleted, and a secret that is found again by its name.
package connection

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// Connections are the connections of a server.
type Connections struct {
	env    *service.Env
	tokens tokens
}

// New makes them.
func New(env *service.Env) *Connections {
	return &Connections{env: env, tokens: tokens{held: map[string]token{}}}
}

// Operations are the rows of the service's table.
func (s *Connections) Operations() []service.Operation {
	return []service.Operation{
		{Name: "CreateConnection", Do: s.createConnection},
		{Name: "UpdateConnection", Do: s.updateConnection},
		{Name: "DescribeConnection", Do: s.describeConnection},
		{Name: "ListConnections", View: s.listConnections},
		{Name: "DeauthorizeConnection", Do: s.deauthorizeConnection},
		{Name: "DeleteConnection", Do: s.deleteConnection},
		{Name: Retrieve, Do: s.retrieveCredentials},
		{Name: "CreateApiDestination", Update: s.createDestination},
		{Name: "UpdateApiDestination", Update: s.updateDestination},
		{Name: "DescribeApiDestination", View: s.describeDestination},
		{Name: "ListApiDestinations", View: s.listDestinations},
		{Name: "DeleteApiDestination", Update: s.deleteDestination},
		{Name: InvokeDestination, Do: s.invokeDestination},
	}
}

// principal is who uses the secrets.
const principal = "events.amazonaws.com"

// The rows, keyed by kind, account and region.
const (
	rowConnection  byte = 'c' // name -> record (connection)
	rowDestination byte = 'd' // name -> record (destination)
)

const recordVersion = 1

var errCorrupt = errors.Join(store.ErrCorrupt, errors.New("connection: a row cannot be decoded"))

func rows(kind byte, account, region string) store.Key {
	return append(store.K(store.TableConnection), kind).Str(account).Str(region)
}

// partition is that of the rows without a key of their own in the service's table.
func (s *Connections) partition(c *service.Context) store.Partition {
	return store.Place(s.env.Store.Partitions(), c.Account, c.Region, "events", "")
}

func (s *Connections) transact(ctx context.Context, c *service.Context, fn func(tx store.Tx) error) error {
	return s.env.Store.Update(ctx, s.partition(c), fn)
}

func (s *Connections) view(ctx context.Context, c *service.Context, fn func(rd store.Reader) error) error {
	return s.env.Store.View(ctx, s.partition(c), fn)
}

func set(tx store.Tx, key store.Key, record any) error {
	b, err := json.Marshal(record)
	if err == nil {
		tx.Set(key, b)
	}
	return err
}

// get reads a record; it is not there if ok is false.
func get(rd store.Reader, key store.Key, record any) (ok bool, err error) {
	b, err := rd.Get(key)
	if err != nil || b == nil {
		return false, err
	}
	if json.Unmarshal(b, record) != nil {
		return false, errCorrupt
	}
	return true, nil
}

func validation(format string, args ...any) *aws.Error {
	return aws.Errorf("ValidationException", format, args...)
}

func notFound(format string, args ...any) *aws.Error {
	return aws.Errorf("ResourceNotFoundException", format, args...)
}

// listInput asks for a page of a list.
type listInput struct {
	NamePrefix, NextToken string
	Limit                 int
}

// page cuts the list in the table, in the order of names; each gives the entry of a row, nil for one that is not wanted.
func (in *listInput) page(rd store.Reader, table store.Key, member string, each func(row []byte) (name string, entry map[string]any, err error)) (any, error) {
	if in.Limit == 0 {
		in.Limit = 100
	}
	after, err := base64.StdEncoding.DecodeString(in.NextToken)
	if err != nil {
		return nil, validation("Parameter NextToken is not valid.")
	}
	list, last := []any{}, ""
	for _, row := range rd.Scan(table, table.End(), false) {
		name, entry, err := each(row)
		if err != nil {
			return nil, err
		}
		if entry == nil || !strings.HasPrefix(name, in.NamePrefix) || in.NextToken != "" && name <= string(after) {
			continue
		}
		if len(list) == in.Limit {
			return map[string]any{member: list, "NextToken": base64.StdEncoding.EncodeToString([]byte(last))}, nil
		}
		list, last = append(list, entry), name
	}
	return map[string]any{member: list}, nil
}
