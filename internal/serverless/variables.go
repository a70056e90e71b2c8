package serverless

import (
	"fmt"
	"strings"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/cfn"
	"github.com/newel-run/newel/internal/cfn/build"
)

// resolver replaces the variables in a configuration. Every string is resolved once, when it is first needed; a string
// that is needed while it is being resolved is a cycle.
type resolver struct {
	reader
	in    Input
	root  *cfn.Node
	state map[*cfn.Node]int // underWay or done
	room  int               // nodes that variables may still become
	chain []string          // the variables being resolved, outermost first
	files map[string]*cfn.Node
	depth int
}

const (
	underWay = iota + 1
	done
)

// maxNodes bounds what variables that stand for lists of variables can grow to.
const maxNodes = 200_000

// maxDepth bounds how deep variables may refer to variables.
const maxDepth = 100

// missing says that a source has no value, so that the next one is asked.
type missing struct{ text string }

func (m missing) Error() string { return m.text }

// all resolves every string below a node, in place. A node whose content is needed while it is being resolved is a
// cycle: a variable within it stands for the whole.
func (r *resolver) all(n *cfn.Node) error {
	if n == nil || r.state[n] == done {
		return nil
	}
	if n.Kind == cfn.Scalar {
		r.one(n)
		return nil
	}
	if r.state[n] == underWay {
		return fmt.Errorf("it refers to itself: %s", strings.Join(r.chain, " -> "))
	}
	r.state[n] = underWay
	var failed error
	visit := func(c *cfn.Node) {
		if err := r.all(c); err != nil && failed == nil {
			failed = err
		}
	}
	visit(n.Arg)
	for _, c := range n.Items {
		visit(c)
	}
	for _, f := range n.Fields {
		visit(f.Value)
	}
	r.state[n] = done
	return failed
}

// one resolves a scalar, in place; it may become anything.
func (r *resolver) one(n *cfn.Node) {
	text, ok := n.Text()
	if !ok || r.state[n] == done || !strings.Contains(text, "${") {
		return
	}
	if r.state[n] == underWay || len(r.chain) > maxDepth {
		r.fail(n, "Cannot resolve variable: it refers to itself: %s", strings.Join(append(r.chain, text), " -> "))
		r.state[n] = done
		n.Value = ""
		return
	}
	r.state[n] = underWay
	r.chain = append(r.chain, text)
	v, err := r.interpolate(n, text)
	r.chain = r.chain[:len(r.chain)-1]
	if r.state[n] == done { // a cycle was reported
		return
	}
	r.state[n] = done
	if err != nil {
		r.fail(n, "Cannot resolve variable in %q: %s", text, err)
		return
	}
	line, column := n.Line, n.Column
	*n = *v
	n.Line, n.Column = line, column
}

// interpolate replaces the variables of a text. A text that is one variable becomes that variable's value, whatever it
// is; otherwise the values are put in as text.
func (r *resolver) interpolate(at *cfn.Node, text string) (*cfn.Node, error) {
	var out strings.Builder
	rest := text
	for {
		before, after, found := strings.Cut(rest, "${")
		out.WriteString(before)
		if !found {
			return build.Of(at).Node(out.String()), nil
		}
		p := parser{text: after}
		e, err := p.variable()
		if err != nil {
			return nil, err
		}
		if e == nil { // not one of the framework's: ${AWS::Region}
			out.WriteString("${")
			rest = after
			continue
		}
		v, err := r.evaluate(at, e)
		if err != nil {
			return nil, err
		}
		if whole := len("${") + p.at; before == "" && out.Len() == 0 && whole == len(text) {
			return v, nil
		}
		s, ok := plainText(v)
		if !ok {
			return nil, fmt.Errorf("the value of ${%s is not a string, and it is used within one", after[:p.at])
		}
		out.WriteString(s)
		rest = after[p.at:]
	}
}

// plainText is a scalar as text.
func plainText(n *cfn.Node) (string, bool) {
	if n.Kind != cfn.Scalar || n.Value == nil {
		return "", false
	}
	if s, ok := n.Value.(string); ok {
		return s, true
	}
	return string(value.Append(nil, n.Value)), true
}

// evaluate asks the sources of a variable one after the other.
func (r *resolver) evaluate(at *cfn.Node, e *expression) (*cfn.Node, error) {
	if r.depth++; r.depth > maxDepth {
		return nil, fmt.Errorf("variables refer to variables more than %d deep: %s", maxDepth, strings.Join(r.chain, " -> "))
	}
	defer func() { r.depth-- }()
	var err error
	for _, s := range e.sources {
		if s.literal != nil {
			return build.Of(at).Node(*s.literal), nil
		}
		var v *cfn.Node
		if s.whole != "" {
			v, err = r.interpolate(at, s.whole)
		} else {
			v, err = r.source(at, s)
		}
		if err == nil {
			build.Walk(v, func(*cfn.Node) { r.room-- })
			if r.room < 0 {
				return nil, fmt.Errorf("the variables become too much: more than %d values", maxNodes)
			}
			return build.Clone(v), nil
		}
		if _, none := err.(missing); !none {
			return nil, err
		}
	}
	return nil, err
}

// argument resolves the variables within a source's address or parameters.
func (r *resolver) argument(at *cfn.Node, text string) (string, error) {
	if !strings.Contains(text, "${") {
		return text, nil
	}
	v, err := r.interpolate(at, text)
	if err != nil {
		return "", err
	}
	s, ok := plainText(v)
	if !ok {
		return "", fmt.Errorf("%q is not a string", text)
	}
	return s, nil
}

func (r *resolver) source(at *cfn.Node, s source) (*cfn.Node, error) {
	address, err := r.argument(at, s.address)
	if err != nil {
		return nil, err
	}
	parameter, err := r.argument(at, s.parameter)
	if err != nil {
		return nil, err
	}
	node := build.Of(at).Node
	switch s.kind {
	case "self":
		return r.path(r.root, address, "self:"+address)
	case "file":
		return r.fromFile(at, parameter, address)
	case "opt":
		if v, ok := r.option(address); ok {
			return node(v), nil
		}
	case "env":
		if v, ok := r.in.Env(address); ok {
			return node(v), nil
		}
	case "param":
		return r.parameter(at, address)
	case "sls":
		if address == "stage" {
			return node(r.stage()), nil
		}
		if address == "instanceId" {
			return node("newel"), nil
		}
	case "aws":
		switch address {
		case "accountId":
			return node(r.in.Account), nil
		case "region":
			return node(r.region()), nil
		}
	case "strToBool":
		switch strings.ToLower(strings.TrimSpace(parameter)) {
		case "true", "1":
			return node(true), nil
		case "false", "0":
			return node(false), nil
		}
		return nil, fmt.Errorf("strToBool(%s): true, false, 1 or 0 is needed", parameter)
	default:
		return nil, fmt.Errorf("the variable source %q is not supported; supported: %s", s.kind, strings.Join(sources, ", "))
	}
	return nil, missing{fmt.Sprintf("Value not found at %q source: %s", s.kind, address)}
}

// sources are those that are supported.
var sources = []string{"self", "file", "opt", "env", "param", "sls", "aws", "strToBool"}

func (r *resolver) option(name string) (string, bool) {
	switch {
	case name == "stage" && r.in.Stage != "":
		return r.in.Stage, true
	case name == "region" && r.in.Region != "":
		return r.in.Region, true
	}
	v, ok := r.in.Options[name]
	return v, ok
}

// stage is --stage, provider.stage or dev.
func (r *resolver) stage() string { return r.setting("stage", r.in.Stage, "dev") }

// region is --region, provider.region, the region of the caller, or us-east-1.
func (r *resolver) region() string {
	return r.setting("region", r.in.Region, firstText(r.in.DefaultRegion, "us-east-1"))
}

func firstText(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func (r *resolver) setting(name, given, otherwise string) string {
	if given != "" {
		return given
	}
	n, err := r.path(r.root, "provider."+name, "")
	if err != nil || absent(n) {
		return otherwise
	}
	s, _ := plainText(n)
	return firstText(s, otherwise)
}

// path walks a dotted address, resolving what lies on the way.
func (r *resolver) path(n *cfn.Node, address, name string) (*cfn.Node, error) {
	r.one(n)
	if address == "" {
		return n, r.all(n)
	}
	for _, part := range strings.Split(address, ".") {
		next := n.Get(part)
		if next == nil && n.Kind == cfn.List {
			next = element(n, part)
		}
		if next == nil && n.Kind == cfn.Function && n.Fn == part {
			next = n.Arg
		}
		if next == nil {
			return nil, missing{fmt.Sprintf("Value not found at %s", name)}
		}
		r.one(next)
		n = next
	}
	if n.Kind == cfn.Scalar && n.Value == nil {
		return nil, missing{fmt.Sprintf("Value not found at %s: it is null", name)}
	}
	return n, r.all(n)
}

func element(list *cfn.Node, index string) *cfn.Node {
	i := 0
	if _, err := fmt.Sscanf(index, "%d", &i); err != nil || i < 0 || i >= len(list.Items) {
		return nil
	}
	return list.Items[i]
}

// fromFile is a file's content, or a member of it.
func (r *resolver) fromFile(at *cfn.Node, name, address string) (*cfn.Node, error) {
	if name == "" {
		return nil, fmt.Errorf("file: a path is needed: ${file(name.yml)}")
	}
	root := r.files[name]
	if root == nil {
		text, err := r.in.Read(name)
		if err != nil {
			return nil, missing{fmt.Sprintf("file %s: %s", name, err)}
		}
		switch ext := name[strings.LastIndexByte(name, '.')+1:]; ext {
		case "yml", "yaml", "json":
			if root, err = cfn.ParseNode(name, text); err != nil {
				return nil, err
			}
			mergeKeys(root)
		case "js", "cjs", "mjs", "ts":
			return nil, fmt.Errorf("file %s: variables computed by code are not supported", name)
		default:
			root = build.At{Line: 1, Column: 1}.Node(strings.TrimSpace(string(text)))
		}
		// Messages name the variable's place: the file has none in serverless.yml.
		build.Walk(root, func(n *cfn.Node) { n.Line, n.Column = at.Line, at.Column })
		r.files[name] = root
	}
	return r.path(root, address, "file("+name+"):"+address)
}

// parameter is --param, or the params section: of the stage, or the default.
func (r *resolver) parameter(at *cfn.Node, name string) (*cfn.Node, error) {
	if v, ok := r.in.Params[name]; ok {
		return build.Of(at).Node(v), nil
	}
	for _, stage := range []string{r.stage(), "default"} {
		if v, err := r.path(r.root, "params."+stage+"."+name, ""); err == nil {
			return v, nil
		}
	}
	return nil, missing{"The param " + name + " cannot be resolved: give it with --param, or in the section params"}
}

// mergeKeys carries out YAML's merge keys: "<<: *anchor".
func mergeKeys(n *cfn.Node) {
	if n == nil {
		return
	}
	mergeKeys(n.Arg)
	for _, c := range n.Items {
		mergeKeys(c)
	}
	for _, f := range n.Fields {
		mergeKeys(f.Value)
	}
	from := n.Get("<<")
	if from == nil {
		return
	}
	build.Delete(n, "<<")
	list := []*cfn.Node{from}
	if from.Kind == cfn.List {
		list = from.Items
	}
	for _, m := range list {
		for _, f := range m.Fields {
			if n.Get(f.Name) == nil {
				build.Set(n, f.Name, build.Clone(f.Value))
			}
		}
	}
}
