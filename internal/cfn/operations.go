package cfn

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

func (s *Service) createStack(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in request
	if err := decodeRequest(c.Request, &in); err != nil {
		return nil, err
	}
	if !stackNamePattern.MatchString(in.StackName) {
		return nil, invalid("1 validation error detected: Value '%s' at 'stackName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*", in.StackName)
	}
	old, err := s.load(ctx, c.Account, c.Region, in.StackName)
	if err != nil {
		return nil, err
	}
	if old != nil {
		if in.ClientRequestToken != "" && old.Token == in.ClientRequestToken {
			return service.Answer(map[string]string{"StackId": old.ID}), nil
		}
		return nil, exists(in.StackName)
	}
	if in.OnFailure != "" && in.DisableRollback {
		return nil, invalid("You can specify either DisableRollback or OnFailure, but not both.")
	}
	id := stackID(c.Account, c.Region, in.StackName, uuid())
	p, err := s.prepare(ctx, callerOf(c.Request), &in, nil, id)
	if err != nil {
		return nil, err
	}
	st := &Stack{Version: 2, ID: id, Name: in.StackName, Account: c.Account, Region: c.Region, Principal: c.Principal,
		Token: in.ClientRequestToken, Protected: in.EnableTerminationProtection, Policy: in.StackPolicyBody}
	return s.commitCreate(ctx, c, st, p)
}

func exists(name string) error {
	return aws.Errorf("AlreadyExistsException", "Stack [%s] already exists", name)
}

// commitCreate stores a new stack and begins its creation.
func (s *Service) commitCreate(ctx context.Context, c *service.Context, st *Stack, p *prepared) (*aws.Output, error) {
	out, err := s.Update(ctx, c, s.partition(c.Account, c.Region), func(c *service.Context, tx store.Tx) (any, error) {
		b, err := tx.Get(nameKey(st.Account, st.Region, st.Name))
		if err != nil {
			return nil, err
		}
		if b != nil && string(b) != st.ID {
			return nil, exists(st.Name)
		}
		created := *st
		created.Created = c.Now
		return s.launch(c, tx, &created, p, "CREATE_IN_PROGRESS")
	})
	if err != nil {
		return nil, service.Wire(err)
	}
	return service.Answer(out), nil
}

// launch stores the beginning of a creation or an update; the work begins when it is durable.
func (s *Service) launch(c *service.Context, tx store.Tx, st *Stack, p *prepared, to string) (any, error) {
	st.Settings = p.Settings
	st.Operation++
	st.Began, st.Cancel, st.Skip = c.Now, "", nil
	tx.Set(nameKey(st.Account, st.Region, st.Name), []byte(st.ID))
	tx.Set(templateKey(st.Account, st.Region, st.ID, "original"), []byte(p.Original))
	tx.Set(templateKey(st.Account, st.Region, st.ID, "current"), []byte(p.Current))
	return s.proceed(c, tx, st, to, "User Initiated")
}

// proceed stores a stack's next status and begins the work.
func (s *Service) proceed(c *service.Context, tx store.Tx, st *Stack, to, reason string) (any, error) {
	var events []Event
	status(st, to, reason, c.Now, func(e Event) { events = append(events, e) })
	if err := put(tx, st, events); err != nil {
		return nil, err
	}
	c.After = append(c.After, func() { s.begin(st) })
	return map[string]string{"StackId": st.ID}, nil
}

// updatable are the statuses in which a stack can be updated.
var updatable = []string{"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "CREATE_FAILED", "UPDATE_FAILED"}

func notUpdatable(st *Stack) error {
	return invalid("Stack:%s is in %s state and can not be updated.", st.ID, st.Status)
}

func (s *Service) updateStack(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in request
	if err := decodeRequest(c.Request, &in); err != nil {
		return nil, err
	}
	old, err := s.load(ctx, c.Account, c.Region, in.StackName)
	switch {
	case err != nil:
		return nil, err
	case old == nil || old.Status == "DELETE_COMPLETE":
		return nil, invalid("Stack [%s] does not exist", in.StackName)
	case in.ClientRequestToken != "" && old.Token == in.ClientRequestToken:
		return service.Answer(map[string]string{"StackId": old.ID}), nil
	case !slices.Contains(updatable, old.Status):
		return nil, notUpdatable(old)
	}
	p, err := s.prepare(ctx, callerOf(c.Request), &in, old, old.ID)
	if err != nil {
		return nil, err
	}
	inherit(&in, c.Request, p, old)
	changes, err := s.changes(ctx, old, p)
	if err != nil {
		return nil, err
	}
	if old.Status != "CREATE_FAILED" && old.Status != "UPDATE_FAILED" && !changes.any() && sameSettings(&old.Settings, &p.Settings) {
		return nil, invalid("No updates are to be performed.")
	}
	return s.commitUpdate(ctx, c, old, p, in.ClientRequestToken, in.StackPolicyBody)
}

// inherit keeps what an update does not mention.
func inherit(in *request, r *aws.Request, p *prepared, old *Stack) {
	if in.Tags == nil {
		p.Tags = old.Tags
	}
	if in.NotificationARNs == nil {
		p.Notifications = old.Notifications
	}
	if in.RoleARN == "" {
		p.RoleARN = old.RoleARN
	}
	p.TimeoutMinutes, p.OnFailure = 0, ""
}

func sameSettings(a, b *Settings) bool {
	same := func(x, y []map[string]string) bool {
		return slices.EqualFunc(x, y, func(m, n map[string]string) bool { return m["Key"] == n["Key"] && m["Value"] == n["Value"] })
	}
	return same(a.Tags, b.Tags) && slices.Equal(a.Notifications, b.Notifications) && a.RoleARN == b.RoleARN
}

// commitUpdate stores an update and begins it. old is the stack as the request was checked against it.
func (s *Service) commitUpdate(ctx context.Context, c *service.Context, old *Stack, p *prepared, token, policy string) (*aws.Output, error) {
	out, err := s.Update(ctx, c, s.partition(c.Account, c.Region), func(c *service.Context, tx store.Tx) (any, error) {
		st, err := readStack(tx, c.Account, c.Region, old.ID)
		if err != nil {
			return nil, err
		}
		if st == nil || st.Operation != old.Operation || !slices.Contains(updatable, st.Status) {
			return nil, notUpdatable(firstStack(st, old))
		}
		if st.Status != "UPDATE_FAILED" { // what a rollback goes back to is the last that was complete
			previous := st.Settings
			st.Previous = &previous
			if err := errors.Join(copyTemplate(tx, st, "original", "previous original"), copyTemplate(tx, st, "current", "previous")); err != nil {
				return nil, err
			}
		}
		st.Token, st.Updated = token, c.Now
		if policy != "" {
			st.Policy = policy
		}
		st.Resources = slices.DeleteFunc(st.Resources, (*Record).gone)
		return s.launch(c, tx, st, p, "UPDATE_IN_PROGRESS")
	})
	if err != nil {
		return nil, service.Wire(err)
	}
	return service.Answer(out), nil
}

func firstStack(list ...*Stack) *Stack {
	for _, s := range list {
		if s != nil {
			return s
		}
	}
	return nil
}

func copyTemplate(tx store.Tx, s *Stack, from, to string) error {
	b, err := tx.Get(templateKey(s.Account, s.Region, s.ID, from))
	if err != nil || b == nil {
		return err
	}
	tx.Set(templateKey(s.Account, s.Region, s.ID, to), slices.Clone(b))
	return nil
}

func (s *Service) deleteStack(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in struct {
		StackName, ClientRequestToken, DeletionMode string
		RetainResources                             []string
	}
	if err := decodeRequest(c.Request, &in); err != nil {
		return nil, err
	}
	if in.DeletionMode != "" && in.DeletionMode != "STANDARD" {
		return nil, invalid("Newel does not support DeletionMode %s yet.", in.DeletionMode)
	}
	for {
		st, err := s.load(ctx, c.Account, c.Region, in.StackName)
		if err != nil || st == nil || st.Status == "DELETE_COMPLETE" {
			return service.Answer(nil), err // as AWS: no error for a stack that is not there
		}
		if st.Parent != "" {
			if parent, err := s.load(ctx, c.Account, c.Region, st.Parent); err != nil || parent != nil && parent.busy() {
				return nil, invalid("Stack [%s] is nested in a stack that is being changed.", st.Name)
			}
		}
		if st.Protected {
			return nil, invalid("Stack [%s] cannot be deleted while TerminationProtection is enabled", st.Name)
		}
		done, err := s.commitDelete(ctx, c, st, in.ClientRequestToken, in.RetainResources)
		if done || err != nil {
			return service.Answer(nil), err
		}
		select {
		case <-time.After(time.Millisecond): // an operation has just ended or is just being begun
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// commitDelete begins a deletion, or has the operation that is under way broken off for it. It is not done if the stack
// has changed in between.
func (s *Service) commitDelete(ctx context.Context, c *service.Context, old *Stack, token string, skip []string) (done bool, err error) {
	if old.busy() {
		if old.Status == "DELETE_IN_PROGRESS" {
			return true, nil
		}
		return s.breakOff(ctx, old, "delete")
	}
	if len(skip) > 0 && old.Status != "DELETE_FAILED" {
		return false, invalid("Invalid operation on stack [%s]. When you delete a stack, specify which resources to retain only when the stack is in the DELETE_FAILED state.", old.ID)
	}
	_, err = s.Update(ctx, c, s.partition(c.Account, c.Region), func(c *service.Context, tx store.Tx) (any, error) {
		st, err := readStack(tx, c.Account, c.Region, old.ID)
		if err != nil || st == nil || st.busy() {
			return nil, err
		}
		done = true
		st.Operation++
		st.Began, st.Token, st.Skip, st.Cancel = c.Now, token, skip, ""
		return s.proceed(c, tx, st, "DELETE_IN_PROGRESS", "User Initiated")
	})
	return done, service.Wire(err)
}

// breakOff has the operation of a stack end for a reason. It is not done if the operation has just ended.
func (s *Service) breakOff(ctx context.Context, st *Stack, why string) (done bool, err error) {
	r := s.running(st.ID)
	if r == nil {
		return false, nil
	}
	r.mu.Lock()
	known := r.stack != nil && r.stack.busy() // a run that is through must not write any more
	cancel := r.cancel
	r.mu.Unlock()
	if !known {
		return false, nil
	}
	refuse := func(st *Stack, _ store.Tx) error {
		if done = st.busy(); !done {
			return errAtRest
		}
		return nil
	}
	err = r.transact(ctx, refuse, func(st *Stack, _ func(Event)) { st.Cancel = why })
	if errors.Is(err, errAtRest) {
		return false, nil
	}
	if done && cancel != nil {
		cancel()
	}
	return done, err
}

var errAtRest = errors.New("cfn: the stack is at rest")

func (s *Service) cancelUpdate(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in struct{ StackName string }
	if err := decodeRequest(c.Request, &in); err != nil {
		return nil, err
	}
	st, err := s.load(ctx, c.Account, c.Region, in.StackName)
	if err != nil {
		return nil, err
	}
	if st == nil {
		return nil, unknown(in.StackName)
	}
	done := false
	if st.Status == "UPDATE_IN_PROGRESS" {
		done, err = s.breakOff(ctx, st, "rollback")
	}
	if err == nil && !done {
		err = invalid("CancelUpdateStack cannot be called from current stack status")
	}
	return service.Answer(nil), err
}

func (s *Service) continueRollback(ctx context.Context, c *service.Context) (*aws.Output, error) {
	return s.goOn(ctx, c, map[string]string{"UPDATE_ROLLBACK_FAILED": "UPDATE_ROLLBACK_IN_PROGRESS"})
}

func (s *Service) rollbackStack(ctx context.Context, c *service.Context) (*aws.Output, error) {
	return s.goOn(ctx, c, map[string]string{"CREATE_FAILED": "ROLLBACK_IN_PROGRESS", "UPDATE_FAILED": "UPDATE_ROLLBACK_IN_PROGRESS"})
}

// goOn moves a stack at rest to a status that work follows from.
func (s *Service) goOn(ctx context.Context, c *service.Context, from map[string]string) (*aws.Output, error) {
	var in struct {
		StackName       string
		ResourcesToSkip []string
	}
	if err := decodeRequest(c.Request, &in); err != nil {
		return nil, err
	}
	if len(in.ResourcesToSkip) > 0 {
		return nil, invalid("Newel does not support ResourcesToSkip of %s yet.", c.Operation)
	}
	out, err := s.Update(ctx, c, s.partition(c.Account, c.Region), func(c *service.Context, tx store.Tx) (any, error) {
		st, err := readStack(tx, c.Account, c.Region, in.StackName)
		switch {
		case err != nil:
			return nil, err
		case st == nil:
			return nil, unknown(in.StackName)
		case from[st.Status] == "":
			return nil, invalid("Stack:%s is in %s state and can not be rolled back.", st.ID, st.Status)
		}
		return s.proceed(c, tx, st, from[st.Status], "User Initiated")
	})
	if err != nil {
		return nil, service.Wire(err)
	}
	if c.Operation == "ContinueUpdateRollback" {
		return service.Answer(nil), nil
	}
	return service.Answer(out), nil
}
