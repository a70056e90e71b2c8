package lambda

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/lambda/source"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// mapping is an event source mapping as it is stored, in the partition of the account's functions under
// TableMapping ACCOUNT REGION UUID. V is the format: 1.
type mapping struct {
	V               int
	Account, Region string
	UUID            string
	Function        identity
	Qualifier       string
	Source          string // the queue's ARN, as it was given
	Enabled         bool
	BatchSize       int
	WindowSeconds   int
	Concurrency     int      // ScalingConfig.MaximumConcurrency; 0: not given
	Filters         []string // patterns; a message passes if one of them matches
	ItemFailures    bool     // ReportBatchItemFailures
	KMSKeyArn       string
	Tags            map[string]string
	Modified        time.Time
}

func mappingsKey(account, region string) store.Key {
	return store.K(store.TableMapping, account, region)
}

func (m *mapping) key() store.Key { return mappingsKey(m.Account, m.Region).Str(m.UUID) }

func (m *mapping) functionARN() string { return qualify(m.Function.arn(), m.Qualifier) }

func (m *mapping) arn() string {
	return aws.ARN{Service: "lambda", Region: m.Region, Account: m.Account, Resource: "event-source-mapping:" + m.UUID}.String()
}

func (m *mapping) fifo() bool { return strings.HasSuffix(m.Source, ".fifo") }

// answer is AWS's EventSourceMappingConfiguration; state is "" for the state that the mapping is in.
func (m *mapping) answer(state string) any {
	if state == "" {
		state = map[bool]string{true: "Enabled", false: "Disabled"}[m.Enabled]
	}
	types := []string{}
	if m.ItemFailures {
		types = append(types, reportItemFailures)
	}
	out := map[string]any{
		"UUID": m.UUID, "EventSourceMappingArn": m.arn(), "EventSourceArn": m.Source, "FunctionArn": m.functionARN(),
		"BatchSize": m.BatchSize, "MaximumBatchingWindowInSeconds": m.WindowSeconds, "FunctionResponseTypes": types,
		"LastModified": float64(m.Modified.UnixMilli()) / 1000, "State": state, "StateTransitionReason": "USER_INITIATED",
	}
	if m.Concurrency > 0 {
		out["ScalingConfig"] = map[string]int{"MaximumConcurrency": m.Concurrency}
	}
	if len(m.Filters) > 0 {
		var filters []map[string]string
		for _, f := range m.Filters {
			filters = append(filters, map[string]string{"Pattern": f})
		}
		out["FilterCriteria"] = map[string]any{"Filters": filters}
	}
	if m.KMSKeyArn != "" {
		out["KMSKeyArn"] = m.KMSKeyArn
	}
	return out
}

const reportItemFailures = "ReportBatchItemFailures"

type mappingInput struct {
	UUID, FunctionName, EventSourceArn        string
	Enabled                                   *bool
	BatchSize, MaximumBatchingWindowInSeconds *int
	ScalingConfig                             *struct{ MaximumConcurrency int }
	FilterCriteria                            *struct{ Filters []struct{ Pattern string } }
	FunctionResponseTypes                     *[]string
	KMSKeyArn                                 *string
	Tags                                      map[string]string

	others
}

// others are the members that concern other sources than queues, or that Newel does not have.
type others struct {
	StartingPosition, StartingPositionTimestamp, DestinationConfig, Topics, Queues, SourceAccessConfigurations,
	SelfManagedEventSource, MaximumRecordAgeInSeconds, MaximumRetryAttempts, ParallelizationFactor, TumblingWindowInSeconds,
	BisectBatchOnFunctionError, AmazonManagedKafkaEventSourceConfig, SelfManagedKafkaEventSourceConfig,
	DocumentDBEventSourceConfig, ProvisionedPollerConfig, MetricsConfig, LoggingConfig json.RawMessage
}

func (o *others) given() string {
	b, _ := json.Marshal(o)
	var all map[string]json.RawMessage
	_ = json.Unmarshal(b, &all) // it was just made
	for _, name := range slices.Sorted(maps.Keys(all)) {
		switch string(all[name]) {
		case "null", "{}", "[]", `""`, "false":
		default:
			return name
		}
	}
	return ""
}

// apply checks what is given and puts it into a mapping.
func (in *mappingInput) apply(m *mapping) error {
	if name := in.given(); name != "" {
		return unsupported("the member " + name + " of event source mappings")
	}
	for _, n := range []struct {
		name      string
		value     *int
		into      *int
		low, high int
	}{
		{"batchSize", in.BatchSize, &m.BatchSize, 1, 10000}, {"maximumBatchingWindowInSeconds", in.MaximumBatchingWindowInSeconds, &m.WindowSeconds, 0, 300},
	} {
		if n.value == nil {
			continue
		}
		if *n.value < n.low || *n.value > n.high {
			return constraint(n.name, *n.value, "Member must have value between %d and %d", n.low, n.high)
		}
		*n.into = *n.value
	}
	switch {
	case m.fifo() && m.BatchSize > receiveMax:
		return invalid("Invalid request provided: Maximum batch size for FIFO queues is %d.", receiveMax)
	case m.fifo() && m.WindowSeconds > 0:
		return invalid("Batching window is not supported for FIFO queues.")
	case m.BatchSize > receiveMax && m.WindowSeconds == 0:
		return invalid("Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than %d", receiveMax)
	}
	if in.Enabled != nil {
		m.Enabled = *in.Enabled
	}
	if in.KMSKeyArn != nil {
		m.KMSKeyArn = *in.KMSKeyArn
	}
	return in.applyLists(m)
}

func (in *mappingInput) applyLists(m *mapping) error {
	if s := in.ScalingConfig; s != nil {
		if n := s.MaximumConcurrency; n != 0 && (n < 2 || n > 1000) {
			return constraint("scalingConfig.maximumConcurrency", n, "Member must have value between 2 and 1000")
		}
		m.Concurrency = s.MaximumConcurrency
	}
	if in.FunctionResponseTypes != nil {
		m.ItemFailures = false
		for _, t := range *in.FunctionResponseTypes {
			if t != reportItemFailures {
				return constraint("functionResponseTypes", "["+t+"]", "Member must satisfy constraint: [Member must satisfy enum value set: [ReportBatchItemFailures]]")
			}
			m.ItemFailures = true
		}
	}
	if in.FilterCriteria == nil {
		return nil
	}
	m.Filters = nil
	for _, f := range in.FilterCriteria.Filters {
		if _, err := source.ParseFilters([]string{f.Pattern}); err != nil {
			return invalid("Invalid filter pattern definition. %v", err)
		}
		m.Filters = append(m.Filters, f.Pattern)
	}
	return nil
}

func (s *Service) createMapping(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in mappingInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if a, ok := aws.ParseARN(in.EventSourceArn); !ok || a.Service != "sqs" {
		return nil, unsupported("event sources other than SQS queues: " + cmp.Or(in.EventSourceArn, "EventSourceArn is missing"))
	}
	m := &mapping{Account: c.Account, Region: c.Region, UUID: aws.NewUUID(), Source: in.EventSourceArn, Enabled: true, BatchSize: 10, Tags: in.Tags, Modified: c.Now}
	if err := in.apply(m); err != nil {
		return nil, err
	}
	timeout, err := s.visibility(ctx, m)
	if err != nil {
		return nil, sourceProblem(err)
	}
	out, err := s.Update(ctx, c, s.PartitionOf(c.Account, c.Region, ""), func(c *service.Context, tx store.Tx) (any, error) {
		f, err := mappedFunction(c, tx, in.FunctionName, m)
		if err != nil {
			return nil, err
		}
		if timeout < time.Duration(f.Timeout)*time.Second {
			return nil, invalid("Queue visibility timeout: %d seconds is less than Function timeout: %d seconds", int(timeout.Seconds()), f.Timeout)
		}
		others, err := mappings(tx, c.Account, c.Region)
		if err != nil {
			return nil, err
		}
		for _, o := range others {
			if o.Source == m.Source && o.Function == m.Function && o.Qualifier == m.Qualifier {
				return nil, fail("ResourceConflictException", 409, "The event source arn (\" %s \") and function (\" %s \") provided mapping already exists. Please update or delete the existing mapping with UUID %s",
					m.Source, m.Function.Name, o.UUID)
			}
		}
		c.After = append(c.After, func() { s.pollers.refresh(m.Account, m.Region, m.UUID) })
		return m.answer("Creating"), putMapping(tx, m)
	})
	if err != nil {
		return nil, service.Wire(err)
	}
	return &aws.Output{Value: out}, nil
}

// mappedFunction finds the function of a mapping and notes it there.
func mappedFunction(c *service.Context, rd store.Reader, name string, m *mapping) (*record, error) {
	id, q, err := target(c, name, "")
	if err != nil {
		return nil, err
	}
	f, err := get(rd, id)
	if err != nil {
		return nil, err
	}
	if f == nil {
		return nil, invalid("Function does not exist")
	}
	if f, err = resolve(rd, f, q, mainVersion); err != nil {
		return nil, err
	}
	m.Function, m.Qualifier = id, q
	return f, nil
}

func sourceProblem(err error) error {
	var e *aws.Error
	if !errors.As(err, &e) || e.Fault {
		return service.Wire(err)
	}
	return invalid("Error occurred while ReceiveMessage. SQS Error Code: %s. SQS Error Message: %s", cmp.Or(e.QueryCode, e.Code), e.Message)
}

// visibility is the visibility timeout of a mapping's queue.
func (s *Service) visibility(ctx context.Context, m *mapping) (time.Duration, error) {
	var out struct{ Attributes map[string]string }
	err := s.pollers.call(ctx, m, "GetQueueAttributes", map[string]any{"AttributeNames": []string{"VisibilityTimeout"}}, &out)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(out.Attributes["VisibilityTimeout"])
	return time.Duration(n) * time.Second, err
}

func putMapping(tx store.Tx, m *mapping) error {
	m.V = 1
	b, err := json.Marshal(m)
	if err == nil {
		tx.Set(m.key(), b)
	}
	return err
}

func mappings(rd store.Reader, account, region string) ([]*mapping, error) {
	var list []*mapping
	all := mappingsKey(account, region)
	for _, b := range rd.Scan(all, all.End(), false) {
		m := new(mapping)
		if err := json.Unmarshal(b, m); err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}

// getMapping reads a mapping; nil if there is none.
func getMapping(rd store.Reader, account, region, uuid string) (*mapping, error) {
	b, err := rd.Get(mappingsKey(account, region).Str(uuid))
	if err != nil || b == nil {
		return nil, err
	}
	m := new(mapping)
	return m, json.Unmarshal(b, m)
}

func needMapping(c *service.Context, rd store.Reader, uuid string) (*mapping, error) {
	m, err := getMapping(rd, c.Account, c.Region, uuid)
	if err == nil && m == nil {
		err = fail("ResourceNotFoundException", 404, "The resource you requested does not exist.")
	}
	return m, err
}

func getEventSourceMapping(c *service.Context, rd store.Reader) (any, error) {
	var in mappingInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	m, err := needMapping(c, rd, in.UUID)
	if err != nil {
		return nil, err
	}
	return m.answer(""), nil
}

func (s *Service) updateMapping(c *service.Context, tx store.Tx) (any, error) {
	var in mappingInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	m, err := needMapping(c, tx, in.UUID)
	if err != nil {
		return nil, err
	}
	was := m.Enabled
	if in.FunctionName != "" {
		if _, err = mappedFunction(c, tx, in.FunctionName, m); err != nil {
			return nil, err
		}
	}
	if err = in.apply(m); err != nil {
		return nil, err
	}
	m.Modified = c.Now
	c.After = append(c.After, func() { s.pollers.refresh(m.Account, m.Region, m.UUID) })
	state := "Updating"
	switch {
	case was && !m.Enabled:
		state = "Disabling"
	case m.Enabled && !was:
		state = "Enabling"
	}
	return m.answer(state), putMapping(tx, m)
}

func (s *Service) deleteMapping(c *service.Context, tx store.Tx) (any, error) {
	var in mappingInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	m, err := needMapping(c, tx, in.UUID)
	if err != nil {
		return nil, err
	}
	tx.Delete(m.key())
	c.After = append(c.After, func() { s.pollers.refresh(m.Account, m.Region, m.UUID) })
	return m.answer("Deleting"), nil
}

func listEventSourceMappings(c *service.Context, rd store.Reader) (any, error) {
	var in struct {
		EventSourceArn, FunctionName, Marker string
		MaxItems                             int
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	var id identity
	var q string
	if in.FunctionName != "" {
		var err error
		if id, q, err = target(c, in.FunctionName, ""); err != nil {
			return nil, err
		}
	}
	all, err := mappings(rd, c.Account, c.Region)
	if err != nil {
		return nil, err
	}
	size := 100
	if in.MaxItems > 0 {
		size = min(size, in.MaxItems)
	}
	page, last := []any{}, ""
	out := map[string]any{}
	for _, m := range all {
		if m.UUID <= in.Marker || in.EventSourceArn != "" && m.Source != in.EventSourceArn ||
			in.FunctionName != "" && (m.Function != id || q != "" && m.Qualifier != q) {
			continue
		}
		if len(page) == size {
			out["NextMarker"] = last
			break
		}
		page, last = append(page, m.answer("")), m.UUID
	}
	out["EventSourceMappings"] = page
	return out, nil
}
