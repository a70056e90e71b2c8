package conformance

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
)

const (
	region   = "us-east-1"
	account  = "000000000000"
	account2 = "111122223333"
)

// replay runs one case's script.
type replay struct {
	c        *recorded
	dir      string
	caller   aws.Caller
	base     string // URL of the server
	began    time.Time
	deadline time.Time

	mu       sync.Mutex
	env      object // results by save_as
	uids     map[string]string
	captured []capture
	failures []difference
	wg       sync.WaitGroup
}

type capture struct {
	key  string
	have value
}

// apiError is a failed call with the error view of the recordings.
type apiError struct {
	view      object
	operation string
}

func (e *apiError) Error() string {
	v, _ := e.view["Error"].(object)
	return fmt.Sprintf("An error occurred (%v) when calling the %s operation: %v", v["Code"], e.operation, v["Message"])
}

func newReplay(c *recorded, dir string, caller aws.Caller, timeout time.Duration) *replay {
	return &replay{c: c, dir: dir, caller: caller, began: time.Now(), deadline: time.Now().Add(timeout), env: object{}, uids: map[string]string{}}
}

// run plays the script and returns what differs; an error is a script that could not be played to its end.
// run plays the script.
func (r *replay) run(ctx context.Context) error {
	err := r.steps(ctx, r.c.Steps)
	if err == nil {
		r.wg.Wait()
	}
	return err
}

// differences compares what was captured; skip are paths that are left out.
func (r *replay) differences(skip []string) []difference {
	m := newComparator(r.c, skip, func(text string) (string, bool) {
		s, err := r.text(text)
		return s, err == nil
	})
	out := slices.Clone(r.failures)
	for _, c := range r.captured {
		out = append(out, m.compare(c.key, c.have)...)
	}
	return out
}

func (r *replay) steps(ctx context.Context, steps []object) error {
	for _, s := range steps {
		if s["client_side"] == true {
			continue
		}
		if err := r.step(ctx, s); err != nil {
			return fmt.Errorf("%v %v: %w", s["op"], s["action"], err)
		}
	}
	return nil
}

// inAccount is the key under which a step's context has the account that it is played in.
type inAccount struct{}

func (r *replay) step(ctx context.Context, s object) error {
	if s["profile"] == "secondary" {
		ctx = context.WithValue(ctx, inAccount{}, account2)
	}
	switch s["op"] {
	case "call":
		return r.call(ctx, s)
	case "create_role":
		r.save(s, object{"Arn": "arn:aws:iam::" + accountOf(ctx) + ":role/test-role"})
	case "create_lambda":
		return r.createLambda(ctx, s)
	case "await":
		return r.await(ctx, s)
	case "retry":
		return r.retry(ctx, s)
	case "http":
		return r.http(ctx, s)
	case "collect_messages":
		return r.collectMessages(ctx, s)
	case "collect_logs":
		return r.collectLogs(ctx, s)
	case "background":
		r.wg.Go(func() {
			if err := r.steps(ctx, objects(s["steps"])); err != nil {
				r.fail("background", "success", err.Error())
			}
		})
	case "join":
		r.wg.Wait()
	case "expect":
		r.wg.Wait()
		v, err := r.value(s["value"])
		if err != nil {
			return err
		}
		r.capture(s["expect_snapshot_key"], v)
	case "assert":
		return r.assert(s)
	case "wait":
		return r.waitStacks(ctx)
	case "mock_config": // the case has a server of its own that was started with it
	case "sleep": // this server is consistent
	default:
		return fmt.Errorf("this replayer has no step %v", s["op"])
	}
	return nil
}

func objects(v value) (out []object) {
	list, _ := v.([]any)
	for _, e := range list {
		out = append(out, e.(object))
	}
	return out
}

func (r *replay) save(s object, v value) {
	name, _ := s["save_as"].(string)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.env[name] = v
}

func (r *replay) capture(key, v value) {
	if key, ok := key.(string); ok {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.captured = append(r.captured, capture{key, v})
	}
}

func accountOf(ctx context.Context) string {
	if other, ok := ctx.Value(inAccount{}).(string); ok {
		return other
	}
	return account
}

func (r *replay) fail(path, expected, have string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, difference{path, expected, have})
}

// api calls one operation and returns the response view.
func (r *replay) api(ctx context.Context, serviceName, action string, args value) (object, error) {
	model, ok := aws.Model(serviceName)
	if !ok {
		return nil, fmt.Errorf("no model of %s", serviceName)
	}
	req := &aws.Request{Service: model.Key, Operation: action, Account: accountOf(ctx), Region: region}
	in, _ := args.(object)
	if in == nil {
		in = object{}
	}
	if op := model.Operations[action]; op != nil && op.Input != nil && op.Input.Payload != "" {
		if body, ok := in[op.Input.Payload].(string); ok {
			req.Body = []byte(body)
			delete(in, op.Input.Payload)
		}
	}
	if model.Key == "s3" && action == "GetObject" {
		in["ChecksumMode"] = "ENABLED" // as today's SDKs ask
	}
	req.Input = []byte(encode(in))
	out, err := r.caller.Call(ctx, req)
	var e *aws.Error
	if errors.As(err, &e) {
		view := object{"Error": object{"Code": e.Code, "Message": e.Message}, "ResponseMetadata": object{"HTTPStatusCode": number(e.HTTPStatus())}}
		if model.Key == "states" {
			view["message"] = e.Message
		}
		for k, v := range e.Fields {
			view[k] = v
		}
		return nil, &apiError{view, action}
	}
	if err != nil {
		return nil, err
	}
	text, err := service.Marshal(out.Value)
	if err != nil {
		return nil, err
	}
	var v object
	if err := decode(text, &v); err != nil {
		return nil, err
	}
	if v == nil {
		v = object{}
	}
	if out.Stream != nil {
		body, err := io.ReadAll(out.Stream)
		if err = errors.Join(err, out.Stream.Close()); err != nil {
			return nil, err
		}
		v[model.Operations[action].Output.Payload] = string(body)
	}
	v["ResponseMetadata"] = object{"HTTPStatusCode": number(max(out.Status, model.Operations[action].Status, 200))}
	return v, nil
}

func number(n int) json.Number { return json.Number(strconv.Itoa(n)) }

func (r *replay) call(ctx context.Context, s object) error {
	args, err := r.value(s["args"])
	if err != nil {
		return err
	}
	serviceName, _ := s["service"].(string)
	action, _ := s["action"].(string)
	v, err := r.api(ctx, serviceName, action, args)
	if err == nil && s["paginate"] == true {
		err = r.paginate(ctx, serviceName, action, args, v)
	}
	var e *apiError
	if errors.As(err, &e) && s["expect_error"] == true {
		view := object{"string": e.Error(), "typename": e.view["Error"].(object)["Code"]}
		for k, v := range e.view {
			view[k] = v
		}
		r.save(s, object{"$error": view})
		r.capture(s["expect_snapshot_key"], e.view)
		return nil
	}
	if err != nil {
		return err
	}
	if s["expect_error"] == true {
		return errors.New("the call succeeded, an error was recorded")
	}
	r.save(s, v)
	r.capture(s["expect_snapshot_key"], v)
	return nil
}

// paginate follows nextToken and puts all elements into the first page's list.
func (r *replay) paginate(ctx context.Context, serviceName, action string, args value, first object) error {
	for page := first; page["nextToken"] != nil; {
		next := object{}
		for k, v := range args.(object) {
			next[k] = v
		}
		next["nextToken"] = page["nextToken"]
		var err error
		if page, err = r.api(ctx, serviceName, action, next); err != nil {
			return err
		}
		for k, v := range page {
			if list, ok := v.([]any); ok {
				first[k] = append(first[k].([]any), list...)
			}
		}
	}
	delete(first, "nextToken")
	return nil
}

func (r *replay) createLambda(ctx context.Context, s object) error {
	args, err := r.value(s["args"])
	if err != nil {
		return err
	}
	source, _ := s["source_inline"].(string)
	if file, ok := s["source"].(string); ok {
		text, err := os.ReadFile(filepath.Join(r.dir, filepath.FromSlash(file)))
		if err != nil {
			return err
		}
		source = r.c.atRecordedLine(string(text))
	}
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	w, err := z.Create("handler.py")
	if err == nil {
		_, err = w.Write([]byte(source))
	}
	if err = errors.Join(err, z.Close()); err != nil {
		return err
	}
	in := args.(object)
	if s["source"] == "handlers/sleep_60s.py" && in["Timeout"] == nil {
		in["Timeout"] = 90 // the recorded functions ran for longer than the three seconds that a function has by default
	}
	in["Role"] = "arn:aws:iam::" + accountOf(ctx) + ":role/r"
	in["Code"] = object{"ZipFile": base64.StdEncoding.EncodeToString(buf.Bytes())}
	v, err := r.api(ctx, "lambda", "CreateFunction", in)
	if err != nil {
		return err
	}
	r.save(s, object{"CreateFunctionResponse": v})
	if strings.Contains(r.c.ID, "TIMEOUT_SECONDS]") || strings.Contains(r.c.ID, "HEARTBEAT_SECONDS]") {
		// The task has one second, which the first start of a function may take on a busy machine.
		_, err = r.api(ctx, "lambda", "Invoke", object{"FunctionName": in["FunctionName"]})
	}
	return err
}

func (r *replay) retry(ctx context.Context, s object) error {
	var err error
	for range 60 {
		if err = r.steps(ctx, objects(s["steps"])); err == nil || time.Now().After(r.deadline) {
			return err
		}
		pause(ctx)
	}
	return err
}

// pause is the polling interval of a client that waits for something to happen.
func pause(ctx context.Context) {
	select {
	case <-time.After(20 * time.Millisecond):
	case <-ctx.Done():
	}
}

func (r *replay) await(ctx context.Context, s object) error {
	kind, _ := s["kind"].(string)
	for {
		ok, err := r.holds(ctx, kind, s)
		if err != nil || ok {
			return err
		}
		if time.Now().After(r.deadline) {
			return fmt.Errorf("%s did not come to hold in time", kind)
		}
		pause(ctx)
	}
}

func (r *replay) holds(ctx context.Context, kind string, s object) (bool, error) {
	a := object{}
	for k, v := range s {
		w, err := r.value(v)
		if err != nil {
			return false, err
		}
		a[k] = w
	}
	switch kind {
	case "execution_started":
		return true, nil
	case "execution_terminated", "execution_succeeded", "execution_status":
		v, err := r.api(ctx, "states", "DescribeExecution", object{"executionArn": a["executionArn"]})
		if err != nil {
			return false, err
		}
		status := v["status"]
		if kind == "execution_status" {
			return status == a["status"], nil
		}
		if kind == "execution_succeeded" && status != "RUNNING" && status != "SUCCEEDED" {
			return false, fmt.Errorf("the execution is %v: %v", status, v["cause"])
		}
		return status != "RUNNING", nil
	case "history_length", "state_entered":
		v, err := r.api(ctx, "states", "GetExecutionHistory", object{"executionArn": a["executionArn"]})
		if err != nil {
			return false, err
		}
		events := objects(v["events"])
		if kind == "history_length" {
			n, _ := a["count"].(json.Number).Int64()
			return int64(len(events)) >= n, nil
		}
		return slices.ContainsFunc(events, func(ev object) bool {
			d, _ := ev["stateEnteredEventDetails"].(object)
			return d["name"] == a["state"]
		}), nil
	case "execution_listed", "execution_listed_terminated":
		v, err := r.api(ctx, "states", "ListExecutions", object{"stateMachineArn": a["stateMachineArn"]})
		return slices.ContainsFunc(objects(v["executions"]), func(x object) bool {
			return x["executionArn"] == a["executionArn"] && (kind == "execution_listed" && x["status"] == a["status"] || kind != "execution_listed" && x["status"] != "RUNNING")
		}), err
	case "version_listed", "version_not_listed":
		return r.listed(ctx, a, "ListStateMachineVersions", "stateMachineVersions", "stateMachineVersionArn", kind)
	case "alias_listed", "alias_not_listed":
		return r.listed(ctx, a, "ListStateMachineAliases", "stateMachineAliases", "stateMachineAliasArn", kind)
	case "log_group_deleted":
		v, err := r.api(ctx, "logs", "DescribeLogGroups", object{"logGroupNamePrefix": a["logGroupName"]})
		return len(objects(v["logGroups"])) == 0, err
	case "state_machine_listed", "state_machine_not_listed":
		v, err := r.api(ctx, "states", "ListStateMachines", object{})
		there := slices.ContainsFunc(objects(v["stateMachines"]), func(x object) bool { return x["stateMachineArn"] == a["stateMachineArn"] })
		return there == (kind == "state_machine_listed"), err
	}
	return false, fmt.Errorf("this replayer cannot await %s", kind)
}

func (r *replay) assert(s object) error {
	left, err := r.value(s["left"])
	if err != nil {
		return err
	}
	right, err := r.value(s["right"])
	if err != nil {
		return err
	}
	var ok bool
	has := func() bool { o, _ := left.(object); _, there := o[fmt.Sprint(right)]; return there }
	switch s["cmp"] {
	case "==":
		ok = encode(left) == encode(right)
	case "!=":
		ok = encode(left) != encode(right)
	case "contains":
		list, isList := left.([]any)
		ok = isList && slices.ContainsFunc(list, func(v any) bool { return encode(v) == encode(right) }) || !isList && strings.Contains(fmt.Sprint(left), fmt.Sprint(right))
	case "has_key":
		ok = has()
	case "lacks_key":
		ok = !has()
	case "len==":
		list, _ := left.([]any)
		ok = strconv.Itoa(len(list)) == fmt.Sprint(right)
	case "matches":
		re, err := regexp.Compile(`\A(?:` + fmt.Sprint(right) + `)`)
		if err != nil {
			return err
		}
		ok = re.MatchString(fmt.Sprint(left))
	}
	if !ok {
		r.fail("assert", fmt.Sprintf("%v %s", s["cmp"], clip(encode(right))), clip(encode(left)))
	}
	return nil
}
