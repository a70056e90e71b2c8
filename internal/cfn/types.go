package cfn

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
)

// Type is a row of the table of resource types: how properties become calls.
type Type struct {
	Name       string
	Properties []Property
	// Open types take any property and have any attribute (custom resources).
	Open bool
	// NameProperty names the resource; where a template leaves it out a name of at most NameMax characters is made, in
	// lower case for LowerName.
	NameProperty string
	NameMax      int
	LowerName    bool
	Suffix       func(i *Instance) string // of made-up names: ".fifo"
	// Attributes are those that Fn::GetAtt can ask for; Identify fills them. AttributePrefix begins further ones
	// ("Outputs.").
	Attributes      []string
	AttributePrefix string
	// Capability is "CAPABILITY_IAM" for a type that needs it; "CAPABILITY_NAMED_IAM" where the NameProperty is given.
	Capability string

	// Create makes the resource; nil for types that need no call.
	Create func(i *Instance) ([]Call, error)
	// Physical gives the Ref from the answer to Create's first call, for resources whose id their service gives out.
	Physical func(i *Instance, answer *value.Object) string
	// After are the calls of a creation that need the Ref.
	After func(i *Instance) ([]Call, error)
	// Read is the call whose answer Identify turns into the resource's Ref and attributes; without it Identify gets the
	// answer to Create's first call. Missing are the error codes with which it, and Delete, say that the resource is not
	// there.
	Read    func(i *Instance) Call
	Missing []string
	// Absent says that an answer of Read means that the resource is not there; nil if Read fails instead.
	Absent   func(i *Instance, answer *value.Object) bool
	Identify func(i *Instance, answer *value.Object) (ref string, attributes map[string]string)
	// Named: Read finds the resource by its name before it is made, and the stack never takes over what is there already.
	Named bool
	// Update makes the resource that is there as i says; old is what was deployed before. nil: every change replaces it.
	Update func(i, old *Instance) ([]Call, error)
	Delete func(i *Instance) []Call

	// Object is the S3 object that the resource's definition is read from; the engine puts it into Instance.Object.
	Object func(i *Instance) (at Location, ok bool)
	// Drive replaces the calls for types that are work of their own: nested stacks, custom resources.
	Drive driver
}

// Property is one property that a type supports.
type Property struct {
	Name     string
	Required bool
	Replace  bool   // a change needs a new resource
	API      string // "dynamodb:CreateTable": the operation whose input has the property under the same name, "" for none
	Members  []string
	// NoEffect says why the property changes nothing here; "" for one that is acted on.
	NoEffect string
}

// Call is one AWS call. Input has the API's member names; values are brought to the types of the API's model (coerce.go).
type Call struct {
	Service, Operation string
	Input              *value.Object
	Body               []byte
	Ignore             []string // error codes that mean that the effect is already there
	Own                bool     // an operation that only this server has: its input goes as it is
}

// Instance is a resource with everything in it resolved.
type Instance struct {
	Account, Region string
	StackID         string
	ID              string // logical id
	Type            string // as the template has it
	Name            string // physical name: given or made
	Ref             string // physical id once it exists
	Attributes      map[string]string
	Properties      *value.Object
	Shown           *value.Object // Properties as events show them, where a NoEcho parameter hides something; else nil
	Object          []byte        // what Type.Object names
}

func (i *Instance) get(property string) value.Value {
	v, _ := i.Properties.Get(property)
	return v
}

func (i *Instance) text(property string) string { return textOf(i.get(property)) }

// input makes an object of properties that have the same name in the API.
func (i *Instance) input(properties ...string) *value.Object {
	o := value.NewObject()
	for _, p := range properties {
		if v, ok := i.Properties.Get(p); ok {
			o.Set(p, v)
		}
	}
	return o
}

// arn makes an ARN in the resource's account and region.
func (i *Instance) arn(service, resource string) string {
	return aws.ARN{Service: service, Region: i.Region, Account: i.Account, Resource: resource}.String()
}

// properties makes rows in a short notation: NAME, with ! for a required one and ~ for one whose change needs a new
// resource. api is the operation whose input has properties of these names: nested members are checked against it.
func properties(api string, names ...string) []Property {
	out := make([]Property, len(names))
	for k, n := range names {
		base := strings.TrimRight(n, "!~")
		marks := n[len(base):]
		out[k] = Property{Name: base, API: api, Required: strings.Contains(marks, "!"), Replace: strings.Contains(marks, "~")}
	}
	return out
}

// without makes rows of properties that are accepted and change nothing here, for the reason given.
func without(reason string, names ...string) []Property {
	out := properties("", names...)
	for k := range out {
		out[k].NoEffect = reason
	}
	return out
}

// nest makes the row of a property whose members have names of their own, unlike the API's.
func nest(name string, members ...string) []Property {
	out := properties("", name)
	out[0].Members = members
	return out
}

func rows(parts ...[]Property) []Property { return slices.Concat(parts...) }

func (t *Type) property(name string) *Property {
	for i := range t.Properties {
		if t.Properties[i].Name == name {
			return &t.Properties[i]
		}
	}
	return nil
}

func (t *Type) propertyNames() []string {
	names := make([]string, len(t.Properties))
	for i, p := range t.Properties {
		names[i] = p.Name
	}
	return names
}

func typeNamed(name string) *Type {
	if strings.HasPrefix(name, "Custom::") {
		return customResource
	}
	for _, t := range types() {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// TypeNames lists the resource types that are supported.
func TypeNames() []string {
	names := []string{"Custom::*"}
	for _, t := range types() {
		names = append(names, t.Name)
	}
	slices.Sort(names)
	return names
}

// nested reports members of a property's value that the API, or the row, does not have.
func (p *parser) nested(r *Resource, path string, n *Node, q *Property) {
	if q.Members != nil && n.Kind == Map {
		p.known(n, fmt.Sprintf("resource %s: member of %s", r.ID, path), q.Members)
		return
	}
	service, operation, ok := strings.Cut(q.API, ":")
	if !ok {
		return
	}
	if m := memberOf(inputShape(service, operation), q.Name); m != nil {
		p.shape(r, path, n, m.Shape)
	}
}

// shape compares a node's structure with a model's; functions stand for whatever is needed.
func (p *parser) shape(r *Resource, path string, n *Node, s *aws.Shape) {
	switch {
	case n.Kind == Map && s.Type == "structure":
		for _, f := range n.Fields {
			m := memberOf(s, f.Name)
			if m == nil {
				p.fail(f.Line, f.Column, "resource %s: %s has no member %q; supported: %s", r.ID, path, f.Name, strings.Join(memberNames(s), ", "))
				continue
			}
			p.shape(r, path+"."+f.Name, f.Value, m.Shape)
		}
	case n.Kind == List && s.Type == "list":
		for _, item := range n.Items {
			p.shape(r, path, item, s.Elem.Shape)
		}
	case n.Kind == Map && s.Type == "map":
		for _, f := range n.Fields {
			p.shape(r, path+"."+f.Name, f.Value, s.Value.Shape)
		}
	case n.Kind == Map && s.Type == "list", n.Kind == Scalar && (s.Type == "list" || s.Type == "structure"):
		p.failAt(n, "resource %s: %s must be a %s", r.ID, path, s.Type)
	}
}

// generatedName is the physical name of a resource whose template gives none: stack, logical id and a suffix that
// depends on the stack's own id, so that it is the same whenever the same stack is deployed again.
func generatedName(t *Type, stack, stackID, id string) string {
	sum := sha256.Sum256([]byte(stackID + "/" + id))
	suffix := strings.ToUpper(hex.EncodeToString(sum[:6]))
	limit := t.NameMax
	if limit == 0 {
		limit = 128
	}
	room := limit - len(suffix) - 2
	if len(stack)+len(id) > room {
		id = id[:min(len(id), max(room/2, room-len(stack)))]
		stack = stack[:min(len(stack), room-len(id))]
	}
	name := stack + "-" + id + "-" + suffix
	if t.LowerName {
		name = strings.ToLower(name)
	}
	return name
}
