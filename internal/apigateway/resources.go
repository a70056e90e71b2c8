package apigateway

import (
	"encoding/json"
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// input has the members of the operations' inputs that mean one thing wherever they occur.
type input struct {
	RestAPIID                                                string `json:"restApiId"`
	ResourceID, ParentID, PathPart, HTTPMethod, StatusCode   string
	StageName, DeploymentID, Name, Description, Version      string
	AuthorizationType, AuthorizerID, OperationName           string
	RequestValidatorID                                       string
	APIKeyRequired                                           bool
	RequestModels, ResponseModels                            map[string]string
	RequestParameters, ResponseParameters                    json.RawMessage
	Type, IntegrationHTTPMethod, URI, ConnectionType         string
	ConnectionID, Credentials, PassthroughBehavior           string
	ContentHandling, CacheNamespace, SelectionPattern        string
	CacheKeyParameters, BinaryMediaTypes                     []string
	RequestTemplates, ResponseTemplates, Tags, Variables     map[string]string
	TimeoutInMillis                                          *int
	MinimumCompressionSize                                   *int
	CloneFrom, Policy, Schema, ContentType, ModelName        string
	APIKeySource                                             string
	EndpointConfiguration                                    *endpoint
	DisableExecuteAPIEndpoint, TracingEnabled                bool
	CacheClusterEnabled                                      bool
	CacheClusterSize, StageDescription, DocumentationVersion string
	CanarySettings                                           json.RawMessage
	PatchOperations                                          []operation
	Position                                                 string
	Limit                                                    int
	Embed                                                    []string
}

// edit is one operation on an existing API.
type edit struct {
	*apiRow
	in input
	c  *service.Context
	tx store.Tx // nil for reads
	rd store.Reader
}

func (s *Service) api(c *service.Context, rd store.Reader) (*edit, error) {
	e := &edit{c: c, rd: rd}
	if err := service.Decode(c.Request, &e.in); err != nil {
		return nil, err
	}
	var err error
	if e.apiRow, err = load[apiRow](rd, key(c, "api", e.in.RestAPIID)); err != nil {
		return nil, err
	}
	if e.apiRow == nil {
		return nil, notFound("Invalid API identifier specified %s:%s", c.Account, e.in.RestAPIID)
	}
	return e, nil
}

// change makes a handler that changes an API.
func (s *Service) change(fn func(e *edit) (any, error)) func(*service.Context, store.Tx) (any, error) {
	return func(c *service.Context, tx store.Tx) (any, error) {
		e, err := s.api(c, tx)
		if err != nil {
			return nil, err
		}
		e.tx = tx
		out, err := fn(e)
		if err != nil {
			return nil, err
		}
		if e.apiRow == nil { // deleted
			return out, nil
		}
		return out, save(tx, key(c, "api", e.API.ID), e.apiRow)
	}
}

// read makes a handler that looks at an API.
func (s *Service) read(fn func(e *edit) (any, error)) func(*service.Context, store.Reader) (any, error) {
	return func(c *service.Context, rd store.Reader) (any, error) {
		e, err := s.api(c, rd)
		if err != nil {
			return nil, err
		}
		return fn(e)
	}
}

func (s *Service) createRestAPI(c *service.Context, tx store.Tx) (any, error) {
	var in input
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	switch {
	case in.Name == "":
		return nil, badRequest("Name cannot be empty")
	case in.CloneFrom != "":
		return nil, badRequest("Newel does not support cloneFrom.")
	}
	row := &apiRow{V: 1, Models: map[string]*model{}, API: restAPI{
		ID: newID(10), Name: in.Name, Description: in.Description, Version: in.Version, CreatedDate: seconds(c), BinaryMediaTypes: in.BinaryMediaTypes,
		MinimumCompressionSize: in.MinimumCompressionSize, APIKeySource: "HEADER", EndpointConfiguration: endpoint{Types: []string{"EDGE"}},
		Policy: in.Policy, Tags: in.Tags, DisableExecuteAPIEndpoint: in.DisableExecuteAPIEndpoint, RootResourceID: newID(10),
	}}
	if in.EndpointConfiguration != nil {
		row.API.EndpointConfiguration = *in.EndpointConfiguration
	}
	if in.APIKeySource == "AUTHORIZER" {
		return nil, badRequest("Newel does not support authorizers as the source of API keys.")
	}
	row.Resources = map[string]*resource{row.API.RootResourceID: {ID: row.API.RootResourceID, Path: "/"}}
	at := place{c.Account, c.Region}
	id := row.API.ID
	c.After = append(c.After, func() { s.learn(id, at) })
	return row.API, save(tx, key(c, "api", id), row)
}

func getRestAPIs(c *service.Context, rd store.Reader) (any, error) {
	var in input
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	rows, err := all[apiRow](rd, key(c, "api"))
	if err != nil {
		return nil, err
	}
	apis := make([]restAPI, len(rows))
	for i, r := range rows {
		apis[i] = r.API
	}
	return page(apis, func(a restAPI) string { return a.ID }, in.Position, in.Limit), nil
}

func updateRestAPI(e *edit) (any, error) {
	return &e.API, patch("GetRestApi", &e.API, e.in.PatchOperations)
}

func (s *Service) deleteRestAPI(e *edit) (any, error) {
	id := e.API.ID
	for _, table := range []string{"api", "stage", "deployment"} {
		k := key(e.c, table, id)
		e.tx.DeleteRange(k, k.End())
	}
	e.apiRow = nil
	e.c.After = append(e.c.After, func() { s.forget(id) })
	return nil, nil
}

func (e *edit) resource() (*resource, error) {
	r := e.Resources[e.in.ResourceID]
	if r == nil {
		return nil, notFound("Invalid Resource identifier specified")
	}
	return r, nil
}

var partRE = regexp.MustCompile(`^(\{[a-zA-Z0-9._:-]+\+?\}|[a-zA-Z0-9._\-:$@,~]+)$`)

func createResource(e *edit) (any, error) {
	parent := e.Resources[e.in.ParentID]
	if parent == nil {
		return nil, notFound("Invalid Resource identifier specified")
	}
	if !partRE.MatchString(e.in.PathPart) {
		return nil, badRequest("Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and curly braces at the beginning and the end.")
	}
	if strings.HasSuffix(parent.PathPart, "+}") {
		return nil, badRequest("Cannot create a child of a resource with a greedy path variable.")
	}
	for _, r := range e.Resources {
		if r.ParentID == parent.ID && r.PathPart == e.in.PathPart {
			return nil, conflict("Another resource with the same parent already has this name: %s", r.PathPart)
		}
		if r.ParentID == parent.ID && isParameter(r.PathPart) && isParameter(e.in.PathPart) && strings.HasSuffix(r.PathPart, "+}") == strings.HasSuffix(e.in.PathPart, "+}") {
			return nil, badRequest("A sibling (%s) of this resource already has a variable path part -- only one is allowed", r.PathPart)
		}
	}
	r := &resource{ID: newID(6), ParentID: parent.ID, PathPart: e.in.PathPart, Path: strings.TrimSuffix(parent.Path, "/") + "/" + e.in.PathPart}
	e.Resources[r.ID] = r
	return r, nil
}

func isParameter(part string) bool { return strings.HasPrefix(part, "{") }

// shown is a resource as it is answered: its methods in full only if that is asked for.
func (e *edit) shown(r *resource) any {
	out := map[string]any{"id": r.ID, "path": r.Path}
	if r.ParentID != "" {
		out["parentId"], out["pathPart"] = r.ParentID, r.PathPart
	}
	if len(r.Methods) > 0 {
		methods := map[string]any{}
		for name, m := range r.Methods {
			methods[name] = struct{}{}
			if slices.Contains(e.in.Embed, "methods") {
				methods[name] = m
			}
		}
		out["resourceMethods"] = methods
	}
	return out
}

func getResource(e *edit) (any, error) {
	r, err := e.resource()
	if err != nil {
		return nil, err
	}
	return e.shown(r), nil
}

func getResources(e *edit) (any, error) {
	var list []*resource
	for _, r := range e.Resources {
		list = append(list, r)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].ID < list[j].ID })
	limit := e.in.Limit
	if limit <= 0 {
		limit = 25
	}
	out := page(list, func(r *resource) string { return r.ID }, e.in.Position, limit)
	items := []any{}
	for _, r := range out["items"].([]*resource) {
		items = append(items, e.shown(r))
	}
	out["items"] = items
	return out, nil
}

func updateResource(e *edit) (any, error) {
	r, err := e.resource()
	if err != nil {
		return nil, err
	}
	for _, op := range e.in.PatchOperations {
		if op.Path != "/pathPart" || op.Op != "replace" {
			return nil, badRequest("Newel supports replacing '/pathPart' only.")
		}
		r.PathPart = op.Value
	}
	e.repath()
	return e.shown(r), nil
}

// repath makes the paths follow from the path parts.
func (e *edit) repath() {
	var path func(r *resource) string
	path = func(r *resource) string {
		if r.ParentID == "" {
			return ""
		}
		return path(e.Resources[r.ParentID]) + "/" + r.PathPart
	}
	for _, r := range e.Resources {
		r.Path = path(r)
		if r.Path == "" {
			r.Path = "/"
		}
	}
}

func deleteResource(e *edit) (any, error) {
	r, err := e.resource()
	if err != nil {
		return nil, err
	}
	if r.ParentID == "" {
		return nil, badRequest("Root resource cannot be deleted")
	}
	gone := map[string]bool{r.ID: true}
	for again := true; again; {
		again = false
		for id, other := range e.Resources {
			if gone[other.ParentID] && !gone[id] {
				gone[id], again = true, true
			}
		}
	}
	for id := range gone {
		delete(e.Resources, id)
	}
	return nil, nil
}
