package cloudwatch

import (
	"encoding/json"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// dashboard is kept for the tools that put it; nothing here draws it.
type dashboard struct {
	Version  int
	Body     string
	Modified float64 // s
}

var dashboardName = aws.Lazy(`^[A-Za-z0-9_-]{1,255}$`)

// dashboards belong to an account, whatever the region; they are kept where they were put.
func dashboardARN(account, name string) string {
	return aws.ARN{Service: "cloudwatch", Account: account, Resource: "dashboard/" + name}.String()
}

func (s *Service) putDashboard(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ DashboardName, DashboardBody string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if !dashboardName.MatchString(in.DashboardName) {
		return nil, invalidValue("The value %s for field DashboardName contains invalid characters. It can only contain alphanumerics, dash (-) and underscore (_).", in.DashboardName)
	}
	var body map[string]any
	if json.Unmarshal([]byte(in.DashboardBody), &body) != nil {
		e := parameter("DashboardInvalidInputError", "InvalidParameterInput", "The field DashboardBody must be a valid JSON object")
		e.Fields = map[string]any{"dashboardValidationMessages": []any{map[string]string{"Message": "The field DashboardBody must be a valid JSON object"}}}
		return nil, e
	}
	b, err := json.Marshal(dashboard{recordVersion, in.DashboardBody, seconds(c.Now)})
	if err != nil {
		return nil, err
	}
	tx.Set(rows(rowDashboard, c.Account, c.Region).Str(in.DashboardName), b)
	return map[string]any{"DashboardValidationMessages": []any{}}, nil
}

func readDashboard(rd store.Reader, c *service.Context, name string) (*dashboard, error) {
	b, err := rd.Get(rows(rowDashboard, c.Account, c.Region).Str(name))
	if err != nil {
		return nil, err
	}
	if b == nil {
		return nil, &aws.Error{Code: "DashboardNotFoundError", QueryCode: "ResourceNotFound", Status: 404, Message: "Dashboard " + name + " does not exist"}
	}
	d := &dashboard{}
	if json.Unmarshal(b, d) != nil || d.Version != recordVersion {
		return nil, errCorrupt
	}
	return d, nil
}

func (s *Service) getDashboard(c *service.Context, rd store.Reader) (any, error) {
	var in struct{ DashboardName string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	d, err := readDashboard(rd, c, in.DashboardName)
	if err != nil {
		return nil, err
	}
	return map[string]any{"DashboardArn": dashboardARN(c.Account, in.DashboardName), "DashboardBody": d.Body, "DashboardName": in.DashboardName}, nil
}

func (s *Service) listDashboards(c *service.Context, rd store.Reader) (any, error) {
	var in struct{ DashboardNamePrefix, NextToken string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	list := []map[string]any{}
	prefix := rows(rowDashboard, c.Account, c.Region)
	for k, v := range rd.Scan(prefix, prefix.End(), false) {
		name, _, _ := store.CutStr(k[len(prefix):])
		var d dashboard
		if json.Unmarshal(v, &d) != nil {
			return nil, errCorrupt
		}
		if strings.HasPrefix(name, in.DashboardNamePrefix) {
			list = append(list, map[string]any{"DashboardName": name, "DashboardArn": dashboardARN(c.Account, name), "LastModified": d.Modified, "Size": len(d.Body)})
		}
	}
	list, next, err := cut(list, in.NextToken, 0)
	if err != nil {
		return nil, err
	}
	return withToken(map[string]any{"DashboardEntries": list}, next), nil
}

func (s *Service) deleteDashboards(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ DashboardNames []string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	for _, name := range in.DashboardNames {
		if _, err := readDashboard(tx, c, name); err != nil {
			return nil, err
		}
		tx.Delete(rows(rowDashboard, c.Account, c.Region).Str(name))
	}
	return nil, nil
}
