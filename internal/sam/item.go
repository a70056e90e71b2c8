package sam

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/cfn"
	"github.com/newel-run/newel/internal/cfn/build"
)

// item is one SAM resource that is being expanded.
type item struct {
	t     *transformer
	id    string
	at    build.At
	node  *cfn.Node
	props *cfn.Node // Map
}

func (i *item) fail(at *cfn.Node, format string, args ...any) {
	i.t.fail(at, "resource %s: %s", i.id, fmt.Sprintf(format, args...))
}

// members reports each member of a map that is not among the known ones.
func (i *item) members(n *cfn.Node, what string, names ...string) bool {
	if n == nil || n.Kind != cfn.Map {
		i.fail(n, "%s must be an object", what)
		return false
	}
	ok := true
	for _, f := range n.Fields {
		if !slices.Contains(names, f.Name) {
			i.fail(f.Value, "property %q of %s is not supported; supported: %s", f.Name, what, strings.Join(names, ", "))
			ok = false
		}
	}
	return ok
}

func (i *item) prop(name string) *cfn.Node { return i.props.Get(name) }

// text is a string property; "" if it is not there.
func (i *item) text(n *cfn.Node, name string) string {
	v := n.Get(name)
	if v == nil {
		return ""
	}
	s, ok := v.Text()
	if !ok {
		i.fail(v, "%s must be a string", name)
	}
	return s
}

// attributes of a resource that what is made of it has too, and those that only its main resource has.
var (
	commonAttributes = []string{"Condition", "DeletionPolicy", "UpdateReplacePolicy"}
	ownAttributes    = []string{"DependsOn", "Metadata", "CreationPolicy", "UpdatePolicy"}
)

// emit adds a resource that is made of the item; main says that it is the one with the item's own id.
func (i *item) emit(id, kind string, props *cfn.Node, dependsOn ...string) *cfn.Node {
	r := i.at.Object("Type", kind, "Properties", props)
	names := commonAttributes
	if kind, _ := i.node.Get("Type").Text(); id == i.id || kind == "AWS::Serverless::Connector" {
		names = append(slices.Clone(names), ownAttributes...)
	}
	for _, name := range names {
		build.Set(r, name, build.Clone(i.node.Get(name)))
	}
	for _, d := range dependsOn {
		build.Append(r, "DependsOn", i.at.Node(d))
	}
	i.t.put(id, r)
	return r
}

// pass copies properties that CloudFormation has under the same name.
func pass(from, to *cfn.Node, names ...string) {
	for _, name := range names {
		build.Set(to, name, from.Get(name))
	}
}

// tagList is SAM's mark and a map of tags as CloudFormation's list.
func (i *item) tagList(mark string, tags *cfn.Node) *cfn.Node {
	list := i.at.List()
	if mark != "" {
		list.Items = append(list.Items, i.at.Object("Key", mark, "Value", "SAM"))
	}
	if tags == nil {
		return list
	}
	if tags.Kind != cfn.Map {
		i.fail(tags, "Tags must be an object of names and values")
		return list
	}
	for _, f := range tags.Fields {
		list.Items = append(list.Items, build.OfField(f).Object("Key", f.Name, "Value", f.Value))
	}
	return list
}

// notPropagated refuses PropagateTags: true: what is made of the resource does not get its tags.
func (i *item) notPropagated() {
	if n := i.prop("PropagateTags"); n != nil && n.Value != false {
		i.fail(n, "PropagateTags is not supported")
	}
}

// digest is the suffix of a generated id: the first ten characters of the content's SHA-1, its keys sorted.
func digest(n *cfn.Node) string {
	sum := sha1.Sum(value.Append(nil, sorted(n.Plain())))
	return hex.EncodeToString(sum[:])[:10]
}

// sorted orders the members of all objects by name.
func sorted(v value.Value) value.Value {
	switch v := v.(type) {
	case value.Array:
		out := make(value.Array, len(v))
		for i, e := range v {
			out[i] = sorted(e)
		}
		return out
	case *value.Object:
		members := make([]value.Member, 0, v.Len())
		for k, e := range v.All() {
			members = append(members, value.Member{Name: k, Value: sorted(e)})
		}
		slices.SortFunc(members, func(a, b value.Member) int { return strings.Compare(a.Name, b.Name) })
		return value.NewObject(members...)
	}
	return v
}

// s3Location takes s3://bucket/key?versionId=v, or an object {Bucket, Key, Version}, apart.
func (i *item) s3Location(n *cfn.Node, property string) (bucket, key, version *cfn.Node) {
	at := build.Of(n)
	if s, ok := n.Text(); ok {
		rest, ok := strings.CutPrefix(s, "s3://")
		b, k, ok2 := strings.Cut(rest, "/")
		if !ok || !ok2 || b == "" || k == "" {
			i.fail(n, "'%s' is not a valid S3 Uri of the form 's3://bucket/key' with optional versionId query parameter.", property)
			return nil, nil, nil
		}
		k, v, versioned := strings.Cut(k, "?versionId=")
		if versioned {
			version = at.Node(v)
		}
		return at.Node(b), at.Node(k), version
	}
	if !i.members(n, property, "Bucket", "Key", "Version") {
		return nil, nil, nil
	}
	if n.Get("Bucket") == nil || n.Get("Key") == nil {
		i.fail(n, "'%s' requires Bucket and Key properties to be specified.", property)
		return nil, nil, nil
	}
	return n.Get("Bucket"), n.Get("Key"), n.Get("Version")
}
