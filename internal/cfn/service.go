package cfn

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// New makes the service "cloudformation". CreateStack, UpdateStack and DeleteStack answer when the work is done or has
// failed; DescribeStacks says which. Stacks live on the account's and region's partition.
func New(env *service.Env) *service.Service {
	s := &stacks{env: env, busy: map[string]bool{}}
	s.Service = service.New("cloudformation", env, []service.Operation{
		{Name: "CreateStack", Do: s.create},
		{Name: "UpdateStack", Do: s.update},
		{Name: "DeleteStack", Do: s.delete},
		{Name: "DescribeStacks", View: describe},
		{Name: "ListStacks", View: list},
		{Name: "DescribeStackResources", View: describeResources},
		{Name: "GetTemplate", View: getTemplate},
	})
	return s.Service
}

type stacks struct {
	*service.Service
	env  *service.Env
	mu   sync.Mutex
	busy map[string]bool // stacks that a deployment of this process is working on
}

// request are the members of CreateStack and UpdateStack that are understood.
type request struct {
	StackName    string
	TemplateBody string
	Parameters   []struct {
		ParameterKey, ParameterValue string
		UsePreviousValue             bool
	}
	Capabilities []string
	Tags         []map[string]string
}

// understood are the members of a request that are acted on, or that change nothing here.
var understood = []string{"StackName", "TemplateBody", "Parameters", "Capabilities", "Tags", "DisableRollback", "TimeoutInMinutes", "ClientRequestToken"}

var stackName = regexp.MustCompile(`^[a-zA-Z][-a-zA-Z0-9]{0,127}$`)

func invalid(format string, args ...any) *aws.Error {
	return aws.Errorf("ValidationError", format, args...)
}

func decodeRequest(r *aws.Request) (*request, error) {
	var members map[string]json.RawMessage
	if err := service.Decode(r, &members); err != nil {
		return nil, err
	}
	for name := range members {
		if !slices.Contains(understood, name) {
			return nil, invalid("Newel does not support %s of %s yet; supported: %s", name, r.Operation, strings.Join(understood, ", "))
		}
	}
	var in request
	if err := service.Decode(r, &in); err != nil {
		return nil, err
	}
	if in.TemplateBody == "" {
		return nil, invalid("Either Template URL or Template Body must be specified.")
	}
	return &in, nil
}

func (s *stacks) create(ctx context.Context, c *service.Context) (*aws.Output, error) {
	in, err := decodeRequest(c.Request)
	if err != nil {
		return nil, err
	}
	if !stackName.MatchString(in.StackName) {
		return nil, invalid("1 validation error detected: Value '%s' at 'stackName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*", in.StackName)
	}
	release, err := s.acquire(c.Request, in.StackName)
	if err != nil {
		return nil, err
	}
	defer release()
	stack, err := s.load(ctx, c.Request, in.StackName)
	if err != nil {
		return nil, err
	}
	if stack != nil {
		return nil, aws.Errorf("AlreadyExistsException", "Stack [%s] already exists", in.StackName)
	}
	stack = &Stack{Version: 1, Name: in.StackName, Account: c.Account, Region: c.Region, Created: c.Now}
	stack.ID = aws.ARN{Service: "cloudformation", Region: c.Region, Account: c.Account, Resource: "stack/" + in.StackName + "/" + uuid()}.String()
	return s.deploy(ctx, c, stack, in, "CREATE")
}

func (s *stacks) update(ctx context.Context, c *service.Context) (*aws.Output, error) {
	in, err := decodeRequest(c.Request)
	if err != nil {
		return nil, err
	}
	name := nameOf(in.StackName)
	release, err := s.acquire(c.Request, name)
	if err != nil {
		return nil, err
	}
	defer release()
	stack, err := s.load(ctx, c.Request, name)
	if err != nil {
		return nil, err
	}
	if stack == nil {
		return nil, invalid("Stack [%s] does not exist", name)
	}
	return s.deploy(ctx, c, stack, in, "UPDATE")
}

// deploy checks the request, then carries it out whatever becomes of the client.
func (s *stacks) deploy(ctx context.Context, c *service.Context, stack *Stack, in *request, verb string) (*aws.Output, error) {
	t, err := Parse("template", []byte(in.TemplateBody))
	if err != nil {
		return nil, invalid("Template format error: %s", err)
	}
	if err := capabilities(t, in.Capabilities); err != nil {
		return nil, err
	}
	given := map[string]string{}
	for _, p := range in.Parameters {
		if p.UsePreviousValue {
			for _, old := range stack.Parameters {
				if old.ParameterKey == p.ParameterKey {
					p.ParameterValue = old.ParameterValue
				}
			}
		}
		given[p.ParameterKey] = p.ParameterValue
	}
	if stack.Parameters, err = parameters(t, given); err != nil {
		return nil, invalid("%s", err)
	}
	stack.Description, stack.Tags, stack.Updated = t.Description, in.Tags, c.Now
	stack.Status, stack.Reason = verb+"_IN_PROGRESS", ""

	ctx = context.WithoutCancel(ctx)
	d := s.deployment(c, stack, t)
	if err := s.save(ctx, c.Request, stack, in.TemplateBody); err != nil {
		return nil, err
	}
	stack.Status = verb + "_COMPLETE"
	if err := d.Deploy(ctx); err != nil {
		stack.Status, stack.Reason = verb+"_FAILED", err.Error()
		s.env.Log.Warn("stack failed", "stack", stack.Name, "reason", err)
	}
	if err := s.save(ctx, c.Request, stack, ""); err != nil {
		return nil, err
	}
	return service.Answer(map[string]string{"StackId": stack.ID}), nil
}

func (s *stacks) deployment(c *service.Context, stack *Stack, t *Template) *Deployment {
	inProgress := stack.Status
	return &Deployment{
		Stack: stack, Template: t, Caller: s.env.Caller, Now: s.env.Now,
		Request: aws.Request{Account: c.Account, Region: c.Region, Principal: c.Principal},
		Save: func(ctx context.Context, st *Stack) error {
			kept := *st
			kept.Status = inProgress
			return s.save(ctx, c.Request, &kept, "")
		},
	}
}

func (s *stacks) delete(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in struct{ StackName string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	name := nameOf(in.StackName)
	release, err := s.acquire(c.Request, name)
	if err != nil {
		return nil, err
	}
	defer release()
	stack, err := s.load(ctx, c.Request, name)
	if err != nil || stack == nil {
		return service.Answer(nil), err // as AWS: no error for a stack that is not there
	}
	ctx = context.WithoutCancel(ctx)
	stack.Status, stack.Reason = "DELETE_IN_PROGRESS", ""
	if err := s.deployment(c, stack, nil).Delete(ctx); err != nil {
		stack.Status, stack.Reason = "DELETE_FAILED", err.Error()
		return service.Answer(nil), s.save(ctx, c.Request, stack, "")
	}
	p := s.PartitionOf(c.Account, c.Region, "")
	err = s.env.Store.Update(ctx, p, func(tx store.Tx) error {
		tx.Delete(stackKey(c.Account, c.Region, name))
		tx.Delete(templateKey(c.Account, c.Region, name))
		return nil
	})
	return service.Answer(nil), service.Wire(err)
}

// acquire keeps two deployments of one stack apart.
func (s *stacks) acquire(r *aws.Request, name string) (release func(), err error) {
	key := r.Account + "/" + r.Region + "/" + name
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[key] {
		return nil, invalid("Stack [%s] has an operation in progress and can not be changed.", name)
	}
	s.busy[key] = true
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.busy, key)
	}, nil
}

func (s *stacks) load(ctx context.Context, r *aws.Request, name string) (stack *Stack, err error) {
	p := s.PartitionOf(r.Account, r.Region, "")
	err = s.env.Store.View(ctx, p, func(rd store.Reader) (err error) {
		stack, err = read(rd, r.Account, r.Region, name)
		return err
	})
	return stack, service.Wire(err)
}

// save writes the record, and the template if it is given.
func (s *stacks) save(ctx context.Context, r *aws.Request, stack *Stack, template string) error {
	b, err := json.Marshal(stack)
	if err != nil {
		return err
	}
	p := s.PartitionOf(r.Account, r.Region, "")
	return service.Wire(s.env.Store.Update(ctx, p, func(tx store.Tx) error {
		tx.Set(stackKey(r.Account, r.Region, stack.Name), b)
		if template != "" {
			tx.Set(templateKey(r.Account, r.Region, stack.Name), []byte(template))
		}
		return nil
	}))
}

func stackKey(account, region, name string) store.Key {
	return store.K(store.TableStack, account, region, "stack", name)
}

func templateKey(account, region, name string) store.Key {
	return store.K(store.TableStack, account, region, "template", name)
}

func read(rd store.Reader, account, region, name string) (*Stack, error) {
	b, err := rd.Get(stackKey(account, region, name))
	if err != nil || b == nil {
		return nil, err
	}
	return decodeStack(b)
}

func decodeStack(b []byte) (*Stack, error) {
	var s Stack
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("%w: stack record: %w", store.ErrCorrupt, err)
	}
	if s.Version != 1 {
		return nil, fmt.Errorf("%w (stack record version %d)", store.ErrFormat, s.Version)
	}
	return &s, nil
}

// nameOf is a stack's name given its name or id.
func nameOf(s string) string {
	if a, ok := aws.ParseARN(s); ok && a.Service == "cloudformation" {
		if parts := strings.Split(a.Resource, "/"); len(parts) == 3 {
			return parts[1]
		}
	}
	return s
}

// capabilities demands what AWS demands of a template that makes roles.
func capabilities(t *Template, given []string) error {
	need := ""
	for _, r := range t.Resources {
		if r.Type != role {
			continue
		}
		if need == "" {
			need = "CAPABILITY_IAM"
		}
		if r.Properties.Get("RoleName") != nil {
			need = "CAPABILITY_NAMED_IAM"
		}
	}
	if need == "" || slices.Contains(given, need) || slices.Contains(given, "CAPABILITY_NAMED_IAM") {
		return nil
	}
	return aws.Errorf("InsufficientCapabilitiesException", "Requires capabilities : [%s]", need)
}

func uuid() string {
	var b [16]byte
	rand.Read(b[:]) //nolint:errcheck // never fails: it stops the process instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
