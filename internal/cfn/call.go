package cfn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
)

// caller makes the calls of one operation on a resource, numbered from its block on.
type caller struct {
	r     *run
	block uint64
	n     uint64
}

func (r *run) caller(block uint64) *caller { return &caller{r: r, block: block} }

// all makes calls one after the other and returns the answer to the first.
func (c *caller) all(ctx context.Context, calls []Call) (first *value.Object, err error) {
	for k, call := range calls {
		answer, err := c.one(ctx, call)
		if err != nil {
			return nil, err
		}
		if k == 0 {
			first = answer
		}
	}
	if first == nil {
		first = value.NewObject()
	}
	return first, nil
}

func (c *caller) one(ctx context.Context, call Call) (*value.Object, error) {
	if c.n >= blockSize {
		return nil, fmt.Errorf("more than %d calls are needed", blockSize)
	}
	req := c.r.request(c.block, c.n)
	c.n++
	return c.r.call(ctx, req, call)
}

// read asks for a resource; nil if it is not there.
func (r *run) read(ctx context.Context, t *Type, i *Instance) (*value.Object, error) {
	answer, err := r.call(ctx, r.request(0, 0), t.Read(i))
	if isCode(err, t.Missing) || err == nil && t.Absent != nil && t.Absent(i, answer) {
		return nil, nil
	}
	return answer, err
}

// retries is how often a call is made again that the service could not answer; each waits longer.
const retries = 4

// call makes one call with its input brought to the types of the API's model. The answer is nil for an ignored error.
func (r *run) call(ctx context.Context, req aws.Request, c Call) (*value.Object, error) {
	in, err := c.typed()
	if err != nil {
		return nil, err
	}
	req.Service, req.Operation, req.Input, req.Body = c.Service, c.Operation, value.Append(nil, in), c.Body
	for k := 0; ; k++ {
		again := req
		out, err := r.s.env.Caller.Call(ctx, &again)
		if err == nil {
			return answerObject(out)
		}
		if isCode(err, c.Ignore) {
			return nil, nil
		}
		var e *aws.Error
		if errors.As(err, &e) && e.Fault && e.Code != "NotImplemented" && k < retries {
			select {
			case <-time.After(50 * time.Millisecond << k):
				continue
			case <-ctx.Done():
			}
		}
		return nil, &callError{c, err}
	}
}

// typed is the input in the types of the API's model.
func (c *Call) typed() (value.Value, error) {
	if c.Own {
		return c.Input, nil
	}
	return coerce(c.Input, inputShape(c.Service, c.Operation), "")
}

func inputShape(service, operation string) *aws.Shape {
	op := aws.MustModel(service).Operations[operation]
	if op == nil || op.Input == nil {
		panic("cfn: no operation " + service + ":" + operation)
	}
	return op.Input
}

// callError is an error answer with the call that it answers.
type callError struct {
	call Call
	err  error
}

func (e *callError) Unwrap() error { return e.err }

func (e *callError) Error() string {
	var w *aws.Error
	if !errors.As(e.err, &w) {
		return fmt.Sprintf("%s:%s: %s", e.call.Service, e.call.Operation, e.err)
	}
	return fmt.Sprintf("%s (Service: %s; Operation: %s; Status Code: %d; Error Code: %s)", w.Message, e.call.Service, e.call.Operation, w.HTTPStatus(), w.Code)
}

func answerObject(out *aws.Output) (*value.Object, error) {
	b, err := service.Marshal(out.Value)
	if out.Stream != nil {
		err = errors.Join(err, out.Stream.Close())
	}
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

var dynamicReference = regexp.MustCompile(`\{\{resolve:([a-z-]+):([^{}]+)\}\}`)

// dynamic replaces {{resolve:...}} in strings by what the services have under that name.
func (s *Service) dynamic(ctx context.Context, as aws.Request, o *value.Object) (*value.Object, error) {
	v, err := s.dynamicValue(ctx, as, o)
	if err != nil {
		return o, err
	}
	return v.(*value.Object), nil
}

func (s *Service) dynamicValue(ctx context.Context, as aws.Request, v value.Value) (value.Value, error) {
	switch v := v.(type) {
	case string:
		return s.dynamicText(ctx, as, v)
	case value.Array:
		out := make(value.Array, len(v))
		for i, e := range v {
			var err error
			if out[i], err = s.dynamicValue(ctx, as, e); err != nil {
				return nil, err
			}
		}
		return out, nil
	case *value.Object:
		out := value.NewObject()
		for k, e := range v.All() {
			c, err := s.dynamicValue(ctx, as, e)
			if err != nil {
				return nil, err
			}
			out.Set(k, c)
		}
		return out, nil
	}
	return v, nil
}

func (s *Service) dynamicText(ctx context.Context, as aws.Request, text string) (string, error) {
	if !strings.Contains(text, "{{resolve:") {
		return text, nil
	}
	var failed error
	out := dynamicReference.ReplaceAllStringFunc(text, func(m string) string {
		parts := dynamicReference.FindStringSubmatch(m)
		v, err := s.reference(ctx, as, parts[1], parts[2])
		if err != nil && failed == nil {
			failed = fmt.Errorf("dynamic reference %s: %w", m, err)
		}
		return v
	})
	return out, failed
}

// reference looks one dynamic reference up: ssm and ssm-secure NAME[:VERSION], secretsmanager ID:SecretString[:KEY[:STAGE[:VERSION]]].
func (s *Service) reference(ctx context.Context, as aws.Request, kind, rest string) (string, error) {
	switch kind {
	case "ssm", "ssm-secure":
		return s.parameterStore(ctx, as, rest)
	case "secretsmanager":
	default:
		return "", fmt.Errorf("%s is not supported; supported: ssm, ssm-secure, secretsmanager", kind)
	}
	id, rest, _ := strings.Cut(rest, ":SecretString")
	parts := strings.Split(strings.TrimPrefix(rest, ":"), ":")
	in := value.NewObject(value.Member{Name: "SecretId", Value: id})
	if len(parts) > 1 && parts[1] != "" {
		in.Set("VersionStage", parts[1])
	}
	if len(parts) > 2 && parts[2] != "" {
		in.Set("VersionId", parts[2])
	}
	answer, err := s.ask(ctx, as, "secretsmanager", "GetSecretValue", in)
	if err != nil || parts[0] == "" {
		return member(answer, "SecretString"), err
	}
	secret, err := value.Parse([]byte(member(answer, "SecretString")))
	if err != nil {
		return "", fmt.Errorf("the secret is no JSON object")
	}
	o, _ := secret.(*value.Object)
	if o == nil {
		return "", fmt.Errorf("the secret is no JSON object")
	}
	if _, ok := o.Get(parts[0]); !ok {
		return "", fmt.Errorf("Could not find a value associated with JSONKey in SecretString")
	}
	return member(o, parts[0]), nil
}

// parameterStore is the value of a Systems Manager parameter.
func (s *Service) parameterStore(ctx context.Context, as aws.Request, name string) (string, error) {
	in := value.NewObject(value.Member{Name: "Name", Value: name}, value.Member{Name: "WithDecryption", Value: true})
	answer, err := s.ask(ctx, as, "ssm", "GetParameter", in)
	return member(answer, "Parameter", "Value"), err
}

func (s *Service) ask(ctx context.Context, as aws.Request, key, operation string, in *value.Object) (*value.Object, error) {
	as.Service, as.Operation, as.Input = key, operation, value.Append(nil, in)
	out, err := s.env.Caller.Call(ctx, &as)
	if err != nil {
		return nil, err
	}
	return answerObject(out)
}
