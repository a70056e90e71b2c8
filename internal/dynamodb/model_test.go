package dynamodb_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"sort"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// row is the model's item: S hash key h, N range key r, an N attribute v that may be absent and an S attribute g, which
// together are the keys of the index byG.
type row struct{ h, r, v, g string }

func (r row) json() string {
	s := fmt.Sprintf(`{"h":{"S":%s},"r":{"N":%q}`, quoted(r.h), r.r)
	if r.v != "" {
		s += fmt.Sprintf(`,"v":{"N":%q}`, r.v)
	}
	if r.g != "" {
		s += fmt.Sprintf(`,"g":{"S":%q}`, r.g)
	}
	return s + "}"
}

func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func compare(a, b string) int {
	x, _ := new(big.Rat).SetString(a)
	y, _ := new(big.Rat).SetString(b)
	return x.Cmp(y)
}

var (
	hashes  = rapid.SampledFrom([]string{"a", "a\u0000", "b", "ab"})
	numbers = rapid.SampledFrom([]string{"0", "-1", "1", "10", "9", "-0.5", "0.25", "-10", "100000000000000000000", "0.000001"})
	groups  = rapid.SampledFrom([]string{"", "x", "y"})
	values  = rapid.SampledFrom([]string{"", "1", "2", "-3", "30"})
)

// model is the table as it should be, beside the table as it is.
type model struct {
	w    *world
	rows map[[2]string]row
}

const modelTable = `{"TableName":"model","BillingMode":"PAY_PER_REQUEST",
 "AttributeDefinitions":[{"AttributeName":"h","AttributeType":"S"},{"AttributeName":"r","AttributeType":"N"},{"AttributeName":"g","AttributeType":"S"},{"AttributeName":"v","AttributeType":"N"}],
 "KeySchema":[{"AttributeName":"h","KeyType":"HASH"},{"AttributeName":"r","KeyType":"RANGE"}],
 "GlobalSecondaryIndexes":[{"IndexName":"byG","KeySchema":[{"AttributeName":"g","KeyType":"HASH"},{"AttributeName":"v","KeyType":"RANGE"}],"Projection":{"ProjectionType":"ALL"}}],
 "LocalSecondaryIndexes":[{"IndexName":"byV","KeySchema":[{"AttributeName":"h","KeyType":"HASH"},{"AttributeName":"v","KeyType":"RANGE"}],"Projection":{"ProjectionType":"ALL"}}]}`

// TestModel runs random writes, queries and scans against a model that is a Go map.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{newWorld(t), map[[2]string]row{}}
		m.must(rt, "CreateTable", modelTable)
		rt.Repeat(map[string]func(*rapid.T){
			"put": m.put, "update": m.update, "delete": m.delete, "transact": m.transact,
			"query": m.query, "queryIndex": m.queryIndex, "scan": m.scan,
			"": m.counts,
		})
	})
}

func (m *model) must(t *rapid.T, operation, input string) string {
	out, err := m.w.call(operation, input)
	if err != nil {
		t.Fatalf("%s %s: %v", operation, input, err)
	}
	return out
}

func (m *model) draw(t *rapid.T) row {
	return row{hashes.Draw(t, "h"), numbers.Draw(t, "r"), values.Draw(t, "v"), groups.Draw(t, "g")}
}

func (m *model) put(t *rapid.T) {
	r := m.draw(t)
	_, there := m.rows[[2]string{r.h, r.r}]
	if rapid.Bool().Draw(t, "only if new") {
		_, err := m.w.call("PutItem", `{"TableName":"model","Item":`+r.json()+`,"ConditionExpression":"attribute_not_exists(h)"}`)
		if (err != nil) != there {
			t.Fatalf("put of %v, there %t: %v", r, there, err)
		}
		if there {
			return
		}
	} else {
		m.must(t, "PutItem", `{"TableName":"model","Item":`+r.json()+`}`)
	}
	m.rows[[2]string{r.h, r.r}] = r
}

func key(r row) string { return row{h: r.h, r: r.r}.json() }

func (m *model) update(t *rapid.T) {
	r := m.draw(t)
	old := m.rows[[2]string{r.h, r.r}]
	clauses, params := []string{}, []string{}
	if r.v == "" {
		clauses = append(clauses, "REMOVE v")
		old.v = ""
	} else {
		clauses = append(clauses, "SET v = :v")
		params = append(params, fmt.Sprintf(`":v":{"N":%q}`, r.v))
		old.v = r.v
	}
	input := `{"TableName":"model","Key":` + key(r) + `,"UpdateExpression":"` + strings.Join(clauses, " ") + `"`
	if len(params) > 0 {
		input += `,"ExpressionAttributeValues":{` + strings.Join(params, ",") + `}`
	}
	m.must(t, "UpdateItem", input+`}`)
	old.h, old.r = r.h, r.r
	m.rows[[2]string{r.h, r.r}] = old
}

func (m *model) delete(t *rapid.T) {
	r := m.draw(t)
	out := m.must(t, "DeleteItem", `{"TableName":"model","Key":`+key(r)+`,"ReturnValues":"ALL_OLD"}`)
	if _, there := m.rows[[2]string{r.h, r.r}]; there != strings.Contains(out, "Attributes") {
		t.Fatalf("delete of %v: %s", r, out)
	}
	delete(m.rows, [2]string{r.h, r.r})
}

// transact puts one row and deletes another, if a third exists.
func (m *model) transact(t *rapid.T) {
	put, del, check := m.draw(t), m.draw(t), m.draw(t)
	ids := map[[2]string]bool{{put.h, put.r}: true, {del.h, del.r}: true, {check.h, check.r}: true}
	_, there := m.rows[[2]string{check.h, check.r}]
	_, err := m.w.call("TransactWriteItems", `{"TransactItems":[{"Put":{"TableName":"model","Item":`+put.json()+`}},{"Delete":{"TableName":"model","Key":`+key(del)+
		`}},{"ConditionCheck":{"TableName":"model","Key":`+key(check)+`,"ConditionExpression":"attribute_exists(h)"}}]}`)
	if want := len(ids) == 3 && there; want != (err == nil) {
		t.Fatalf("transaction on %v, check there %t: %v", ids, there, err)
	}
	if err == nil {
		delete(m.rows, [2]string{del.h, del.r})
		m.rows[[2]string{put.h, put.r}] = put
	}
}

// pages reads all pages of a Query or Scan and gives the rows in order.
func (m *model) pages(t *rapid.T, operation, input string) []row {
	var rows []row
	limit := rapid.IntRange(1, 4).Draw(t, "limit")
	start := ""
	for range 1000 {
		out := m.must(t, operation, fmt.Sprintf(`{"TableName":"model","Limit":%d%s%s}`, limit, start, input))
		var p struct {
			Items               []map[string]map[string]string
			Count, ScannedCount int
			LastEvaluatedKey    json.RawMessage
		}
		if err := json.Unmarshal([]byte(out), &p); err != nil {
			t.Fatal(err)
		}
		if len(p.Items) != p.Count || p.ScannedCount > limit {
			t.Fatalf("counts of %s", out)
		}
		for _, it := range p.Items {
			rows = append(rows, row{it["h"]["S"], it["r"]["N"], it["v"]["N"], it["g"]["S"]})
		}
		if p.LastEvaluatedKey == nil {
			return rows
		}
		start = `,"ExclusiveStartKey":` + string(p.LastEvaluatedKey)
	}
	t.Fatal("paging does not end")
	return nil
}

// condition draws a condition on a number attribute: its text, its values and what it means.
func condition(t *rapid.T, name string) (text, params string, holds func(string) bool) {
	lo, hi := numbers.Draw(t, "lo"), numbers.Draw(t, "hi")
	if compare(lo, hi) > 0 {
		lo, hi = hi, lo
	}
	params = fmt.Sprintf(`,":lo":{"N":%q}`, lo)
	switch op := rapid.SampledFrom([]string{"", "=", "<", "<=", ">", ">=", "BETWEEN"}).Draw(t, "op"); op {
	case "":
		return "", "", func(string) bool { return true }
	case "BETWEEN":
		return " AND " + name + " BETWEEN :lo AND :hi", params + fmt.Sprintf(`,":hi":{"N":%q}`, hi),
			func(v string) bool { return compare(v, lo) >= 0 && compare(v, hi) <= 0 }
	default:
		return " AND " + name + " " + op + " :lo", params, func(v string) bool {
			c := compare(v, lo)
			return map[string]bool{"=": c == 0, "<": c < 0, "<=": c <= 0, ">": c > 0, ">=": c >= 0}[op]
		}
	}
}

func (m *model) query(t *rapid.T) {
	h := hashes.Draw(t, "h")
	text, params, holds := condition(t, "r")
	forward := rapid.Bool().Draw(t, "forward")
	got := m.pages(t, "Query", fmt.Sprintf(`,"KeyConditionExpression":"h = :h%s","ExpressionAttributeValues":{":h":{"S":%s}%s},"ScanIndexForward":%t`, text, quoted(h), params, forward))
	var want []row
	for _, r := range m.rows {
		if r.h == h && holds(r.r) {
			want = append(want, r)
		}
	}
	slices.SortFunc(want, func(a, b row) int { return compare(a.r, b.r) })
	if !forward {
		slices.Reverse(want)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("query h=%q%s %s forward %t\ngot  %v\nwant %v", h, text, params, forward, got, want)
	}
}

// queryIndex checks the rows and that v never goes the wrong way; equal ones have no order.
func (m *model) queryIndex(t *rapid.T) {
	index, hash := "byG", rapid.SampledFrom([]string{"x", "y"}).Draw(t, "g")
	of := func(r row) string { return r.g }
	name := "g"
	if rapid.Bool().Draw(t, "local") {
		index, hash, name = "byV", hashes.Draw(t, "h"), "h"
		of = func(r row) string { return r.h }
	}
	text, params, holds := condition(t, "v")
	forward := rapid.Bool().Draw(t, "forward")
	got := m.pages(t, "Query", fmt.Sprintf(`,"IndexName":%q,"KeyConditionExpression":"%s = :h%s","ExpressionAttributeValues":{":h":{"S":%s}%s},"ScanIndexForward":%t`,
		index, name, text, quoted(hash), params, forward))
	for i := 1; i < len(got); i++ {
		if c := compare(got[i-1].v, got[i].v); forward && c > 0 || !forward && c < 0 {
			t.Fatalf("order of %v", got)
		}
	}
	var want []row
	for _, r := range m.rows {
		if of(r) == hash && r.v != "" && holds(r.v) {
			want = append(want, r)
		}
	}
	same(t, got, want)
}

func same(t *rapid.T, got, want []row) {
	for _, l := range [][]row{got, want} {
		sort.Slice(l, func(i, j int) bool { return fmt.Sprint(l[i]) < fmt.Sprint(l[j]) })
	}
	if !slices.Equal(got, want) {
		t.Fatalf("got  %v\nwant %v", got, want)
	}
}

func (m *model) scan(t *rapid.T) {
	total := rapid.IntRange(1, 5).Draw(t, "segments")
	filter := ""
	keep := func(row) bool { return true }
	if rapid.Bool().Draw(t, "filter") {
		filter = `,"FilterExpression":"attribute_exists(v) AND g = :g","ExpressionAttributeValues":{":g":{"S":"x"}}`
		keep = func(r row) bool { return r.v != "" && r.g == "x" }
	}
	var got, want []row
	for i := range total {
		got = append(got, m.pages(t, "Scan", fmt.Sprintf(`,"Segment":%d,"TotalSegments":%d%s`, i, total, filter))...)
	}
	for _, r := range m.rows {
		if keep(r) {
			want = append(want, r)
		}
	}
	same(t, got, want)
}

// counts compares the table's counters after every step.
func (m *model) counts(t *rapid.T) {
	var d struct {
		Table struct{ ItemCount, TableSizeBytes int }
	}
	if err := json.Unmarshal([]byte(m.must(t, "DescribeTable", `{"TableName":"model"}`)), &d); err != nil {
		t.Fatal(err)
	}
	size := 0
	for _, r := range m.rows {
		out := m.must(t, "GetItem", `{"TableName":"model","Key":`+key(r)+`}`)
		if want := `{"Item":` + r.json() + `}`; !sameJSON(out, want) {
			t.Fatalf("item is %s, want %s", out, want)
		}
		size += 1 + len(r.h) + 1 + numberBytes(r.r)
		if r.v != "" {
			size += 1 + numberBytes(r.v)
		}
		if r.g != "" {
			size += 1 + len(r.g)
		}
	}
	if d.Table.ItemCount != len(m.rows) || d.Table.TableSizeBytes != size {
		t.Fatalf("counters %+v, want %d items of %d bytes", d.Table, len(m.rows), size)
	}
}

// numberBytes are the sizes of the model's numbers, by the Developer Guide's rule.
func numberBytes(n string) int {
	return map[string]int{"0": 1, "-1": 3, "1": 2, "10": 2, "9": 2, "-0.5": 3, "0.25": 2, "-10": 3, "100000000000000000000": 2, "0.000001": 2,
		"2": 2, "-3": 3, "30": 2}[n]
}

func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && fmt.Sprint(x) == fmt.Sprint(y)
}
