package cfn

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
)

var nestedStack = &Type{
	Name: stackType,
	Properties: rows(properties("", "TemplateURL!", "Parameters", "Tags", "NotificationARNs"),
		without("the parent's operation sets the time", "TimeoutInMinutes")),
	NameMax: 128, AttributePrefix: "Outputs.",
	Drive: nested{},
}

// nested drives a stack in a stack. Its id is derived from its parent's, so it is made once, whatever happens.
type nested struct{}

func (nested) always() bool { return true }

func nestedID(st *Stack, rec *Record) string {
	return stackID(st.Account, st.Region, rec.Name, uuidOf(fmt.Sprintf("%s/%s/%d", st.ID, rec.ID, rec.Generation)))
}

func nestedRequest(r *run, rec *Record, i *Instance) *request {
	in := &request{StackName: rec.Name, TemplateURL: i.text("TemplateURL"), OnFailure: "DO_NOTHING",
		Capabilities: append(slices.Clone(r.stack.Capabilities), "CAPABILITY_AUTO_EXPAND"), NotificationARNs: texts(i.get("NotificationARNs"))}
	if ps, ok := i.get("Parameters").(*value.Object); ok {
		for k, v := range ps.All() {
			p := struct {
				ParameterKey, ParameterValue string
				UsePreviousValue             bool
			}{ParameterKey: k, ParameterValue: textOf(v)}
			in.Parameters = append(in.Parameters, p)
		}
	}
	if tags, ok := i.get("Tags").(value.Array); ok {
		for _, t := range tags {
			in.Tags = append(in.Tags, map[string]string{"Key": member(t, "Key"), "Value": member(t, "Value")})
		}
	}
	return in
}

func (nested) create(ctx context.Context, r *run, rec *Record, next *Instance) error {
	id := nestedID(r.stack, rec)
	there, err := r.s.load(ctx, r.stack.Account, r.stack.Region, id)
	if err != nil {
		return err
	}
	if there == nil {
		p, err := r.s.prepare(ctx, r.request(0, 0), nestedRequest(r, rec, next), nil, id)
		if err != nil {
			return err
		}
		st := &Stack{Version: 2, ID: id, Name: rec.Name, Account: r.stack.Account, Region: r.stack.Region, Principal: r.stack.Principal,
			Parent: r.stack.ID, Root: firstText(r.stack.Root, r.stack.ID), Token: r.stack.Token}
		if _, err := r.s.commitCreate(ctx, r.context(), st, p); err != nil {
			return err
		}
	}
	next.Ref = id
	if err := r.initiated(ctx, rec, id); err != nil {
		return err
	}
	st, err := r.s.await(ctx, r.stack.Account, r.stack.Region, id)
	if err != nil {
		return err
	}
	if st == nil || st.Status != "CREATE_COMPLETE" {
		return fmt.Errorf("Embedded stack %s was not successfully created: %s", id, st.why())
	}
	next.Attributes = st.outputs()
	return nil
}

// context is a request of the stack's own.
func (r *run) context() *service.Context {
	req := r.request(0, 0)
	req.Service = "cloudformation"
	return &service.Context{Request: &req, Env: r.s.env, Now: r.s.env.Now()}
}

func (st *Stack) why() string {
	if st == nil {
		return "it is not there"
	}
	if st.Reason != "" {
		return st.Reason
	}
	return "Currently in " + st.Status
}

func (st *Stack) outputs() map[string]string {
	out := map[string]string{}
	for _, o := range st.Outputs {
		out["Outputs."+o.OutputKey] = o.OutputValue
	}
	return out
}

func (nested) update(ctx context.Context, r *run, rec *Record, next, _ *Instance) error {
	id := rec.Ref
	back := strings.HasPrefix(r.stack.Status, "UPDATE_ROLLBACK")
	forward := fmt.Sprintf("%s/%d", uuidOf(r.stack.ID), r.stack.Operation)
	token := forward
	if back {
		token += "/back"
	}
	st, err := r.s.await(ctx, r.stack.Account, r.stack.Region, id)
	if err != nil {
		return err
	}
	if st == nil {
		return fmt.Errorf("Embedded stack %s does not exist", id)
	}
	switch {
	case st.Token == token: // begun before a restart
	case back && st.Token == forward && st.Status == "UPDATE_COMPLETE":
		err = r.s.revert(ctx, r.context(), st, token)
	case back:
		// it was not changed, or has rolled itself back
	default:
		err = r.s.updateNested(ctx, r, nestedRequest(r, rec, next), st, token)
	}
	if err == nil {
		st, err = r.s.await(ctx, r.stack.Account, r.stack.Region, id)
	}
	if err != nil {
		return err
	}
	if !back && st.Token == token && st.Status != "UPDATE_COMPLETE" || back && !slices.Contains(updatable[:3], st.Status) {
		return fmt.Errorf("Embedded stack %s was not successfully updated. Currently in %s with reason: %s", id, st.Status, st.why())
	}
	next.Ref, next.Attributes = id, st.outputs()
	return nil
}

// updateNested begins the update of a nested stack, if there is something to update.
func (s *Service) updateNested(ctx context.Context, r *run, in *request, st *Stack, token string) error {
	p, err := s.prepare(ctx, r.request(0, 0), in, st, st.ID)
	if err != nil {
		return err
	}
	p.OnFailure = ""
	list, err := s.changes(ctx, st, p)
	if err != nil {
		return err
	}
	if !list.any() && sameSettings(&st.Settings, &p.Settings) && slices.Equal(st.Parameters, p.Parameters) {
		return nil
	}
	_, err = s.commitUpdate(ctx, r.context(), st, p, token, "")
	return err
}

// revert begins an update of a nested stack to what it was before its last one.
func (s *Service) revert(ctx context.Context, c *service.Context, old *Stack, token string) error {
	if old.Previous == nil {
		return nil
	}
	original, err := s.template(ctx, old, "previous original")
	if err != nil {
		return err
	}
	current, err := s.template(ctx, old, "previous")
	if err != nil {
		return err
	}
	_, err = s.commitUpdate(ctx, c, old, &prepared{Settings: *old.Previous, Original: original, Current: current}, token, "")
	return err
}

func (nested) delete(ctx context.Context, r *run, rec *Record, _ *Instance) error {
	id := firstText(rec.Ref, nestedID(r.stack, rec))
	for {
		st, err := r.s.load(ctx, r.stack.Account, r.stack.Region, id)
		if err != nil {
			return err
		}
		if st == nil || st.Status == "DELETE_COMPLETE" {
			return nil
		}
		done, err := r.s.commitDelete(ctx, r.context(), st, r.stack.Token, nil)
		if err != nil {
			return err
		}
		if !done {
			if _, err := r.s.await(ctx, r.stack.Account, r.stack.Region, id); err != nil {
				return err
			}
			continue
		}
		if st, err = r.s.await(ctx, r.stack.Account, r.stack.Region, id); err != nil {
			return err
		}
		if st.Status != "DELETE_COMPLETE" {
			return fmt.Errorf("Embedded stack %s was not successfully deleted: %s", id, st.why())
		}
		return nil
	}
}

// maxNesting is how deep stacks may be nested; it also ends templates that nest themselves.
const maxNesting = 8

// checkNested checks the templates that a plan nests, as far as their addresses do not depend on what is yet to be made:
// a bad one is refused before anything exists.
func (s *Service) checkNested(ctx context.Context, as aws.Request, p *Plan, given []string, depth int) error {
	var wrong []error
	outputs := map[string][]string{}
	for _, r := range p.Resources {
		if r.Type != nestedStack {
			continue
		}
		names, err := s.checkTemplate(ctx, as, p, r, given, depth)
		var e *aws.Error
		switch {
		case errors.As(err, &e) && e.Code != "ValidationError":
			return err
		case errors.As(err, &e):
			wrong = append(wrong, fmt.Errorf("resource %s (%s:%d): %s", r.ID, p.Template.File, r.Line, e.Message))
		case err != nil:
			return err
		case names != nil:
			outputs[r.ID] = names
		}
	}
	check := func(n *Node) {
		walk(n, func(f *Node) {
			if id, attr, ok := attribute(f); f.Fn == "Fn::GetAtt" && ok && outputs[id] != nil {
				if name := strings.TrimPrefix(attr, nestedStack.AttributePrefix); !slices.Contains(outputs[id], name) {
					wrong = append(wrong, fmt.Errorf("Fn::GetAtt (%s:%d): the template of %s has no output %q; it has: %s",
						p.Template.File, f.Line, id, name, strings.Join(outputs[id], ", ")))
				}
			}
		})
	}
	for _, r := range p.Resources {
		check(r.Properties)
	}
	for _, o := range p.Outputs {
		check(o.Value)
	}
	if len(wrong) > 0 {
		return invalid("Template error: %s", errors.Join(wrong...))
	}
	return nil
}

// checkTemplate checks one nested template and returns its outputs' names, nil if its address is not known yet.
func (s *Service) checkTemplate(ctx context.Context, as aws.Request, p *Plan, r *Resource, given []string, depth int) ([]string, error) {
	if depth > maxNesting {
		return nil, invalid("stacks are nested more than %d levels deep", maxNesting)
	}
	url := r.Properties.Get("TemplateURL")
	if made(url, p) {
		return nil, nil
	}
	v, err := p.Scope.Resolve(url)
	if err != nil {
		return nil, invalid("%s", err)
	}
	at, err := templateLocation(textOf(v))
	if err != nil {
		return nil, invalid("%s (%s)", err, textOf(v))
	}
	text, err := fetch(ctx, s.env.Caller, as, at)
	if err != nil {
		return nil, invalid("TemplateURL %s: %s", textOf(v), err)
	}
	values, open, err := nestedValues(p, r)
	if err != nil {
		return nil, err
	}
	root, transforms, err := s.expand(ctx, as, string(text), path.Base(at.Key), values, Pseudo{AccountID: as.Account, Region: as.Region})
	if err != nil {
		return nil, err
	}
	t, err := ParseTree(path.Base(at.Key), root)
	if err != nil {
		return nil, formatError(err)
	}
	if err := capabilities(t, append(slices.Clone(given), "CAPABILITY_AUTO_EXPAND"), len(transforms) > 0); err != nil {
		return nil, err
	}
	return s.checkBinding(ctx, as, t, values, open, given, depth)
}

// made reports whether a value depends on resources or exports.
func made(n *Node, p *Plan) bool {
	found := slices.ContainsFunc(references(n), func(name string) bool { return p.Template.Resource(name) != nil })
	walk(n, func(f *Node) { found = found || f.Fn == "Fn::ImportValue" })
	return found
}

// nestedValues are the parameters that are passed to a nested template: those that are known, and the names of all.
func nestedValues(p *Plan, r *Resource) (known map[string]string, open []string, err error) {
	known = map[string]string{}
	ps := r.Properties.Get("Parameters")
	if ps == nil {
		return known, nil, nil
	}
	for _, f := range ps.Fields {
		if made(f.Value, p) {
			open = append(open, f.Name)
			continue
		}
		v, err := p.Scope.resolve(f.Value)
		if err != nil {
			return nil, nil, invalid("%s", err)
		}
		if _, none := v.(noValue); !none {
			known[f.Name] = textOf(v)
		}
	}
	return known, open, nil
}

func (s *Service) checkBinding(ctx context.Context, as aws.Request, t *Template, known map[string]string, open, given []string, depth int) ([]string, error) {
	rest := *t
	rest.Parameters = slices.DeleteFunc(slices.Clone(t.Parameters), func(q Parameter) bool { return slices.Contains(open, q.Name) })
	for _, name := range open {
		if t.parameter(name) == nil {
			return nil, invalid("Parameters: [%s] do not exist in the template", name)
		}
	}
	values, err := parameters(&rest, known)
	if err != nil {
		return nil, invalid("%s", err)
	}
	names := []string{}
	for _, o := range t.Outputs {
		names = append(names, o.Name)
	}
	if len(open) > 0 { // conditions may depend on what is not known
		return names, nil
	}
	plan, err := t.bind(values, Scope{Account: as.Account, Region: as.Region, StackName: "nested"})
	if err != nil {
		return nil, formatError(err)
	}
	return names, s.checkNested(ctx, as, plan, given, depth+1)
}
