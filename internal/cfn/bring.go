package cfn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/store"
)

// plan binds a stored template of the stack to the stack's settings.
func (r *run) plan(ctx context.Context, kind string) (*Plan, error) {
	s := r.stack
	var text []byte
	err := r.s.env.Store.View(ctx, r.s.partition(s.Account, s.Region), func(rd store.Reader) error {
		b, err := rd.Get(templateKey(s.Account, s.Region, s.ID, kind))
		text = slices.Clone(b)
		return err
	})
	if err != nil {
		return nil, err
	}
	t, err := Parse(s.File, text)
	if err != nil {
		return nil, err
	}
	p, err := t.bind(s.Parameters, s.scope())
	if err != nil {
		return nil, err
	}
	p.Scope.Import = r.s.importsOf(ctx, s.Account, s.Region)
	return p, nil
}

// converge brings every resource of a plan to what the plan says, many at a time in the order of their references. The
// error names those that failed.
func (r *run) converge(ctx context.Context, plan *Plan) error {
	op, end := r.operation(ctx)
	defer end()
	ids := make([]string, len(plan.Resources))
	for i, res := range plan.Resources {
		ids[i] = res.ID
	}
	verb := "create"
	if !strings.HasPrefix(r.stack.Status, "CREATE") {
		verb = "update"
	}
	// What was begun is ended even if nothing new may begin.
	var begun, rest []string
	for _, id := range ids {
		rec := r.find(id)
		if rec != nil && rec.Block > 0 && strings.HasSuffix(rec.Status, "_IN_PROGRESS") {
			begun = append(begun, id)
		} else {
			rest = append(rest, id)
		}
	}
	do := func(id string) error { return r.bring(ctx, plan, find(plan.Resources, id)) }
	failed := inOrder(ctx, begun, plan.Follows, do)
	if len(failed) == 0 {
		failed = inOrder(op, rest, plan.Follows, do)
	}
	if ctx.Err() != nil {
		return errStopped
	}
	if len(failed) > 0 {
		var names []string
		for _, id := range ids {
			if failed[id] != nil {
				names = append(names, id)
			}
		}
		return fmt.Errorf("The following resource(s) failed to %s: [%s].", verb, strings.Join(names, ", "))
	}
	if op.Err() != nil {
		return context.Cause(op)
	}
	return nil
}

func (r *run) find(id string) *Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stack.Find(id)
}

// bring brings one resource to what the plan says.
func (r *run) bring(ctx context.Context, plan *Plan, res *Resource) error {
	rec := r.find(res.ID)
	next, err := r.instance(ctx, plan, res, rec)
	if err != nil {
		return r.refuse(ctx, res, rec, next, err)
	}
	act, err := decide(res, rec, next)
	if err != nil {
		return r.refuse(ctx, res, rec, next, err)
	}
	switch act {
	case keep:
		return r.change(ctx, func(_ *Stack, _ func(Event)) { r.describe(rec, plan, res) })
	case create:
		return r.make(ctx, plan, res, nil, next)
	case replace:
		return r.make(ctx, plan, res, rec, next)
	case resume:
		return r.finish(ctx, res, rec, next, true)
	case remake:
		if err := r.discard(ctx, rec); err != nil {
			return r.refuse(ctx, res, rec, next, err)
		}
		return r.make(ctx, plan, res, nil, next)
	}
	return r.alter(ctx, plan, res, rec, next)
}

// describe keeps in the record what a deletion needs to know without a template.
func (r *run) describe(rec *Record, plan *Plan, res *Resource) {
	rec.Follows = plan.Follows[res.ID]
	rec.Keep = ""
	if res.DeletionPolicy != "Delete" {
		rec.Keep = res.DeletionPolicy
	}
	rec.KeepReplaced = res.ReplacePolicy == "Retain"
}

// instance resolves a resource's properties and name.
func (r *run) instance(ctx context.Context, plan *Plan, res *Resource, rec *Record) (*Instance, error) {
	i := &Instance{Account: r.stack.Account, Region: r.stack.Region, StackID: r.stack.ID, ID: res.ID, Type: res.TypeName, Properties: value.NewObject()}
	r.mu.Lock()
	scope := *plan.Scope
	known := map[string]*Record{}
	for _, o := range r.stack.Resources {
		if !o.gone() && o.made() {
			known[o.ID] = o
		}
	}
	scope.Resource = func(id string) (string, map[string]string, bool) {
		o := known[id]
		if o == nil {
			return "", nil, false
		}
		return o.Ref, o.Attributes, true
	}
	r.mu.Unlock()
	if res.Properties != nil {
		v, err := scope.Resolve(res.Properties)
		if err != nil {
			return i, err
		}
		if i.Properties, err = r.s.dynamic(ctx, r.request(0, 0), v.(*value.Object)); err != nil {
			return i, err
		}
		i.Shown = scope.hiding(plan.Template).shown(res.Properties)
	}
	r.tags(i, res)
	generation := 0
	if rec != nil {
		i.Ref, i.Attributes, generation = rec.Ref, rec.Attributes, rec.Generation
	}
	i.Name = r.name(res, i, generation)
	return i, nil
}

// tags adds the stack's tags to a resource that has Tags as a list; its own win.
func (r *run) tags(i *Instance, res *Resource) {
	q := res.Type.property("Tags")
	if q == nil || q.NoEffect != "" || len(r.stack.Tags) == 0 {
		return
	}
	list, ok := i.get("Tags").(value.Array)
	if !ok && i.get("Tags") != nil {
		return
	}
	out := slices.Clone(list)
	for _, t := range r.stack.Tags {
		if !slices.ContainsFunc(list, func(own value.Value) bool { return member(own, "Key") == t["Key"] }) {
			out = append(out, value.NewObject(value.Member{Name: "Key", Value: t["Key"]}, value.Member{Name: "Value", Value: t["Value"]}))
		}
	}
	i.Properties.Set("Tags", out)
}

func (r *run) name(res *Resource, i *Instance, generation int) string {
	if res.Type.NameProperty != "" {
		if v := i.get(res.Type.NameProperty); v != nil {
			return textOf(v)
		}
	}
	id := r.stack.ID
	if generation > 0 {
		id = fmt.Sprintf("%s/%d", id, generation)
	}
	name := generatedName(res.Type, r.stack.Name, id, res.ID)
	if res.Type.Suffix != nil {
		name += res.Type.Suffix(i)
	}
	return name
}

type action uint8

const (
	keep    action = iota + 1
	create         // the stack does not have it
	resume         // its creation or update was cut short
	remake         // its creation has failed
	update         // properties have changed
	replace        // properties have changed that a resource cannot change
)

// decide compares a resource with what the stack remembers of it.
func decide(res *Resource, rec *Record, next *Instance) (action, error) {
	switch {
	case rec == nil:
		return create, nil
	case rec.Type != res.TypeName:
		return replace, nil
	case rec.Block > 0 && strings.HasSuffix(rec.Status, "_IN_PROGRESS"):
		return resume, nil
	case !rec.made():
		return remake, nil
	}
	act := keep
	if rec.Attempt != nil || res.Type.Drive != nil && res.Type.Drive.always() {
		act = update
	}
	old := &Instance{Properties: parsed(rec.Properties)}
	for _, p := range res.Type.propertiesOf(next, old) {
		if !changed(next, old, p.Name) {
			continue
		}
		act = update
		if p.Replace || res.Type.Update == nil && res.Type.Drive == nil && res.Type.Create != nil {
			act = replace
			break
		}
	}
	named := res.Type.NameProperty != "" && next.get(res.Type.NameProperty) != nil
	if act == replace && named && next.Name == rec.Name && res.Type.Named {
		return 0, fmt.Errorf("CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename %s and update the stack again.", rec.Name)
	}
	return act, nil
}

// propertiesOf are the rows of a type's properties that change something; of an open type those that two instances have.
func (t *Type) propertiesOf(list ...*Instance) []Property {
	var out []Property
	for _, p := range t.Properties {
		if p.NoEffect == "" {
			out = append(out, p)
		}
	}
	if !t.Open {
		return out
	}
	for _, i := range list {
		for name := range i.Properties.All() {
			if t.property(name) == nil {
				out = append(out, Property{Name: name})
			}
		}
	}
	return out
}

// refuse records that a resource could not be made or changed before anything was done to it.
func (r *run) refuse(ctx context.Context, res *Resource, rec *Record, next *Instance, err error) error {
	if ctx.Err() != nil {
		return errStopped
	}
	saved := r.change(ctx, func(s *Stack, log func(Event)) {
		if rec == nil {
			rec = &Record{ID: res.ID, Type: res.TypeName}
			s.Resources = append(s.Resources, rec)
		}
		to := "CREATE_FAILED"
		if rec.made() {
			to = "UPDATE_FAILED"
		}
		r.mark(s, rec, to, r.reason(res, err), log)
	})
	return errors.Join(err, saved)
}

// reason is why a resource failed, with its place in the template.
func (r *run) reason(res *Resource, err error) string {
	if res.Line <= 1 { // a template that a program has written
		return err.Error()
	}
	return fmt.Sprintf("%s (%s:%d)", err, r.stack.File, res.Line)
}

// make makes a resource under a name that must be free, and announces it before: it replaces old, if that is not nil.
func (r *run) make(ctx context.Context, plan *Plan, res *Resource, old *Record, next *Instance) error {
	rec := &Record{ID: res.ID, Type: res.TypeName}
	next.Ref, next.Attributes = "", nil
	if old != nil {
		rec.Generation = old.Generation + 1
		next.Name = r.name(res, next, rec.Generation)
	}
	rec.Name = next.Name
	if res.Type.Named {
		answer, err := r.read(ctx, res.Type, next)
		if err == nil && answer != nil {
			err = fmt.Errorf("%s already exists", next.Name)
		}
		if err != nil {
			return r.refuse(ctx, res, old, next, err)
		}
	}
	reserve := func(s *Stack, tx store.Tx) error { return r.reserve(tx, s, rec) }
	err := r.transact(ctx, reserve, func(s *Stack, log func(Event)) {
		r.describe(rec, plan, res)
		rec.attempt(res.Type, next)
		if i := slices.Index(s.Resources, old); old != nil && i >= 0 {
			rec.Before = old
			s.Resources[i] = rec
		} else {
			s.Resources = slices.DeleteFunc(s.Resources, func(o *Record) bool { return o.ID == rec.ID && o.gone() })
			s.Resources = append(s.Resources, rec)
		}
		r.mark(s, rec, "CREATE_IN_PROGRESS", "", log)
		if old != nil {
			log(Event{ID: eventID(s, rec.ID+"replace"), LogicalID: rec.ID, PhysicalID: old.Ref, Type: rec.Type, Status: "UPDATE_IN_PROGRESS", At: rec.Updated,
				Reason: "Requested update requires the creation of a new physical resource; hence creating one."})
		}
	})
	if err != nil {
		return err
	}
	return r.finish(ctx, res, rec, next, false)
}

// alter changes a resource in place, and announces it before.
func (r *run) alter(ctx context.Context, plan *Plan, res *Resource, rec *Record, next *Instance) error {
	reserve := func(s *Stack, tx store.Tx) error { return r.reserve(tx, s, rec) }
	err := r.transact(ctx, reserve, func(s *Stack, log func(Event)) {
		r.describe(rec, plan, res)
		rec.Base = firstNonEmpty(rec.Attempt, rec.Properties)
		rec.attempt(res.Type, next)
		r.mark(s, rec, "UPDATE_IN_PROGRESS", "", log)
	})
	if err != nil {
		return err
	}
	return r.finish(ctx, res, rec, next, false)
}

// digestOf is what the record keeps of properties: all of them for what is deleted by its properties.
func digestOf(t *Type, properties *value.Object) value.Value {
	if t.Open {
		return properties
	}
	return digest(properties)
}

// finish carries out what was announced: a creation or an update, from its first call if it is done again.
func (r *run) finish(ctx context.Context, res *Resource, rec *Record, next *Instance, again bool) error {
	r.s.blocks.add(source(r.stack), rec.Block)
	defer r.s.blocks.remove(source(r.stack), rec.Block)
	var err error
	if rec.Status == "CREATE_IN_PROGRESS" {
		err = r.creation(ctx, res, rec, next, again)
	} else {
		err = r.alteration(ctx, res, rec, next)
	}
	if ctx.Err() != nil {
		return errStopped
	}
	verb, _, _ := strings.Cut(rec.Status, "_")
	saved := r.change(ctx, func(s *Stack, log func(Event)) {
		if err != nil {
			r.mark(s, rec, verb+"_FAILED", r.reason(res, err), log)
			return
		}
		rec.Ref, rec.Attributes = next.Ref, next.Attributes
		rec.Properties, rec.Attempt, rec.Base = rec.Attempt, nil, nil
		r.mark(s, rec, verb+"_COMPLETE", "", log)
	})
	return errors.Join(err, saved)
}

// initiated records a resource's id as soon as it is known: from here on it can be deleted.
func (r *run) initiated(ctx context.Context, rec *Record, ref string) error {
	if rec.Ref == ref {
		return nil
	}
	return r.change(ctx, func(s *Stack, log func(Event)) {
		rec.Ref = ref
		r.note(s, rec, "CREATE_IN_PROGRESS", "Resource creation Initiated", log)
	})
}

func (r *run) creation(ctx context.Context, res *Resource, rec *Record, next *Instance, again bool) error {
	t := res.Type
	if err := r.object(ctx, t, next); err != nil {
		return err
	}
	if t.Drive != nil {
		return t.Drive.create(ctx, r, rec, next)
	}
	if t.Create == nil {
		next.Ref, next.Attributes = identify(t, next, value.NewObject())
		return r.initiated(ctx, rec, next.Ref)
	}
	calls, err := t.Create(next)
	if err != nil {
		return err
	}
	c := r.caller(rec.Block)
	first, err := c.all(ctx, calls)
	if err != nil && again && t.Named && t.Update != nil {
		err = r.adopt(ctx, t, c, next, err)
	}
	if err != nil {
		return err
	}
	next.Ref = next.Name
	if t.Physical != nil {
		next.Ref = t.Physical(next, first)
	} else if t.Read == nil {
		next.Ref, _ = identify(t, next, first)
	}
	if t.Physical != nil || t.Read == nil {
		if err := r.initiated(ctx, rec, next.Ref); err != nil {
			return err
		}
	}
	if t.After != nil {
		after, err := t.After(next)
		if err != nil {
			return err
		}
		if _, err := c.all(ctx, after); err != nil {
			return err
		}
	}
	if err := r.identify(ctx, t, next, first); err != nil {
		return err
	}
	return r.initiated(ctx, rec, next.Ref)
}

// adopt goes on with a resource that the stack has announced and that is there, in a service that does not know the token
// under which it was made. refused is what the service said to making it again.
func (r *run) adopt(ctx context.Context, t *Type, c *caller, next *Instance, refused error) error {
	answer, err := r.read(ctx, t, next)
	if err != nil || answer == nil {
		return refused
	}
	next.Ref, next.Attributes = identify(t, next, answer)
	calls, err := t.Update(next, &Instance{Properties: value.NewObject()})
	if err != nil {
		return err
	}
	_, err = c.all(ctx, calls)
	return err
}

func (r *run) alteration(ctx context.Context, res *Resource, rec *Record, next *Instance) error {
	t := res.Type
	next.Ref, next.Attributes = rec.Ref, rec.Attributes
	if err := r.object(ctx, t, next); err != nil {
		return err
	}
	old := &Instance{Account: next.Account, Region: next.Region, ID: rec.ID, Name: rec.Name, Ref: rec.Ref, Properties: parsed(rec.Base)}
	if t.Drive != nil {
		return t.Drive.update(ctx, r, rec, next, old)
	}
	if t.Update != nil {
		calls, err := t.Update(next, old)
		if err != nil {
			return err
		}
		if _, err := r.caller(rec.Block).all(ctx, calls); err != nil {
			return err
		}
	}
	if t.Read == nil {
		return nil
	}
	return r.identify(ctx, t, next, nil)
}

// identify reads the resource back, if its type can be read, and sets its Ref and attributes.
func (r *run) identify(ctx context.Context, t *Type, i *Instance, answer *value.Object) error {
	if t.Read != nil {
		var err error
		if answer, err = r.read(ctx, t, i); err != nil {
			return err
		}
		if answer == nil {
			return errors.New("the resource is not there after it was made")
		}
	}
	i.Ref, i.Attributes = identify(t, i, answer)
	return nil
}

func identify(t *Type, i *Instance, answer *value.Object) (string, map[string]string) {
	if t.Identify == nil {
		return i.Name, nil
	}
	return t.Identify(i, answer)
}

// object reads the S3 object that a resource is defined by.
func (r *run) object(ctx context.Context, t *Type, i *Instance) (err error) {
	if t.Object == nil {
		return nil
	}
	if at, ok := t.Object(i); ok {
		i.Object, err = fetch(ctx, r.s.env.Caller, r.request(0, 0), at)
	}
	return err
}
