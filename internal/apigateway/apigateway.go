// Package apigateway is Amazon API Gateway's REST APIs (version 1): the management API, and the invocation of what it
// manages.
//
// Authoritative is the store. All APIs of an account and region share one partition: an API's row holds its resources and
// methods, a deployment's row an immutable copy of them, a stage's row points to a deployment. An invocation names the API
// by its id alone, so the service knows in memory where each id lives; that index is read from the store at Start and
// changed after commits. Invocations read what was committed and keep nothing: what they call is called at least once.
//
// An invocation (invoke.go) finds the stage, the resource and the method, maps the request with a template
// (package velocity), calls the integration through the seam (integration.go), and maps the answer back (respond.go).
package apigateway

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// Service is API Gateway.
type Service struct {
	*service.Service

	mu        sync.Mutex
	where     map[string]place       // API id -> where it lives
	snapshots map[string]*deployment // decoded deployments by API and deployment id: they never change
}

type place struct{ account, region string }

// New makes the service. Start it before the first invocation.
func New(env *service.Env) *Service {
	s := &Service{where: map[string]place{}, snapshots: map[string]*deployment{}}
	s.Service = service.New("apigateway", env, s.table())
	return s
}

// Start learns where the stored APIs live.
func (s *Service) Start(ctx context.Context) error {
	all := store.K(store.TableAPI, "api")
	for p := range s.Env.Store.Partitions() {
		err := s.Env.Store.View(ctx, store.Partition(p), func(rd store.Reader) error {
			for k := range rd.Scan(all, all.End(), false) {
				account, rest, ok := store.CutStr(k[len(all):])
				region, rest, ok2 := store.CutStr(rest)
				id, _, ok3 := store.CutStr(rest)
				if !ok || !ok2 || !ok3 {
					return fmt.Errorf("%w: key of an API", store.ErrCorrupt)
				}
				s.learn(id, place{account, region})
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) learn(id string, at place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.where[id] = at
}

func (s *Service) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.where, id)
}

func (s *Service) locate(id string) (place, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.where[id]
	return at, ok
}

func fail(code string, status int, format string, args ...any) *aws.Error {
	return &aws.Error{Code: code, Status: status, Message: fmt.Sprintf(format, args...)}
}

func notFound(format string, args ...any) *aws.Error {
	return fail("NotFoundException", 404, format, args...)
}

func conflict(format string, args ...any) *aws.Error {
	return fail("ConflictException", 409, format, args...)
}

func badRequest(format string, args ...any) *aws.Error {
	return fail("BadRequestException", 400, format, args...)
}

// newID makes an id of lower-case letters and digits.
func newID(length int) string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, length)
	rand.Read(b)
	for i := range b {
		b[i] = letters[int(b[i])%len(letters)]
	}
	return string(b)
}

func key(c *service.Context, table string, parts ...string) store.Key {
	k := store.K(store.TableAPI, table, c.Account, c.Region)
	for _, p := range parts {
		k = k.Str(p)
	}
	return k
}

// load reads a row; it is nil if there is none.
func load[T any](rd store.Reader, k store.Key) (*T, error) {
	b, err := rd.Get(k)
	if err != nil || b == nil {
		return nil, err
	}
	v := new(T)
	return v, json.Unmarshal(b, v)
}

func save(tx store.Tx, k store.Key, v any) error {
	b, err := json.Marshal(v)
	if err == nil {
		tx.Set(k, b)
	}
	return err
}

// all reads the rows under a key.
func all[T any](rd store.Reader, k store.Key) ([]*T, error) {
	var list []*T
	for _, b := range rd.Scan(k, k.End(), false) {
		v := new(T)
		if err := json.Unmarshal(b, v); err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// page cuts a list of items that are in the order of their ids.
func page[T any](items []T, id func(T) string, position string, limit int) map[string]any {
	if limit <= 0 || limit > 500 {
		limit = 500
	}
	out, list := map[string]any{}, []T{}
	for _, item := range items {
		if id(item) <= position {
			continue
		}
		if len(list) == limit {
			out["position"] = id(list[limit-1])
			break
		}
		list = append(list, item)
	}
	out["items"] = list
	return out
}

func seconds(c *service.Context) float64 { return float64(c.Now.Unix()) }
