package cfn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
)

// Deployment brings the resources of a stack to what a template says.
type Deployment struct {
	Stack    *Stack
	Template *Template
	Caller   aws.Caller
	Request  aws.Request                         // whom the calls are made for: Account, Region, Principal
	Save     func(context.Context, *Stack) error // makes the record durable
	Now      func() time.Time
}

// Deploy makes, updates and deletes resources one after the other, saving the record around each effect. The error is
// that of the first resource that failed, which the record names too; those before it stay.
func (d *Deployment) Deploy(ctx context.Context) error {
	for _, r := range d.Template.Resources {
		if err := d.resource(ctx, r); err != nil {
			return fmt.Errorf("%s: %w", r.ID, err)
		}
	}
	d.order()
	if err := d.outputs(); err != nil {
		return err
	}
	gone := slices.Clone(d.Stack.Replaced)
	for _, rec := range d.Stack.Resources {
		if d.Template.Resource(rec.ID) == nil {
			gone = append(gone, rec)
		}
	}
	return d.deleteAll(ctx, gone)
}

// Delete deletes every resource of the stack, the last made first.
func (d *Deployment) Delete(ctx context.Context) error {
	return d.deleteAll(ctx, append(slices.Clone(d.Stack.Resources), d.Stack.Replaced...))
}

// order puts the records into the template's order, those that are not in it last.
func (d *Deployment) order() {
	place := func(r *Record) int {
		i := slices.IndexFunc(d.Template.Resources, func(t *Resource) bool { return t.ID == r.ID })
		if i < 0 {
			return len(d.Template.Resources)
		}
		return i
	}
	slices.SortStableFunc(d.Stack.Resources, func(a, b *Record) int { return place(a) - place(b) })
}

func (d *Deployment) outputs() error {
	scope := d.Stack.Scope(d.Template)
	d.Stack.Outputs = nil
	for _, o := range d.Template.Outputs {
		v, err := scope.Resolve(o.Value)
		if err != nil {
			return fmt.Errorf("output %s: %w", o.Name, err)
		}
		d.Stack.Outputs = append(d.Stack.Outputs, OutputValue{o.Name, textOf(v), o.Description})
	}
	return nil
}

// resource brings one resource up to date.
func (d *Deployment) resource(ctx context.Context, r *Resource) error {
	next, err := d.instance(r)
	if err != nil {
		return err
	}
	rec := d.Stack.Find(r.ID)
	act, err := decide(r, rec, next)
	if err != nil {
		return d.failed(ctx, rec, err)
	}
	switch act {
	case keep:
		rec.Retain = r.Retain
		return nil
	case replace:
		d.Stack.Replaced = append(d.Stack.Replaced, rec)
		d.Stack.Resources = slices.DeleteFunc(d.Stack.Resources, func(o *Record) bool { return o == rec })
		rec = &Record{ID: r.ID, Type: r.Type.Name, Generation: rec.Generation + 1}
		next.Name = d.name(r, next, rec.Generation)
		err = d.create(ctx, r, rec, next)
	case create:
		err = d.create(ctx, r, &Record{ID: r.ID, Type: r.Type.Name}, next)
	case resume:
		err = d.resume(ctx, r, rec, next)
	case update:
		err = d.update(ctx, r, rec, next)
	}
	return err
}

// instance resolves a resource's properties and name.
func (d *Deployment) instance(r *Resource) (*Instance, error) {
	i := &Instance{Account: d.Stack.Account, Region: d.Stack.Region, ID: r.ID, Properties: value.NewObject()}
	if r.Properties != nil {
		v, err := d.Stack.Scope(d.Template).Resolve(r.Properties)
		if err != nil {
			return nil, err
		}
		i.Properties = v.(*value.Object)
	}
	generation := 0
	if rec := d.Stack.Find(r.ID); rec != nil {
		i.Ref, generation = rec.Ref, rec.Generation
	}
	i.Name = d.name(r, i, generation)
	return i, nil
}

func (d *Deployment) name(r *Resource, i *Instance, generation int) string {
	if v := i.get(r.Type.NameProperty); v != nil {
		return textOf(v)
	}
	id := d.Stack.ID
	if generation > 0 {
		id = fmt.Sprintf("%s/%d", id, generation)
	}
	return generatedName(r.Type, d.Stack.Name, id, r.ID)
}

type action uint8

const (
	keep    action = iota + 1
	create         // the stack does not have it
	resume         // a deployment that was cut short or failed has announced it
	update         // properties have changed
	replace        // properties have changed that a resource cannot change
)

// decide compares a resource with what the stack remembers of it.
func decide(r *Resource, rec *Record, next *Instance) (action, error) {
	switch {
	case rec == nil:
		return create, nil
	case rec.Type != r.Type.Name:
		return replace, nil
	case !rec.made() && rec.Name == next.Name:
		return resume, nil
	case !rec.made():
		return replace, nil
	}
	old := &Instance{Properties: rec.properties()}
	act := keep
	for _, p := range r.Type.Properties {
		if !changed(next, old, p.Name) {
			continue
		}
		if p.Replace {
			act = replace
			break
		}
		act = update
	}
	if act == replace && next.Name == rec.Name && next.get(r.Type.NameProperty) != nil {
		return 0, fmt.Errorf("CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename %s and update the stack again.", rec.Name)
	}
	return act, nil
}

// create makes a resource under a name that must be free, and announces it before.
func (d *Deployment) create(ctx context.Context, r *Resource, rec *Record, next *Instance) error {
	rec.Name, rec.Retain = next.Name, r.Retain
	d.Stack.Resources = append(d.Stack.Resources, rec)
	answer, err := d.read(ctx, r.Type, next)
	switch {
	case err != nil:
		return d.failed(ctx, rec, err)
	case answer != nil:
		err = d.failed(ctx, rec, fmt.Errorf("%s already exists", next.Name))
		d.Stack.Resources = slices.DeleteFunc(d.Stack.Resources, func(o *Record) bool { return o == rec })
		return err
	}
	if err := d.mark(ctx, rec, "CREATE_IN_PROGRESS"); err != nil {
		return err
	}
	return d.finish(ctx, r, rec, next, r.Type.Create)
}

// resume makes a resource that was announced, or goes on with one that is already there.
func (d *Deployment) resume(ctx context.Context, r *Resource, rec *Record, next *Instance) error {
	answer, err := d.read(ctx, r.Type, next)
	if err != nil {
		return d.failed(ctx, rec, err)
	}
	if answer == nil {
		return d.finish(ctx, r, rec, next, r.Type.Create)
	}
	next.Ref, _ = r.Type.Identify(next, answer)
	return d.update(ctx, r, rec, next)
}

func (d *Deployment) update(ctx context.Context, r *Resource, rec *Record, next *Instance) error {
	old := &Instance{Properties: rec.properties()}
	return d.finish(ctx, r, rec, next, func(i *Instance) ([]Call, error) { return r.Type.Update(i, old) })
}

// finish makes the calls, reads the resource back and records it.
func (d *Deployment) finish(ctx context.Context, r *Resource, rec *Record, next *Instance, calls func(*Instance) ([]Call, error)) error {
	list, err := calls(next)
	if err != nil {
		return d.failed(ctx, rec, err)
	}
	for _, c := range list {
		if _, err := d.call(ctx, c); err != nil {
			return d.failed(ctx, rec, err)
		}
	}
	answer, err := d.read(ctx, r.Type, next)
	if err == nil && answer == nil {
		err = errors.New("the resource is not there after it was made")
	}
	if err != nil {
		return d.failed(ctx, rec, err)
	}
	verb := "CREATE"
	if rec.made() {
		verb = "UPDATE"
	}
	rec.Ref, rec.Attributes = r.Type.Identify(next, answer)
	rec.Properties = value.Append(nil, digest(next.Properties))
	rec.Retain = r.Retain
	return d.mark(ctx, rec, verb+"_COMPLETE")
}

// read asks for a resource; nil if it is not there.
func (d *Deployment) read(ctx context.Context, t *Type, i *Instance) (*value.Object, error) {
	answer, err := d.call(ctx, t.Read(i))
	if isCode(err, t.Missing) {
		return nil, nil
	}
	return answer, err
}

// deleteAll deletes resources in reverse order and takes them off the record.
func (d *Deployment) deleteAll(ctx context.Context, records []*Record) error {
	for _, rec := range slices.Backward(records) {
		if err := d.delete(ctx, rec); err != nil {
			return fmt.Errorf("%s: %w", rec.ID, d.failed(ctx, rec, err))
		}
		same := func(o *Record) bool { return o == rec }
		d.Stack.Resources = slices.DeleteFunc(d.Stack.Resources, same)
		d.Stack.Replaced = slices.DeleteFunc(slices.Clone(d.Stack.Replaced), same)
		if err := d.Save(ctx, d.Stack); err != nil {
			return err
		}
	}
	return nil
}

func (d *Deployment) delete(ctx context.Context, rec *Record) error {
	t := typeNamed(rec.Type)
	if t == nil {
		return fmt.Errorf("type %s is not supported by this version of Newel", rec.Type)
	}
	if rec.Retain {
		return nil
	}
	i := &Instance{Account: d.Stack.Account, Region: d.Stack.Region, ID: rec.ID, Name: rec.Name, Ref: rec.Ref, Properties: rec.properties()}
	if !rec.made() {
		answer, err := d.read(ctx, t, i)
		if err != nil || answer == nil {
			return err
		}
		i.Ref, _ = t.Identify(i, answer)
	}
	for _, c := range t.Delete(i) {
		c.Ignore = append(c.Ignore, t.Missing...)
		if _, err := d.call(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func (d *Deployment) mark(ctx context.Context, rec *Record, status string) error {
	rec.Status, rec.Reason, rec.Updated = status, "", d.Now()
	return d.Save(ctx, d.Stack)
}

// failed records why a resource failed and returns the error.
func (d *Deployment) failed(ctx context.Context, rec *Record, err error) error {
	if rec == nil {
		return err
	}
	rec.Status, rec.Reason, rec.Updated = "CREATE_FAILED", err.Error(), d.Now()
	if rec.made() {
		rec.Status = "UPDATE_FAILED"
	}
	if saved := d.Save(ctx, d.Stack); saved != nil {
		return errors.Join(err, saved)
	}
	return err
}

// call makes one call with its input brought to the types of the API's model. The answer is nil for an ignored error.
func (d *Deployment) call(ctx context.Context, c Call) (*value.Object, error) {
	model := aws.MustModel(c.Service)
	op := model.Operations[c.Operation]
	if op == nil || op.Input == nil {
		panic("cfn: no operation " + c.Service + ":" + c.Operation)
	}
	in, err := coerce(c.Input, op.Input, "")
	if err != nil {
		return nil, err
	}
	r := d.Request
	r.Service, r.Operation, r.Input = c.Service, c.Operation, value.Append(nil, in)
	out, err := d.Caller.Call(ctx, &r)
	if isCode(err, c.Ignore) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s:%s: %w", c.Service, c.Operation, err)
	}
	return answerObject(out)
}

func answerObject(out *aws.Output) (*value.Object, error) {
	b, err := service.Marshal(out.Value)
	if err != nil {
		return nil, err
	}
	if !json.Valid(b) {
		return value.NewObject(), nil
	}
	v, err := value.Parse(b)
	if err != nil {
		return nil, err
	}
	o, ok := v.(*value.Object)
	if !ok {
		o = value.NewObject()
	}
	return o, nil
}

func isCode(err error, codes []string) bool {
	var e *aws.Error
	return errors.As(err, &e) && (slices.Contains(codes, e.Code) || e.QueryCode != "" && slices.Contains(codes, e.QueryCode))
}
