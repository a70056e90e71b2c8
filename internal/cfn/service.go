package cfn

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// Service is the service "cloudformation". Operations that change a stack answer as soon as the intention is stored;
// the work goes on until its end, over restarts.
type Service struct {
	*service.Service
	env    *service.Env
	macros map[string]Macro
	ctx    context.Context // ends with Close
	stop   context.CancelFunc
	work   sync.WaitGroup
	blocks blocks

	mu     sync.Mutex
	closed bool
	runs   map[string]*run // by stack id
}

// New makes the service. macros are the transforms that templates may name, beside AWS::Include and
// AWS::LanguageExtensions.
func New(env *service.Env, macros map[string]Macro) *Service {
	s := &Service{env: env, macros: macros, runs: map[string]*run{}}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.Service = service.New("cloudformation", env, []service.Operation{
		{Name: "CreateStack", Do: s.createStack},
		{Name: "UpdateStack", Do: s.updateStack},
		{Name: "DeleteStack", Do: s.deleteStack},
		{Name: "CancelUpdateStack", Do: s.cancelUpdate},
		{Name: "ContinueUpdateRollback", Do: s.continueRollback},
		{Name: "RollbackStack", Do: s.rollbackStack},
		{Name: "DescribeStacks", View: describeStacks},
		{Name: "ListStacks", View: listStacks},
		{Name: "DescribeStackEvents", View: describeEvents},
		{Name: "DescribeStackResources", View: describeResources},
		{Name: "DescribeStackResource", View: describeResource},
		{Name: "ListStackResources", View: listResources},
		{Name: "GetTemplate", View: getTemplate},
		{Name: "GetTemplateSummary", Do: s.templateSummary},
		{Name: "ValidateTemplate", Do: s.validateTemplate},
		{Name: "ListExports", View: listExports},
		{Name: "ListImports", View: listImports},
		{Name: "CreateChangeSet", Do: s.createChangeSet},
		{Name: "DescribeChangeSet", View: describeChangeSet},
		{Name: "ExecuteChangeSet", Do: s.executeChangeSet},
		{Name: "DeleteChangeSet", Update: deleteChangeSet},
		{Name: "ListChangeSets", View: listChangeSets},
		{Name: "GetStackPolicy", View: getPolicy},
		{Name: "SetStackPolicy", Update: s.setPolicy},
		{Name: "UpdateTerminationProtection", Update: s.setProtection},
	})
	return s
}

// Start goes on with what was under way when the server stopped.
func (s *Service) Start(ctx context.Context) error {
	var busy []*Stack
	for p := range s.env.Store.Partitions() {
		err := s.env.Store.View(ctx, store.Partition(p), func(rd store.Reader) error {
			table := store.K(store.TableStack)
			for k, v := range rd.Scan(table, table.End(), false) {
				if !isStackRow(k) {
					continue
				}
				st, err := decodeStack(v)
				if err != nil {
					return err
				}
				if st.busy() {
					busy = append(busy, st)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, st := range busy { // all numbers first: what is below the lowest is forgotten
		for _, rec := range append(slices.Clone(st.Resources), st.Garbage...) {
			if rec.Block > 0 && strings.HasSuffix(rec.Status, "_IN_PROGRESS") {
				s.blocks.add(source(st), rec.Block)
			}
		}
	}
	for _, st := range busy {
		s.begin(st)
	}
	return nil
}

// isStackRow reports whether a key of the table is that of a stack's record.
func isStackRow(key []byte) bool {
	rest, part, ok := key[1:], "", true
	for range 3 {
		if part, rest, ok = store.CutStr(rest); !ok {
			return false
		}
	}
	return part == "stacks"
}

// Close stops all work where it is and waits for calls that are out; Start goes on with it in the next process.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	s.work.Wait()
}

// begin works on a stack whose operation is stored. The record is read by the run itself, once it is the only one of its
// stack: what the caller knows may be old. A run that is there already looks again when it is through.
func (s *Service) begin(st *Stack) *run {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.runs[st.ID]; r != nil {
		r.again = true
		return r
	}
	r := &run{s: s, again: true, done: make(chan struct{})}
	if s.closed {
		close(r.done)
		return r
	}
	s.runs[st.ID] = r
	account, region, id := st.Account, st.Region, st.ID
	s.work.Go(func() {
		defer close(r.done)
		for s.more(r, id) {
			st, err := s.load(s.ctx, account, region, id)
			if err == nil && st != nil && st.busy() {
				r.mu.Lock()
				r.stack = st
				r.mu.Unlock()
				err = r.work(s.ctx)
			}
			if err != nil {
				r.err = err
				s.forget(id)
				return
			}
		}
	})
	return r
}

// more reports whether a run was asked to look at its stack; if not, it is over.
func (s *Service) more(r *run, id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !r.again {
		delete(s.runs, id)
		return false
	}
	r.again = false
	return true
}

func (s *Service) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.runs, id)
}

func (s *Service) running(id string) *run {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.runs[id]
}

// await waits until a stack is at rest and returns its record, nil if there is none.
func (s *Service) await(ctx context.Context, account, region, id string) (*Stack, error) {
	for {
		st, err := s.load(ctx, account, region, id)
		if err != nil || st == nil || !st.busy() {
			return st, err
		}
		r := s.begin(st)
		select {
		case <-r.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if s.ctx.Err() != nil {
			return nil, errStopped
		}
		if r.err != nil {
			return nil, r.err
		}
	}
}

func (s *Service) partition(account, region string) store.Partition {
	return s.PartitionOf(account, region, "")
}

func (s *Service) load(ctx context.Context, account, region, nameOrID string) (st *Stack, err error) {
	err = s.env.Store.View(ctx, s.partition(account, region), func(rd store.Reader) (err error) {
		st, err = readStack(rd, account, region, nameOrID)
		return err
	})
	return st, service.Wire(err)
}

func invalid(format string, args ...any) *aws.Error {
	return aws.Errorf("ValidationError", format, args...)
}

// unknown is AWS's answer for a stack that is not there.
func unknown(name string) *aws.Error { return invalid("Stack with id %s does not exist", name) }

// seconds is a time as the canonical form writes it.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func uuid() string {
	var b [16]byte
	rand.Read(b[:]) //nolint:errcheck // never fails: it stops the process instead
	return aws.FormatUUID(b)
}

// uuidOf is an id that depends on a text only.
func uuidOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return aws.FormatUUID([16]byte(sum[:16]))
}

func stackID(account, region, name, unique string) string {
	return aws.ARN{Service: "cloudformation", Region: region, Account: account, Resource: "stack/" + name + "/" + unique}.String()
}
