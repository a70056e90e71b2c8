package node

import (
	"context"
	"encoding/json"
	"strings"
	"sync"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/store"
)

// owners knows which accounts and regions have made something here, so that an ARN of another one can stand for the
// caller's own. The set only grows and is stored when it does.
type owners struct {
	store store.Store
	next  aws.Caller

	mu  sync.RWMutex
	set map[string]bool // "ACCOUNT/REGION" and "ACCOUNT/" for any region
}

// ownersPartition holds the set.
const ownersPartition = store.Partition(0)

func ownersKey() store.Key { return store.K(store.TableMeta, "owners") }

func newOwners(ctx context.Context, s store.Store) (*owners, error) {
	o := &owners{store: s, set: map[string]bool{}}
	return o, s.View(ctx, ownersPartition, func(rd store.Reader) error {
		b, err := rd.Get(ownersKey())
		if err != nil || b == nil {
			return err
		}
		return json.Unmarshal(b, &o.set)
	})
}

func (o *owners) owns(account, region string) bool {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.set[account+"/"+region]
}

// Call notes who makes something and passes the request on.
func (o *owners) Call(ctx context.Context, r *aws.Request) (*aws.Output, error) {
	if makes(r.Operation) && !o.owns(r.Account, r.Region) {
		if err := o.add(ctx, r.Account, r.Region); err != nil {
			return nil, err
		}
	}
	return o.next.Call(ctx, r)
}

func makes(operation string) bool {
	return strings.HasPrefix(operation, "Create") || strings.HasPrefix(operation, "Put") || strings.HasPrefix(operation, "Publish")
}

func (o *owners) add(ctx context.Context, account, region string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.set[account+"/"+region], o.set[account+"/"] = true, true
	b, err := json.Marshal(o.set)
	if err != nil {
		return err
	}
	return o.store.Update(ctx, ownersPartition, func(tx store.Tx) error {
		tx.Set(ownersKey(), b)
		return nil
	})
}
