package lambda

import (
	"encoding/json"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// alias is an alias as it is stored. V is the format: 1.
type alias struct {
	V               int
	Name            string
	FunctionVersion string
	Description     string
	Weights         map[string]float64 `json:",omitempty"` // share of the invocations by further versions
	RevisionID      string
}

const aliasPattern = `(?!^[0-9]+$)([a-zA-Z0-9-_]+)`

var aliasRE = aws.Lazy(`^[a-zA-Z0-9_-]{1,128}$`)

func (a *alias) answer(id identity) any {
	out := map[string]any{"AliasArn": qualify(id.arn(), a.Name), "Name": a.Name, "FunctionVersion": a.FunctionVersion,
		"Description": a.Description, "RevisionId": a.RevisionID}
	if len(a.Weights) > 0 {
		out["RoutingConfig"] = map[string]any{"AdditionalVersionWeights": a.Weights}
	}
	return out
}

func getAliasRow(rd store.Reader, id identity, name string) (*alias, error) {
	b, err := rd.Get(id.aliasesKey().Str(name))
	if err != nil || b == nil {
		return nil, err
	}
	a := new(alias)
	return a, json.Unmarshal(b, a)
}

func putAlias(tx store.Tx, id identity, a *alias) error {
	a.V, a.RevisionID = 1, aws.NewUUID()
	b, err := json.Marshal(a)
	if err == nil {
		tx.Set(id.aliasesKey().Str(a.Name), b)
	}
	return err
}

func aliases(rd store.Reader, id identity) ([]*alias, error) {
	var list []*alias
	all := id.aliasesKey()
	for _, b := range rd.Scan(all, all.End(), false) {
		a := new(alias)
		if err := json.Unmarshal(b, a); err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return list, nil
}

type aliasInput struct {
	FunctionName, Name           string
	FunctionVersion, Description *string
	RoutingConfig                *struct{ AdditionalVersionWeights map[string]float64 }
	RevisionId                   string //nolint:revive // AWS's name
}

// aliasOf reads the input, its function and the alias that it names, which is nil if there is none.
func aliasOf(c *service.Context, rd store.Reader) (*aliasInput, *record, *alias, error) {
	in := new(aliasInput)
	if err := service.Decode(c.Request, in); err != nil {
		return nil, nil, nil, err
	}
	if !aliasRE.MatchString(in.Name) || numberRE.MatchString(in.Name) {
		return nil, nil, nil, constraint("name", in.Name, "Member must satisfy regular expression pattern: %s", aliasPattern)
	}
	f, err := findUnqualified(c, rd, in.FunctionName)
	if err != nil {
		return nil, nil, nil, err
	}
	a, err := getAliasRow(rd, f.identity, in.Name)
	return in, f, a, err
}

func noAlias(f *record, name string) error {
	return fail("ResourceNotFoundException", 404, "Cannot find alias arn: %s", qualify(f.arn(), name))
}

// apply puts what is given into an alias. The versions have to be there.
func (in *aliasInput) apply(rd store.Reader, f *record, a *alias) error {
	if in.FunctionVersion != nil {
		a.FunctionVersion = *in.FunctionVersion
	}
	if in.Description != nil {
		a.Description = *in.Description
	}
	if in.RoutingConfig != nil {
		a.Weights = in.RoutingConfig.AdditionalVersionWeights
	}
	if a.FunctionVersion != latest && !numberRE.MatchString(a.FunctionVersion) {
		return constraint("functionVersion", a.FunctionVersion, `Member must satisfy regular expression pattern: (\$LATEST|[0-9]+)`)
	}
	if _, err := resolve(rd, f, a.FunctionVersion, mainVersion); err != nil {
		return err
	}
	if len(a.Weights) > 1 {
		return invalid("Number of items in AdditionalVersionWeights cannot be greater than 1")
	}
	for version, weight := range a.Weights {
		switch {
		case version == latest || a.FunctionVersion == latest:
			return invalid("$LATEST is not supported for an alias pointing to more than 1 version")
		case !numberRE.MatchString(version):
			return constraint("functionVersion", version, "Member must satisfy regular expression pattern: [0-9]+")
		case version == a.FunctionVersion:
			return invalid("Invalid function version %s. Function version %s is already included in routing configuration.", version, version)
		case weight < 0 || weight > 1:
			return constraint("routingConfig.additionalVersionWeights", weight, "Member must have value between 0.0 and 1.0")
		}
		if _, err := resolve(rd, f, version, mainVersion); err != nil {
			return err
		}
	}
	return nil
}

func createAlias(c *service.Context, tx store.Tx) (any, error) {
	in, f, a, err := aliasOf(c, tx)
	switch {
	case err != nil:
		return nil, err
	case a != nil:
		return nil, fail("ResourceConflictException", 409, "Alias already exists: %s", qualify(f.arn(), a.Name))
	case in.FunctionVersion == nil:
		return nil, constraint("functionVersion", nil, "Member must not be null")
	}
	a = &alias{Name: in.Name}
	if err = in.apply(tx, f, a); err != nil {
		return nil, err
	}
	if err = putAlias(tx, f.identity, a); err != nil {
		return nil, err
	}
	return a.answer(f.identity), nil
}

func updateAlias(c *service.Context, tx store.Tx) (any, error) {
	in, f, a, err := aliasOf(c, tx)
	switch {
	case err != nil:
		return nil, err
	case a == nil:
		return nil, noAlias(f, in.Name)
	case in.RevisionId != "" && in.RevisionId != a.RevisionID:
		return nil, checkRevision(&record{RevisionID: a.RevisionID}, in.RevisionId)
	}
	if err = in.apply(tx, f, a); err != nil {
		return nil, err
	}
	if err = putAlias(tx, f.identity, a); err != nil {
		return nil, err
	}
	return a.answer(f.identity), nil
}

func getAlias(c *service.Context, rd store.Reader) (any, error) {
	in, f, a, err := aliasOf(c, rd)
	if err != nil {
		return nil, err
	}
	if a == nil {
		return nil, noAlias(f, in.Name)
	}
	return a.answer(f.identity), nil
}

// deleteAlias also succeeds if there is none.
func deleteAlias(c *service.Context, tx store.Tx) (any, error) {
	_, f, a, err := aliasOf(c, tx)
	if err != nil || a == nil {
		return nil, err
	}
	tx.Delete(f.aliasesKey().Str(a.Name))
	if f.Qualified[a.Name] == nil {
		return nil, nil
	}
	delete(f.Qualified, a.Name)
	return nil, put(tx, f)
}

func listAliases(c *service.Context, rd store.Reader) (any, error) {
	var in struct {
		FunctionName, FunctionVersion, Marker string
		MaxItems                              int
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	f, err := findUnqualified(c, rd, in.FunctionName)
	if err != nil {
		return nil, err
	}
	all, err := aliases(rd, f.identity)
	if err != nil {
		return nil, err
	}
	page := []any{}
	out := map[string]any{}
	last := ""
	for _, a := range all {
		if a.Name <= in.Marker || in.FunctionVersion != "" && a.FunctionVersion != in.FunctionVersion {
			continue
		}
		if len(page) == pageSize(in.MaxItems) {
			out["NextMarker"] = last
			break
		}
		page = append(page, a.answer(f.identity))
		last = a.Name
	}
	out["Aliases"] = page
	return out, nil
}
