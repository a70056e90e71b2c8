package states

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// version is a published revision. Its number is never used again.
type version struct {
	Number      int64  `json:"n"`
	Revision    string `json:"rev"`
	Description string `json:"description,omitempty"`
	Created     int64  `json:"created"` // epoch milliseconds
}

// alias routes executions to one version or, by weight, to two.
type alias struct {
	Name        string  `json:"name"`
	Description string  `json:"description,omitempty"`
	Routing     []route `json:"routing"`
	Created     int64   `json:"created"`
	Updated     int64   `json:"updated"`
}

type route struct {
	VersionARN string `json:"stateMachineVersionArn"`
	Weight     int    `json:"weight"`
}

// Versions sort newest first.
func versionKey(arn string, n int64) store.Key {
	return store.K(store.TableMachine, "version", arn).U64(^uint64(n))
}

func aliasKey(arn, name string) store.Key { return store.K(store.TableMachine, "alias", arn, name) }

func readJSON[T any](rd store.Reader, key store.Key) (*T, error) {
	b, err := rd.Get(key)
	if err != nil || b == nil {
		return nil, err
	}
	v := new(T)
	return v, json.Unmarshal(b, v)
}

func writeJSON(tx store.Tx, key store.Key, v any) error {
	b, err := service.Marshal(v)
	if err == nil {
		tx.Set(key, b)
	}
	return err
}

// publish makes a version of the head's current revision, or finds the one that it has.
func publish(tx store.Tx, h *head, description string, now int64) (*version, error) {
	if h.Published == h.Revision {
		v, err := readJSON[version](tx, versionKey(h.ARN, h.LastVersion))
		if err != nil || v != nil {
			return v, err
		}
	}
	h.LastVersion++
	h.Published = h.Revision
	v := &version{h.LastVersion, h.Revision, description, now}
	return v, writeJSON(tx, versionKey(h.ARN, v.Number), v)
}

func versionARN(machineARN string, n int64) string {
	return machineARN + ":" + strconv.FormatInt(n, 10)
}

func (s *Service) publishVersion(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ StateMachineArn, RevisionId, Description string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	h, err := machineOf(c, tx)
	if err != nil {
		return nil, err
	}
	if in.RevisionId != "" {
		r, err := readRevision(tx, h.Revision)
		if err != nil {
			return nil, err
		}
		if current := cmp.Or(r.ID, "INITIAL"); in.RevisionId != current {
			return nil, aws.Errorf("ConflictException", "Failed to publish the State Machine version for revision %s. The current State Machine revision is %s.", in.RevisionId, current)
		}
	}
	v, err := publish(tx, h, in.Description, c.Now.UnixMilli())
	if err != nil {
		return nil, err
	}
	return map[string]any{"stateMachineVersionArn": versionARN(h.ARN, v.Number), "creationDate": epoch(v.Created)}, writeHead(tx, h)
}

// listVersions lists newest first.
func (s *Service) listVersions(c *service.Context, rd store.Reader) (any, error) {
	var in struct {
		MaxResults int
		NextToken  *string
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	arn, err := machineByARN(c.Request)
	if err != nil {
		return nil, err
	}
	after, err := decodePage(in.NextToken)
	if err != nil {
		return nil, err
	}
	table := store.K(store.TableMachine, "version", arn)
	list := []map[string]any{}
	out := map[string]any{}
	for k, b := range rd.Scan(table, table.End(), false) {
		position := string(k[len(table):])
		if after != "" && position <= after {
			continue
		}
		if len(list) == pageSize(in.MaxResults) {
			out["nextToken"] = encodePage(after)
			break
		}
		var v version
		if err := json.Unmarshal(b, &v); err != nil {
			return nil, err
		}
		after = position
		list = append(list, map[string]any{"stateMachineVersionArn": versionARN(arn, v.Number), "creationDate": epoch(v.Created)})
	}
	if out["nextToken"] != nil {
		out["nextToken"] = encodePage(after)
	}
	out["stateMachineVersions"] = list
	return out, nil
}

func (s *Service) deleteVersion(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ StateMachineVersionArn string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	n, err := parseType(in.StateMachineVersionArn, "stateMachine")
	if err != nil {
		return nil, err
	}
	number, err := strconv.ParseInt(n.qualifier(), 10, 64)
	if err != nil {
		return nil, invalidARN("Invalid ARN: %s", in.StateMachineVersionArn)
	}
	var users []string
	err = eachAlias(tx, n.machineARN(), func(a *alias) {
		if slices.ContainsFunc(a.Routing, func(r route) bool { return r.VersionARN == in.StateMachineVersionArn }) {
			users = append(users, a.Name)
		}
	})
	if err != nil {
		return nil, err
	}
	if len(users) > 0 {
		return nil, aws.Errorf("ConflictException", "Version to be deleted must not be referenced by an alias. Current list of aliases referencing this version: [%s]", strings.Join(users, ", "))
	}
	tx.Delete(versionKey(n.machineARN(), number))
	return nil, nil
}

func eachAlias(rd store.Reader, arn string, f func(*alias)) error {
	table := store.K(store.TableMachine, "alias", arn)
	for _, b := range rd.Scan(table, table.End(), false) {
		a := &alias{}
		if err := json.Unmarshal(b, a); err != nil {
			return err
		}
		f(a)
	}
	return nil
}

// target is what a state machine ARN with or without qualifier leads to.
type target struct {
	head       *head
	revision   string
	versionARN string
	aliasARN   string
	version    *version
}

// resolve finds what an ARN leads to; nil if there is nothing. An alias picks one of its versions by weight.
func resolve(rd store.Reader, n name) (*target, error) {
	h, err := readHead(rd, n.machineARN())
	if err != nil || h == nil {
		return nil, err
	}
	t := &target{head: h, revision: h.Revision}
	q := n.qualifier()
	if q == "" {
		return t, nil
	}
	if _, err := strconv.ParseInt(q, 10, 64); err != nil {
		a, err := readJSON[alias](rd, aliasKey(h.ARN, q))
		if err != nil || a == nil {
			return nil, err
		}
		t.aliasARN = h.ARN + ":" + a.Name
		picked := a.pick()
		q = picked[strings.LastIndexByte(picked, ':')+1:]
	}
	number, err := strconv.ParseInt(q, 10, 64)
	if err != nil {
		return nil, err
	}
	if t.version, err = readJSON[version](rd, versionKey(h.ARN, number)); err != nil || t.version == nil {
		return nil, err
	}
	t.versionARN, t.revision = versionARN(h.ARN, number), t.version.Revision
	return t, nil
}

// pick chooses a version by weight.
func (a *alias) pick() string {
	at := rand.IntN(100)
	for _, r := range a.Routing {
		if at -= r.Weight; at < 0 {
			return r.VersionARN
		}
	}
	return a.Routing[0].VersionARN
}

// checkRouting applies AWS's rules for an alias's routing and returns the machine that all versions belong to.
func checkRouting(routing []route) (machine string, err error) {
	invalid := func(format string, args ...any) (string, error) {
		e := aws.Errorf("ValidationException", format, args...)
		e.Fields = map[string]any{"reason": "INVALID_ROUTING_CONFIGURATION"}
		return "", e
	}
	var arns []string
	var weights []string
	sum := 0
	isVersion := true
	for _, r := range routing {
		n, err := parseType(r.VersionARN, "stateMachine")
		if err != nil {
			return "", err
		}
		_, notNumber := strconv.ParseInt(n.qualifier(), 10, 64)
		isVersion = isVersion && notNumber == nil
		machine = n.machineARN()
		arns, weights, sum = append(arns, r.VersionARN), append(weights, strconv.Itoa(r.Weight)), sum+r.Weight
	}
	switch list := strings.Join(arns, ", "); {
	case !isVersion:
		return invalid("Routing configuration must contain state machine version ARNs. Received: [%s]", list)
	case len(arns) == 2 && arns[0] == arns[1]:
		return invalid("Routing configuration must contain distinct state machine version ARNs. Received: [%s]", list)
	case sum != 100:
		return invalid("Sum of routing configuration weights must equal 100. Received: [%s]", strings.Join(weights, ", "))
	}
	return machine, nil
}

func noResource(arn string) *aws.Error {
	e := aws.Errorf("ResourceNotFound", "Request references a resource that does not exist.")
	e.Fields = map[string]any{"resourceName": arn}
	return e
}

// aliasByRouting is the partition of CreateStateMachineAlias, whose input names the machine only in its versions.
func aliasByRouting(r *aws.Request) (string, error) {
	var in struct{ RoutingConfiguration []route }
	if err := service.Decode(r, &in); err != nil {
		return "", err
	}
	return checkRouting(in.RoutingConfiguration)
}

func versionByARN(r *aws.Request) (string, error) {
	var in struct{ StateMachineVersionArn string }
	if err := service.Decode(r, &in); err != nil {
		return "", err
	}
	n, err := parseType(in.StateMachineVersionArn, "stateMachine")
	return n.machineARNOr(in.StateMachineVersionArn), err
}

func aliasByARN(r *aws.Request) (string, error) {
	var in struct{ StateMachineAliasArn string }
	if err := service.Decode(r, &in); err != nil {
		return "", err
	}
	n, err := parseType(in.StateMachineAliasArn, "stateMachine")
	return n.machineARNOr(in.StateMachineAliasArn), err
}

func (n name) machineARNOr(or string) string {
	if len(n.Tail) == 0 {
		return or
	}
	return n.machineARN()
}

type aliasInput struct {
	StateMachineAliasArn string
	Name                 string
	Description          *string
	RoutingConfiguration []route
}

func (s *Service) createAlias(c *service.Context, tx store.Tx) (any, error) {
	var in aliasInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	arn, err := checkRouting(in.RoutingConfiguration)
	if err != nil {
		return nil, err
	}
	if err := versionsExist(tx, arn, in.RoutingConfiguration); err != nil {
		return nil, err
	}
	a := &alias{Name: in.Name, Routing: in.RoutingConfiguration, Created: c.Now.UnixMilli(), Updated: c.Now.UnixMilli()}
	if in.Description != nil {
		a.Description = *in.Description
	}
	old, err := readJSON[alias](tx, aliasKey(arn, in.Name))
	if err != nil {
		return nil, err
	}
	if old != nil {
		if old.Description != a.Description || !slices.Equal(old.Routing, a.Routing) {
			return nil, aws.Errorf("ConflictException", "Failed to create alias because an alias with the same name and a different routing configuration already exists.")
		}
		a = old
	}
	return map[string]any{"stateMachineAliasArn": arn + ":" + a.Name, "creationDate": epoch(a.Created)}, writeJSON(tx, aliasKey(arn, a.Name), a)
}

func versionsExist(rd store.Reader, arn string, routing []route) error {
	for _, r := range routing {
		n, err := parseType(r.VersionARN, "stateMachine")
		if err != nil {
			return err
		}
		if t, err := resolve(rd, n); err != nil || t == nil || n.machineARN() != arn {
			return cmp.Or[error](err, noResource(r.VersionARN))
		}
	}
	return nil
}

// readAlias finds the alias that an ARN names, or answers that there is none.
func readAlias(c *service.Context, rd store.Reader) (machine string, a *alias, err error) {
	var in aliasInput
	if err := service.Decode(c.Request, &in); err != nil {
		return "", nil, err
	}
	n, err := parseType(in.StateMachineAliasArn, "stateMachine")
	if err != nil {
		return "", nil, err
	}
	a, err = readJSON[alias](rd, aliasKey(n.machineARN(), n.qualifier()))
	if err == nil && a == nil {
		err = noResource(in.StateMachineAliasArn)
	}
	return n.machineARN(), a, err
}

func (s *Service) updateAlias(c *service.Context, tx store.Tx) (any, error) {
	var in aliasInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	arn, a, err := readAlias(c, tx)
	if err != nil {
		return nil, err
	}
	if in.Description == nil && in.RoutingConfiguration == nil {
		return nil, aws.Errorf("ValidationException", "Either the description or the routing configuration must be specified")
	}
	if in.RoutingConfiguration != nil {
		if _, err := checkRouting(in.RoutingConfiguration); err != nil {
			return nil, err
		}
		if err := versionsExist(tx, arn, in.RoutingConfiguration); err != nil {
			return nil, err
		}
		a.Routing = in.RoutingConfiguration
	}
	if in.Description != nil {
		a.Description = *in.Description
	}
	a.Updated = c.Now.UnixMilli()
	return map[string]any{"updateDate": epoch(a.Updated)}, writeJSON(tx, aliasKey(arn, a.Name), a)
}

// deleteAlias answers success for an alias that is not there, as AWS does.
func (s *Service) deleteAlias(c *service.Context, tx store.Tx) (any, error) {
	var in aliasInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	n, err := parseType(in.StateMachineAliasArn, "stateMachine")
	if err == nil {
		tx.Delete(aliasKey(n.machineARN(), n.qualifier()))
	}
	return nil, err
}

func (s *Service) describeAlias(c *service.Context, rd store.Reader) (any, error) {
	arn, a, err := readAlias(c, rd)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"stateMachineAliasArn": arn + ":" + a.Name, "name": a.Name, "routingConfiguration": a.Routing,
		"creationDate": epoch(a.Created), "updateDate": epoch(a.Updated)}
	if a.Description != "" {
		out["description"] = a.Description
	}
	return out, nil
}

func (s *Service) listAliases(c *service.Context, rd store.Reader) (any, error) {
	var in struct {
		StateMachineArn string
		MaxResults      int
		NextToken       *string
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	n, err := parseType(in.StateMachineArn, "stateMachine")
	if err != nil {
		return nil, err
	}
	t, err := resolve(rd, n)
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, noMachine(in.StateMachineArn)
	}
	after, err := decodePage(in.NextToken)
	if err != nil {
		return nil, err
	}
	list := []map[string]any{}
	out := map[string]any{}
	err = eachAlias(rd, n.machineARN(), func(a *alias) {
		uses := t.versionARN == "" || slices.ContainsFunc(a.Routing, func(r route) bool { return r.VersionARN == t.versionARN })
		switch {
		case !uses || a.Name <= after && after != "" || out["nextToken"] != nil:
		case len(list) == pageSize(in.MaxResults):
			last := fmt.Sprint(list[len(list)-1]["stateMachineAliasArn"])
			out["nextToken"] = encodePage(last[strings.LastIndexByte(last, ':')+1:])
		default:
			list = append(list, map[string]any{"stateMachineAliasArn": t.head.ARN + ":" + a.Name, "creationDate": epoch(a.Created)})
		}
	})
	out["stateMachineAliases"] = list
	return out, err
}
