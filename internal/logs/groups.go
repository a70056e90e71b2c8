package logs

import (
	"context"
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

func (l *logs) createGroup(c *service.Context, tx store.Tx) (any, error) {
	var in struct {
		LogGroupName              string            `json:"logGroupName"`
		KmsKeyID                  string            `json:"kmsKeyId"`
		Tags                      map[string]string `json:"tags"`
		LogGroupClass             string            `json:"logGroupClass"`
		DeletionProtectionEnabled bool              `json:"deletionProtectionEnabled"`
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	switch in.LogGroupClass {
	case "":
		in.LogGroupClass = "STANDARD"
	case "STANDARD", "INFREQUENT_ACCESS", "DELIVERY":
	default:
		return nil, constraint("'"+in.LogGroupClass+"'", "logGroupClass", "Member must satisfy enum value set: [STANDARD, INFREQUENT_ACCESS, DELIVERY]")
	}
	if in.DeletionProtectionEnabled {
		return nil, unsupported("deletionProtectionEnabled")
	}
	name, err := groupKey(c.Request)
	if err != nil {
		return nil, err
	}
	a := address{c.Account, c.Region, name}
	there, err := tx.Get(a.key(rowGroup))
	if err != nil {
		return nil, err
	}
	if there != nil {
		return nil, aws.Errorf("ResourceAlreadyExistsException", "The specified log group already exists")
	}
	g := group{Version: recordVersion, Created: c.Now.UnixMilli(), KmsKeyID: in.KmsKeyID, Class: in.LogGroupClass, Tags: in.Tags}
	if err := l.usable(c, g); err != nil {
		return nil, err
	}
	return nil, set(tx, a.key(rowGroup), g)
}

func (l *logs) deleteGroup(c *service.Context, tx store.Tx) (any, error) {
	a, _, err := l.find(c, tx)
	if err != nil {
		return nil, err
	}
	for _, kind := range []byte{rowGroup, rowCount, rowStream, rowEvent, rowOrder} {
		tx.DeleteRange(a.key(kind), a.key(kind).End())
	}
	return nil, nil
}

var retentionDays = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

func (l *logs) putRetention(c *service.Context, tx store.Tx) (any, error) {
	var in struct {
		RetentionInDays *int `json:"retentionInDays"`
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if in.RetentionInDays == nil {
		return nil, constraint("null", "retentionInDays", "Member must not be null")
	}
	if !slices.Contains(retentionDays, *in.RetentionInDays) {
		var list []string
		for _, d := range retentionDays {
			list = append(list, strconv.Itoa(d))
		}
		return nil, constraint("'"+strconv.Itoa(*in.RetentionInDays)+"'", "retentionInDays",
			"Member must satisfy enum value set: ["+strings.Join(list, ", ")+"]")
	}
	return nil, l.change(c, tx, func(g *group) { g.Retention = *in.RetentionInDays })
}

func (l *logs) deleteRetention(c *service.Context, tx store.Tx) (any, error) {
	return nil, l.change(c, tx, func(g *group) { g.Retention = 0 })
}

// change rewrites the record of the group that a request names.
func (l *logs) change(c *service.Context, tx store.Tx, fn func(*group)) error {
	a, g, err := l.find(c, tx)
	if err != nil {
		return err
	}
	fn(g)
	return set(tx, a.key(rowGroup), g)
}

func (l *logs) tagGroup(c *service.Context, tx store.Tx) (any, error) {
	var in struct {
		Tags map[string]string `json:"tags"`
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	return nil, l.change(c, tx, func(g *group) {
		if g.Tags == nil {
			g.Tags = map[string]string{}
		}
		maps.Copy(g.Tags, in.Tags)
	})
}

func (l *logs) untagGroup(c *service.Context, tx store.Tx) (any, error) {
	var in struct {
		Tags    []string `json:"tags"`    // UntagLogGroup
		TagKeys []string `json:"tagKeys"` // UntagResource
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	return nil, l.change(c, tx, func(g *group) {
		for _, k := range append(in.Tags, in.TagKeys...) {
			delete(g.Tags, k)
		}
	})
}

func (l *logs) listTags(c *service.Context, rd store.Reader) (any, error) {
	_, g, err := l.find(c, rd)
	if err != nil {
		return nil, err
	}
	tags := g.Tags
	if tags == nil {
		tags = map[string]string{}
	}
	return map[string]any{"tags": tags}, nil
}

type describedGroup struct {
	Name              string `json:"logGroupName"`
	CreationTime      int64  `json:"creationTime"`
	RetentionInDays   int    `json:"retentionInDays,omitempty"`
	MetricFilterCount int    `json:"metricFilterCount"`
	ARN               string `json:"arn"`
	StoredBytes       uint64 `json:"storedBytes"`
	KmsKeyID          string `json:"kmsKeyId,omitempty"`
	Class             string `json:"logGroupClass"`
	GroupARN          string `json:"logGroupArn"`
}

const describeMax = 50

// page cuts a list that is sorted by name; a token is base64 of the last name given.
func page[T any](list []T, name func(T) string, limit *int, token string) ([]T, string, error) {
	n := describeMax
	if limit != nil {
		if n = *limit; n < 1 || n > describeMax {
			return nil, "", constraint("'"+strconv.Itoa(n)+"'", "limit", "Member must have value between 1 and 50")
		}
	}
	if token != "" {
		after, err := base64.URLEncoding.DecodeString(token)
		i := slices.IndexFunc(list, func(t T) bool { return name(t) == string(after) })
		if err != nil || i < 0 {
			return nil, "", invalid("The specified nextToken is invalid.")
		}
		list = list[i+1:]
	}
	if len(list) <= n {
		return list, "", nil
	}
	list = list[:n]
	return list, base64.URLEncoding.EncodeToString([]byte(name(list[n-1]))), nil
}

// groupQuery is a DescribeLogGroups request.
type groupQuery struct {
	Prefix      string   `json:"logGroupNamePrefix"`
	Pattern     string   `json:"logGroupNamePattern"`
	Class       string   `json:"logGroupClass"`
	Identifiers []string `json:"logGroupIdentifiers"`
	Limit       *int     `json:"limit"`
	NextToken   string   `json:"nextToken"`
}

func (q *groupQuery) wants(name string, g *group) bool {
	named := slices.ContainsFunc(q.Identifiers, func(id string) bool { return nameOf(id) == name })
	return strings.HasPrefix(name, q.Prefix) && strings.Contains(strings.ToLower(name), strings.ToLower(q.Pattern)) &&
		(q.Class == "" || q.Class == g.Class) && (len(q.Identifiers) == 0 || named)
}

// collect appends the wanted groups of one partition.
func (q *groupQuery) collect(rd store.Reader, account, region string, list []describedGroup) ([]describedGroup, error) {
	prefix := append(store.K(store.TableLogs), rowGroup).Str(account).Str(region)
	for k, v := range rd.Scan(prefix, prefix.End(), false) {
		name, _, ok := store.CutStr(k[len(prefix):])
		g, err := decodeGroup(v)
		if err != nil || !ok {
			return nil, errCorrupt
		}
		if !q.wants(name, g) {
			continue
		}
		a := address{account, region, name}
		count, err := a.counters(rd)
		if err != nil {
			return nil, err
		}
		list = append(list, describedGroup{name, g.Created, g.Retention, 0, a.arn() + ":*", count.bytes, g.KmsKeyID, g.Class, a.arn()})
	}
	return list, nil
}

func (l *logs) describeGroups(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in groupQuery
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if in.Prefix != "" && in.Pattern != "" {
		return nil, invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
	}
	var all []describedGroup
	for p := range l.env.Store.Partitions() {
		err := l.env.Store.View(ctx, store.Partition(p), func(rd store.Reader) (err error) {
			all, err = in.collect(rd, c.Account, c.Region, all)
			return err
		})
		if err != nil {
			return nil, service.Wire(err)
		}
	}
	slices.SortFunc(all, func(x, y describedGroup) int { return strings.Compare(x.Name, y.Name) })
	list, next, err := page(all, func(g describedGroup) string { return g.Name }, in.Limit, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"logGroups": append([]describedGroup{}, list...)}
	if next != "" {
		out["nextToken"] = next
	}
	return service.Answer(out), nil
}
