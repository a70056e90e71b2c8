package cfn

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/newel-run/newel/asl/value"
)

// Type is a row of the table of resource types: how properties become calls.
type Type struct {
	Name       string
	Properties []Property
	// NameProperty names the resource; where a template leaves it out a name of at most NameMax characters is made.
	NameProperty string
	NameMax      int
	// Attributes are those that Fn::GetAtt can ask for; Identify fills them.
	Attributes []string

	Create func(i *Instance) ([]Call, error)
	// Read is the call whose answer Identify turns into the resource's Ref and attributes; Missing are the error codes
	// with which it, and Delete, say that the resource is not there.
	Read     func(i *Instance) Call
	Missing  []string
	Identify func(i *Instance, answer *value.Object) (ref string, attributes map[string]string)
	// Update makes the resource that is there as i says; old is what was deployed before.
	Update func(i, old *Instance) ([]Call, error)
	Delete func(i *Instance) []Call
}

// Property is one property that a type supports.
type Property struct {
	Name     string
	Required bool
	Replace  bool // a change needs a new resource
}

// Call is one AWS call. Input has the API's member names; values are brought to the types of the API's model (coerce.go).
type Call struct {
	Service, Operation string
	Input              *value.Object
	Ignore             []string // error codes that mean that the effect is already there
}

// Instance is a resource with everything in it resolved.
type Instance struct {
	Account, Region string
	ID              string // logical id
	Name            string // physical name: given or made
	Ref             string // physical id once it exists
	Properties      *value.Object
}

func (i *Instance) get(property string) value.Value {
	v, _ := i.Properties.Get(property)
	return v
}

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
	for _, t := range types {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// TypeNames lists the resource types that are supported.
func TypeNames() []string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = t.Name
	}
	slices.Sort(names)
	return names
}

// generatedName is the physical name of a resource whose template gives none: stack, logical id and a suffix that
// depends on the stack's own id, so that it is the same whenever the same stack is deployed again.
func generatedName(t *Type, stack, stackID, id string) string {
	sum := sha256.Sum256([]byte(stackID + "/" + id))
	suffix := strings.ToUpper(hex.EncodeToString(sum[:6]))
	room := t.NameMax - len(suffix) - 2
	if len(stack)+len(id) > room {
		id = id[:min(len(id), max(room/2, room-len(stack)))]
		stack = stack[:min(len(stack), room-len(id))]
	}
	return stack + "-" + id + "-" + suffix
}
