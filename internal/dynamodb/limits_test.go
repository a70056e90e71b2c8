package dynamodb_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/newel-run/newel/internal/aws"
)

const plainTable = `{"TableName":"plain","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}]}`

func plain(t testing.TB) *world {
	w := newWorld(t)
	w.must(t, "CreateTable", plainTable)
	return w
}

func (w *world) must(t testing.TB, operation, input string) string {
	t.Helper()
	out, err := w.call(operation, input)
	if err != nil {
		t.Fatalf("%s %.200s: %v", operation, input, err)
	}
	return out
}

func (w *world) refused(t testing.TB, operation, input, want string) {
	t.Helper()
	if out, err := w.call(operation, input); err == nil || !strings.Contains(err.Error(), want) {
		t.Fatalf("%s gave %.200s, %v; want %s", operation, out, err, want)
	}
}

func item(id string, size int) string {
	return fmt.Sprintf(`{"id":{"S":%q},"x":{"S":%q}}`, id, strings.Repeat("x", size-len("id")-len(id)-len("x")))
}

func TestItemsUpTo400KB(t *testing.T) {
	w := plain(t)
	w.must(t, "PutItem", `{"TableName":"plain","Item":`+item("a", 400<<10)+`}`)
	w.refused(t, "PutItem", `{"TableName":"plain","Item":`+item("a", 400<<10+1)+`}`, "ValidationException: Item size has exceeded the maximum allowed size")
	w.refused(t, "UpdateItem", `{"TableName":"plain","Key":{"id":{"S":"a"}},"UpdateExpression":"SET y = :y","ExpressionAttributeValues":{":y":{"S":""}}}`,
		"ValidationException: Item size to update has exceeded the maximum allowed size")
}

func TestPagesEndAtOneMegabyte(t *testing.T) {
	w := plain(t)
	for i := range 10 {
		w.must(t, "PutItem", `{"TableName":"plain","Item":`+item(fmt.Sprint(i), 300<<10)+`}`)
	}
	start, seen, sizes := "", 0, []int{}
	for {
		var p struct {
			Count            int
			LastEvaluatedKey json.RawMessage
		}
		if err := json.Unmarshal([]byte(w.must(t, "Scan", `{"TableName":"plain","Select":"COUNT"`+start+`}`)), &p); err != nil {
			t.Fatal(err)
		}
		seen += p.Count
		sizes = append(sizes, p.Count)
		if p.LastEvaluatedKey == nil {
			break
		}
		start = `,"ExclusiveStartKey":` + string(p.LastEvaluatedKey)
	}
	if seen != 10 || fmt.Sprint(sizes) != "[4 4 2]" {
		t.Fatalf("pages of %v items", sizes)
	}
}

func TestBatchGetGivesBackWhatDoesNotFit(t *testing.T) {
	w := plain(t)
	var keys []string
	for i := range 60 {
		w.must(t, "PutItem", `{"TableName":"plain","Item":`+item(fmt.Sprint(i), 390<<10)+`}`)
		keys = append(keys, fmt.Sprintf(`{"id":{"S":"%d"}}`, i))
	}
	request, got := `{"plain":{"Keys":[`+strings.Join(keys, ",")+`],"ProjectionExpression":"#i","ExpressionAttributeNames":{"#i":"id"}}}`, 0
	for calls := 1; ; calls++ {
		var out struct {
			Responses       map[string][]json.RawMessage
			UnprocessedKeys map[string]json.RawMessage
		}
		if err := json.Unmarshal([]byte(w.must(t, "BatchGetItem", `{"RequestItems":`+request+`}`)), &out); err != nil {
			t.Fatal(err)
		}
		got += len(out.Responses["plain"])
		if len(out.UnprocessedKeys) == 0 {
			if got != 60 || calls != 2 {
				t.Fatalf("%d items in %d calls", got, calls)
			}
			return
		}
		b, _ := json.Marshal(out.UnprocessedKeys)
		request = string(b)
	}
}

func TestTransactionsUpTo4MB(t *testing.T) {
	w := plain(t)
	var puts []string
	for i := range 11 {
		puts = append(puts, `{"Put":{"TableName":"plain","Item":`+item(fmt.Sprint(i), 390<<10)+`}}`)
	}
	w.must(t, "TransactWriteItems", `{"TransactItems":[`+strings.Join(puts[:10], ",")+`]}`)
	w.refused(t, "TransactWriteItems", `{"TransactItems":[`+strings.Join(puts, ",")+`]}`, "ValidationException")
}

// TestCountersAreExact: concurrent updates of one item do not lose each other.
func TestCountersAreExact(t *testing.T) {
	w := plain(t)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 25 {
				if _, err := w.call("UpdateItem", `{"TableName":"plain","Key":{"id":{"S":"n"}},"UpdateExpression":"ADD n :one","ExpressionAttributeValues":{":one":{"N":"1"}}}`); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if out := w.must(t, "GetItem", `{"TableName":"plain","Key":{"id":{"S":"n"}},"ProjectionExpression":"n"}`); out != `{"Item":{"n":{"N":"500"}}}` {
		t.Fatal(out)
	}
}

// TestDeliveriesAreIdempotent: an internal delivery that comes twice is done once and answered the same.
func TestDeliveriesAreIdempotent(t *testing.T) {
	w := plain(t)
	deliver := func(seq uint64) string {
		out, err := w.s.Call(context.Background(), &aws.Request{Operation: "UpdateItem", Account: "000000000000", Region: "us-east-1", Token: aws.Token{Source: "p1", Seq: seq},
			Input: []byte(`{"TableName":"plain","Key":{"id":{"S":"n"}},"UpdateExpression":"ADD n :one","ExpressionAttributeValues":{":one":{"N":"1"}},"ReturnValues":"UPDATED_NEW"}`)})
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(out.Value)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	first, again, second := deliver(1), deliver(1), deliver(2)
	if want := `{"Attributes":{"n":{"N":"1"}}}`; first != want || again != want {
		t.Fatalf("answers %s and %s", first, again)
	}
	if second != `{"Attributes":{"n":{"N":"2"}}}` {
		t.Fatalf("after that %s", second)
	}
}

// TestAccountsAndRegionsAreApart, although tables of one name may share a partition.
func TestAccountsAndRegionsAreApart(t *testing.T) {
	w := plain(t)
	for _, at := range [][2]string{{"111111111111", "us-east-1"}, {"000000000000", "eu-west-1"}} {
		call := func(op, input string) error {
			_, err := w.s.Call(context.Background(), &aws.Request{Operation: op, Account: at[0], Region: at[1], Input: []byte(input)})
			return err
		}
		var e *aws.Error
		if err := call("GetItem", `{"TableName":"plain","Key":{"id":{"S":"a"}}}`); !errors.As(err, &e) || e.Code != "ResourceNotFoundException" {
			t.Errorf("%v: %v", at, err)
		}
		if err := call("CreateTable", plainTable); err != nil {
			t.Errorf("%v: %v", at, err)
		}
		if err := call("DeleteTable", `{"TableName":"plain"}`); err != nil {
			t.Errorf("%v: %v", at, err)
		}
	}
	w.must(t, "DescribeTable", `{"TableName":"plain"}`)
}

// TestADeletedTableLeavesNothing for the next one of its name.
func TestADeletedTableLeavesNothing(t *testing.T) {
	w := plain(t)
	w.must(t, "PutItem", `{"TableName":"plain","Item":{"id":{"S":"a"}}}`)
	w.must(t, "DeleteTable", `{"TableName":"plain"}`)
	w.must(t, "CreateTable", plainTable)
	if out := w.must(t, "Scan", `{"TableName":"plain"}`); out != `{"Items":[],"Count":0,"ScannedCount":0}` {
		t.Fatal(out)
	}
}

// FuzzCall: no input makes an operation panic or fault; it answers or refuses with an AWS error.
func FuzzCall(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.txt")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, block := range strings.Split(string(text), "\n\n") {
			request, _, _ := strings.Cut(block, "\n----")
			if op, input, ok := strings.Cut(request[strings.LastIndex(request, "\n")+1:], " "); ok && json.Valid([]byte(input)) {
				f.Add(op, input)
			}
		}
	}
	for _, op := range newWorld(f).s.Operations() {
		for _, input := range []string{`{}`, `null`, `[]`, `{"TableName":{}}`, `{"TableName":"plain","Key":null,"Item":null}`, `{"TableName":"plain","Key":{"id":null},"Item":{"id":null}}`,
			`{"TransactItems":[null],"RequestItems":{"plain":null}}`, `{"TransactItems":[{"Get":null,"Put":{}}],"RequestItems":{"plain":[null]}}`,
			`{"RequestItems":{"plain":{"Keys":[null]}},"TransactItems":[{"Get":{"TableName":"plain","Key":{}}}]}`,
			`{"TableName":"plain","KeyConditions":{"id":{"ComparisonOperator":"EQ","AttributeValueList":[null]}},"ScanFilter":{"x":{"ComparisonOperator":"EQ","AttributeValueList":[{}]}}}`,
			`{"TableName":"plain","KeyConditions":{"id":{"ComparisonOperator":"EQ"}},"Expected":{"id":{"Value":null}},"AttributeUpdates":{"a":{"Value":null}},"Key":{"id":{"S":"a"}},"Item":{"id":{"S":"a"}}}`,
			`{"TableName":"plain","ExclusiveStartKey":{"id":{"S":""}},"KeyConditionExpression":"id = :v","ExpressionAttributeValues":{":v":{"S":"x"}}}`,
			`{"TableName":"plain","GlobalSecondaryIndexUpdates":[{}],"TimeToLiveSpecification":{},"ResourceArn":"arn:aws:dynamodb:us-east-1:000000000000:table/plain","Tags":[{}]}`,
		} {
			f.Add(op, input)
		}
	}
	f.Fuzz(func(t *testing.T, operation, input string) {
		w := plain(t)
		w.must(t, "PutItem", `{"TableName":"plain","Item":{"id":{"S":"a"},"l":{"L":[{"N":"1"}]}}}`)
		_, err := w.call(operation, input)
		var e *aws.Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("%s %s: %v", operation, input, err)
		}
	})
}
