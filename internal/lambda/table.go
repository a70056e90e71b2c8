package lambda

import (
	"context"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// Every row without Key works on the partition that all functions of the account and region share.
func (s *Service) table() []service.Operation {
	return []service.Operation{
		{Name: "CreateFunction", Do: s.createFunction},
		{Name: "UpdateFunctionCode", Do: s.updateFunctionCode},
		{Name: "UpdateFunctionConfiguration", Update: s.updateFunctionConfiguration},
		{Name: "DeleteFunction", Update: s.deleteFunction},
		{Name: "GetFunction", View: s.getFunction},
		{Name: "GetFunctionConfiguration", View: getFunctionConfiguration},
		{Name: "ListFunctions", View: listFunctions},
		{Name: "Invoke", Do: s.invoke},
		{Name: "InvokeAsync", Do: s.invokeAsync},

		{Name: "AddPermission", Update: addPermission},
		{Name: "RemovePermission", Update: removePermission},
		{Name: "GetPolicy", View: getPolicy},
		{Name: "TagResource", Update: tagResource},
		{Name: "UntagResource", Update: untagResource},
		{Name: "ListTags", View: listTags},
		{Name: "PutFunctionConcurrency", Update: putConcurrency},
		{Name: "GetFunctionConcurrency", View: getConcurrency},
		{Name: "DeleteFunctionConcurrency", Update: deleteConcurrency},
		{Name: "PutFunctionEventInvokeConfig", Update: putEventInvokeConfig},
		{Name: "UpdateFunctionEventInvokeConfig", Update: updateEventInvokeConfig},
		{Name: "GetFunctionEventInvokeConfig", View: getEventInvokeConfig},
		{Name: "DeleteFunctionEventInvokeConfig", Update: deleteEventInvokeConfig},
		{Name: "GetAccountSettings", View: s.getAccountSettings},
		{Name: "ListVersionsByFunction", View: listVersions},
		{Name: "ListAliases", View: listAliases},
		{Name: "GetFunctionCodeSigningConfig", View: getCodeSigning},
	}
}

// named is the member that nearly every input has, and the qualifier of some.
type named struct{ FunctionName, Qualifier string }

// find reads the function that a request names.
func find(c *service.Context, rd store.Reader) (*record, error) {
	var in named
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	return findNamed(c, rd, in)
}

func findNamed(c *service.Context, rd store.Reader, in named) (*record, error) {
	id, q, err := target(c, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	f, err := need(rd, id)
	if err != nil {
		return nil, err
	}
	return f, id.unpublished(q)
}

func (s *Service) getFunction(c *service.Context, rd store.Reader) (any, error) {
	f, err := find(c, rd)
	if err != nil {
		return nil, err
	}
	out := map[string]any{
		"Configuration": f.configuration(),
		"Code":          map[string]string{"RepositoryType": "S3", "Location": s.codeLocation(f)},
	}
	if len(f.Tags) > 0 {
		out["Tags"] = f.Tags
	}
	if f.Reserved != nil {
		out["Concurrency"] = map[string]int{"ReservedConcurrentExecutions": *f.Reserved}
	}
	return out, nil
}

func getFunctionConfiguration(c *service.Context, rd store.Reader) (any, error) {
	f, err := find(c, rd)
	if err != nil {
		return nil, err
	}
	return f.configuration(), nil
}

const pageMax = 50 // AWS's page of ListFunctions

func listFunctions(c *service.Context, rd store.Reader) (any, error) {
	var in struct {
		Marker   string
		MaxItems int
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	n := pageMax
	if in.MaxItems > 0 {
		n = min(n, in.MaxItems)
	}
	all := store.K(store.TableFunction, "function", c.Account, c.Region)
	from := all
	if in.Marker != "" {
		from = all[:len(all):len(all)].Str(in.Marker).End() // a marker is the last name of the page before
	}
	list := []*configuration{}
	out := map[string]any{}
	for _, b := range rd.Scan(from, all.End(), false) {
		if len(list) == n {
			out["NextMarker"] = list[n-1].FunctionName
			break
		}
		f, err := decode(b)
		if err != nil {
			return nil, err
		}
		list = append(list, f.listed())
	}
	out["Functions"] = list
	return out, nil
}

// listed is the configuration as lists show it: without the members that AWS leaves out there.
func (f *record) listed() *configuration {
	c := f.configuration()
	c.State, c.LastUpdateStatus = "", ""
	return c
}

func listVersions(c *service.Context, rd store.Reader) (any, error) {
	f, err := find(c, rd)
	if err != nil {
		return nil, err
	}
	v := f.listed()
	v.FunctionArn += ":" + latest
	return map[string]any{"Versions": []*configuration{v}}, nil
}

func listAliases(c *service.Context, rd store.Reader) (any, error) {
	if _, err := find(c, rd); err != nil {
		return nil, err
	}
	return map[string]any{"Aliases": []any{}}, nil
}

func getCodeSigning(c *service.Context, rd store.Reader) (any, error) {
	f, err := find(c, rd)
	if err != nil {
		return nil, err
	}
	return map[string]any{"FunctionName": f.Name}, nil
}

func (s *Service) getAccountSettings(c *service.Context, rd store.Reader) (any, error) {
	all := store.K(store.TableFunction, "function", c.Account, c.Region)
	count, size := 0, 0
	for _, b := range rd.Scan(all, all.End(), false) {
		f, err := decode(b)
		if err != nil {
			return nil, err
		}
		count++
		size += f.CodeSize
	}
	return map[string]any{
		"AccountLimit": map[string]any{"TotalCodeSize": 80530636800, "CodeSizeUnzipped": 262144000, "CodeSizeZipped": 52428800,
			"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000},
		"AccountUsage": map[string]any{"TotalCodeSize": size, "FunctionCount": count},
	}, nil
}

func (s *Service) deleteFunction(c *service.Context, tx store.Tx) (any, error) {
	f, err := find(c, tx)
	if err != nil {
		return nil, err
	}
	tx.Delete(f.key())
	code := codeKey(f.identity)
	tx.DeleteRange(code, code.End())
	c.After = append(c.After, func() { s.retired(f.identity) })
	return members{StatusCode: 204}, nil
}

// retired ends the workers of a function that was changed or deleted.
func (s *Service) retired(id identity) {
	s.mu.Lock()
	delete(s.cached, string(id.key()))
	s.mu.Unlock()
	if s.pool != nil {
		s.pool.Retire(id.arn())
	}
}

func (s *Service) createFunction(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in createInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	f, err := in.record(c)
	if err != nil {
		return nil, err
	}
	// Most conflicts are seen here, before the code is fetched; the transaction decides.
	if _, err = s.load(ctx, f.identity); err == nil {
		return nil, exists(f)
	}
	p, err := s.fetch(ctx, c, in.Code)
	if err != nil {
		return nil, err
	}
	f.CodeHash, f.CodeSize = p.hash, len(p.zip)
	f.revise(c.Now)
	out, err := s.upload(ctx, c, f.identity, p, func(tx store.Tx) (any, error) {
		old, err := get(tx, f.identity)
		if err != nil {
			return nil, err
		}
		if old != nil {
			return nil, exists(f)
		}
		return f.configuration(), put(tx, f)
	})
	if err != nil {
		return nil, service.Wire(err)
	}
	return &aws.Output{Value: out}, nil
}

func exists(f *record) error {
	return fail("ResourceConflictException", 409, "Function already exist: %s", f.Name)
}
