package lambda

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

func putConcurrency(c *service.Context, tx store.Tx) (any, error) {
	var in struct {
		named
		ReservedConcurrentExecutions *int
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	f, err := findUnqualified(c, tx, in.FunctionName)
	switch n := in.ReservedConcurrentExecutions; {
	case err != nil:
		return nil, err
	case n == nil:
		return nil, constraint("reservedConcurrentExecutions", nil, "Member must not be null")
	case *n < 0:
		return nil, constraint("reservedConcurrentExecutions", *n, "Member must have value greater than or equal to 0")
	}
	f.Reserved = in.ReservedConcurrentExecutions
	return map[string]int{"ReservedConcurrentExecutions": *f.Reserved}, put(tx, f)
}

func getConcurrency(c *service.Context, rd store.Reader) (any, error) {
	f, _, err := find(c, rd)
	if err != nil || f.Reserved == nil {
		return json.RawMessage("{}"), err
	}
	return map[string]int{"ReservedConcurrentExecutions": *f.Reserved}, nil
}

func deleteConcurrency(c *service.Context, tx store.Tx) (any, error) {
	f, _, err := find(c, tx)
	if err != nil {
		return nil, err
	}
	f.Reserved = nil
	return nil, put(tx, f)
}

// provisioned is provisioned concurrency. It is kept and answered as ready: processes are started when they are needed.
type provisioned struct {
	Requested    int
	LastModified time.Time
}

func (p *provisioned) answer() map[string]any {
	return map[string]any{
		"RequestedProvisionedConcurrentExecutions": p.Requested, "AvailableProvisionedConcurrentExecutions": p.Requested,
		"AllocatedProvisionedConcurrentExecutions": p.Requested, "Status": "READY", "LastModified": p.LastModified.UTC().Format("2006-01-02T15:04:05-0700"),
	}
}

func putProvisioned(c *service.Context, tx store.Tx) (any, error) {
	var in struct {
		named
		ProvisionedConcurrentExecutions int
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	f, q, err := findNamed(c, tx, in.named)
	switch {
	case err != nil:
		return nil, err
	case q == "":
		return nil, invalid("Provisioned Concurrency Configs cannot be applied to unpublished function versions.")
	case in.ProvisionedConcurrentExecutions < 1:
		return nil, constraint("provisionedConcurrentExecutions", in.ProvisionedConcurrentExecutions, "Member must have value greater than or equal to 1")
	}
	to := f.attach(q)
	to.Provisioned = &provisioned{in.ProvisionedConcurrentExecutions, c.Now}
	out := to.Provisioned.answer()
	return out, put(tx, f)
}

func getProvisioned(c *service.Context, rd store.Reader) (any, error) {
	f, q, err := find(c, rd)
	if err != nil {
		return nil, err
	}
	if p := f.at(q).Provisioned; p != nil {
		return p.answer(), nil
	}
	return nil, fail("ProvisionedConcurrencyConfigNotFoundException", 404, "No Provisioned Concurrency Config found for this function")
}

func deleteProvisioned(c *service.Context, tx store.Tx) (any, error) {
	f, q, err := find(c, tx)
	if err != nil || f.at(q).Provisioned == nil {
		return nil, err
	}
	f.attach(q).Provisioned = nil
	return nil, put(tx, f)
}

func listProvisioned(c *service.Context, rd store.Reader) (any, error) {
	f, _, err := find(c, rd)
	if err != nil {
		return nil, err
	}
	list := []map[string]any{}
	for _, q := range slices.Sorted(maps.Keys(f.Qualified)) {
		if p := f.Qualified[q].Provisioned; p != nil {
			item := p.answer()
			item["FunctionArn"] = qualify(f.arn(), q)
			list = append(list, item)
		}
	}
	return map[string]any{"ProvisionedConcurrencyConfigs": list}, nil
}
