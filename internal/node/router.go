package node

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/aws"
)

// operator is a service as the router needs it.
type operator interface {
	aws.Caller
	ServiceName() string
	Has(operation string) bool
}

// router is the seam's hub: it hands a request to the service that it names.
type router struct {
	services map[string]operator
}

func (r *router) add(s operator) { r.services[s.ServiceName()] = s }

func (r *router) names() []string { return slices.Sorted(maps.Keys(r.services)) }

// published are the services that are AWS's and have a wire protocol.
func (r *router) published() []string {
	return slices.DeleteFunc(r.names(), func(name string) bool { _, ok := aws.Lookup(name); return !ok })
}

// has reports whether a service here has an operation.
func (r *router) has(service, operation string) bool {
	s := r.services[service]
	return s != nil && s.Has(operation)
}

// Call implements aws.Caller.
func (r *router) Call(ctx context.Context, req *aws.Request) (*aws.Output, error) {
	s := r.services[req.Service]
	if s == nil {
		return nil, &aws.Error{Code: "NotImplemented", Status: 501,
			Message: fmt.Sprintf("Newel does not have the service %q yet; it has %s.", req.Service, strings.Join(r.names(), ", "))}
	}
	return s.Call(ctx, req)
}
