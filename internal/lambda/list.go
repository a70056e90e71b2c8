package lambda

import (
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

const pageMax = 50 // AWS's page of ListFunctions

func listFunctions(c *service.Context, rd store.Reader) (any, error) {
	var in struct {
		Marker, FunctionVersion, MasterRegion string
		MaxItems                              int
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	all := store.K(store.TableFunction, "function", c.Account, c.Region)
	from := all
	if in.Marker != "" {
		from = all.Str(in.Marker).End() // a marker is the last name of the page before
	}
	list := []*configuration{}
	out := map[string]any{}
	last := ""
	for _, b := range rd.Scan(from, all.End(), false) {
		if len(list) >= pageSize(in.MaxItems) {
			out["NextMarker"] = last
			break
		}
		f, err := decode(b)
		if err != nil {
			return nil, err
		}
		last = f.Name
		if in.FunctionVersion != "ALL" {
			list = append(list, f.listed(""))
			continue
		}
		published, err := versions(rd, f.identity)
		if err != nil {
			return nil, err
		}
		for _, v := range append([]*record{f}, published...) {
			list = append(list, v.listed(v.version()))
		}
	}
	out["Functions"] = list
	return out, nil
}

// listed is the configuration as lists show it: without the members that AWS leaves out there.
func (f *record) listed(q string) *configuration {
	c := f.qualifiedConfiguration(q)
	c.State, c.LastUpdateStatus = "", ""
	return c
}
