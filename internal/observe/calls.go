package observe

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/tally"
)

// Calls is middleware at the seam that counts calls. What it keeps is bounded by the operations that exist: a call of
// another one is counted under none.
type Calls struct {
	next aws.Caller
	has  func(service, operation string) bool
	// known is replaced, never changed, when an operation is called for the first time.
	known atomic.Pointer[map[callKey]*callStats]
}

type callKey struct {
	service, operation string
	inside             bool
}

type callStats struct {
	took   tally.Histogram
	status [len(statuses) + 1]atomic.Uint64
}

// statuses are those that are counted by themselves; the others are counted as 0.
var statuses = [...]int{200, 201, 202, 204, 206, 301, 304, 400, 401, 402, 403, 404, 405, 409, 411, 412, 413, 416, 429, 500, 501, 502, 503, 504}

// NewCalls counts the calls that go to next. has says which operations there are.
func NewCalls(next aws.Caller, has func(service, operation string) bool) *Calls {
	c := &Calls{next: next, has: has}
	c.known.Store(&map[callKey]*callStats{})
	return c
}

// Call implements aws.Caller.
func (c *Calls) Call(ctx context.Context, r *aws.Request) (*aws.Output, error) {
	s := c.of(callKey{r.Service, r.Operation, r.Host == ""})
	began := time.Now()
	out, err := c.next.Call(ctx, r)
	s.took.Since(began)
	i, there := slices.BinarySearch(statuses[:], statusOf(out, err))
	if !there {
		i = len(statuses)
	}
	s.status[i].Add(1)
	return out, err
}

func statusOf(out *aws.Output, err error) int {
	if err == nil {
		if out == nil {
			return http.StatusOK
		}
		return cmp.Or(out.Status, http.StatusOK)
	}
	var e *aws.Error
	if errors.As(err, &e) {
		return e.HTTPStatus()
	}
	return http.StatusInternalServerError
}

func (c *Calls) of(k callKey) *callStats {
	if s := (*c.known.Load())[k]; s != nil {
		return s
	}
	if !c.has(k.service, k.operation) {
		k = callKey{inside: k.inside}
	}
	for {
		old := c.known.Load()
		if s := (*old)[k]; s != nil {
			return s
		}
		next := make(map[callKey]*callStats, len(*old)+1)
		for key, s := range *old {
			next[key] = s
		}
		s := &callStats{}
		next[k] = s
		if c.known.CompareAndSwap(old, &next) {
			return s
		}
	}
}

// Read is what was called so far, in the order of services and operations.
func (c *Calls) Read() []Call {
	var list []Call
	for k, s := range *c.known.Load() {
		call := Call{Service: k.service, Operation: k.operation, Inside: k.inside, Status: map[int]uint64{}, Took: s.took.Read()}
		for i := range s.status {
			if n := s.status[i].Load(); n > 0 {
				status := 0
				if i < len(statuses) {
					status = statuses[i]
				}
				call.Status[status] = n
			}
		}
		list = append(list, call)
	}
	slices.SortFunc(list, func(a, b Call) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Operation, b.Operation), compareBool(a.Inside, b.Inside))
	})
	return list
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
