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
		{Name: "CreateEventSourceMapping", Do: s.createMapping},
		{Name: "UpdateEventSourceMapping", Update: s.updateMapping},
		{Name: "DeleteEventSourceMapping", Update: s.deleteMapping},
		{Name: "GetEventSourceMapping", View: getEventSourceMapping},
		{Name: "ListEventSourceMappings", View: listEventSourceMappings},
		{Name: "GetAccountSettings", View: s.getAccountSettings},
		{Name: "PublishVersion", Update: publishVersion},
		{Name: "ListVersionsByFunction", View: listVersions},
		{Name: "CreateAlias", Update: createAlias},
		{Name: "UpdateAlias", Update: updateAlias},
		{Name: "DeleteAlias", Update: deleteAlias},
		{Name: "GetAlias", View: getAlias},
		{Name: "ListAliases", View: listAliases},
		{Name: "PutProvisionedConcurrencyConfig", Update: putProvisioned},
		{Name: "GetProvisionedConcurrencyConfig", View: getProvisioned},
		{Name: "DeleteProvisionedConcurrencyConfig", Update: deleteProvisioned},
		{Name: "ListProvisionedConcurrencyConfigs", View: listProvisioned},
		{Name: "GetFunctionCodeSigningConfig", View: getCodeSigning},
	}
}

// named is the member that nearly every input has, and the qualifier of some.
type named struct{ FunctionName, Qualifier string }

// find reads the function that a request names, and the version or alias of it.
func find(c *service.Context, rd store.Reader) (*record, string, error) {
	var in named
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, "", err
	}
	return findNamed(c, rd, in)
}

// findNamed reads the function and the qualifier that is given, which is there; "" for $LATEST.
func findNamed(c *service.Context, rd store.Reader, in named) (*record, string, error) {
	id, q, err := target(c, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, "", err
	}
	f, err := need(rd, id)
	if err != nil {
		return nil, "", err
	}
	if q == "" || q == latest {
		return f, "", nil
	}
	_, err = resolve(rd, f, q, mainVersion)
	return f, q, err
}

// findUnqualified reads a function for an operation that concerns all of it.
func findUnqualified(c *service.Context, rd store.Reader, name string) (*record, error) {
	id, q, err := target(c, name, "")
	if err != nil {
		return nil, err
	}
	if err = unqualified(id, q); err != nil {
		return nil, err
	}
	return need(rd, id)
}

// given is the qualifier that a request gives, $LATEST included.
func given(c *service.Context) (string, error) {
	var in named
	if err := service.Decode(c.Request, &in); err != nil {
		return "", err
	}
	_, q, err := target(c, in.FunctionName, in.Qualifier)
	return q, err
}

func (s *Service) getFunction(c *service.Context, rd store.Reader) (any, error) {
	f, q, err := find(c, rd)
	if err != nil {
		return nil, err
	}
	conf, v, err := configured(c, rd, f, q)
	if err != nil {
		return nil, err
	}
	out := map[string]any{
		"Configuration": conf,
		"Code":          map[string]string{"RepositoryType": "S3", "Location": s.codeLocation(v, c.Now)},
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
	f, q, err := find(c, rd)
	if err != nil {
		return nil, err
	}
	conf, _, err := configured(c, rd, f, q)
	return conf, err
}

// configured is the configuration of what a request names, under the ARN by which it is named.
func configured(c *service.Context, rd store.Reader, f *record, q string) (*configuration, *record, error) {
	named, err := given(c)
	if err != nil {
		return nil, nil, err
	}
	v, err := resolve(rd, f, q, mainVersion)
	if err != nil {
		return nil, nil, err
	}
	return v.qualifiedConfiguration(named), v, nil
}

func getCodeSigning(c *service.Context, rd store.Reader) (any, error) {
	f, _, err := find(c, rd)
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
		if !in.Publish {
			return f.configuration(), put(tx, f)
		}
		v, err := publish(tx, f, f.Description, c.Now)
		if err != nil {
			return nil, err
		}
		return v.configuration(), nil
	})
	if err != nil {
		return nil, service.Wire(err)
	}
	return &aws.Output{Value: out}, nil
}

func exists(f *record) error {
	return fail("ResourceConflictException", 409, "Function already exist: %s", f.Name)
}
