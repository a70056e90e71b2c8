package dynamodb_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/newel-run/newel/internal/aws"
)

func benchmark(b *testing.B, operation, input string) {
	w := plain(b)
	body := strings.Repeat("x", 200)
	w.must(b, "PutItem", fmt.Sprintf(`{"TableName":"plain","Item":{"id":{"S":"k"},"a":{"S":%q},"n":{"N":"12.5"},"l":{"L":[{"S":"x"},{"M":{"k":{"BOOL":true}}}]},"b":{"S":%q}}}`, body, body))
	input = strings.ReplaceAll(input, "BODY", body)
	r := &aws.Request{Operation: operation, Account: "000000000000", Region: "us-east-1", Input: []byte(input)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.s.Call(context.Background(), r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPutItem(b *testing.B) {
	benchmark(b, "PutItem", `{"TableName":"plain","Item":{"id":{"S":"k"},"a":{"S":"BODY"},"n":{"N":"12.5"},"l":{"L":[{"S":"x"},{"M":{"k":{"BOOL":true}}}]},"b":{"S":"BODY"}}}`)
}

func BenchmarkGetItem(b *testing.B) {
	benchmark(b, "GetItem", `{"TableName":"plain","Key":{"id":{"S":"k"}}}`)
}

func BenchmarkUpdateItem(b *testing.B) {
	benchmark(b, "UpdateItem", `{"TableName":"plain","Key":{"id":{"S":"k"}},"UpdateExpression":"SET n = n + :one","ConditionExpression":"attribute_exists(id)","ExpressionAttributeValues":{":one":{"N":"1"}},"ReturnValues":"UPDATED_NEW"}`)
}

func BenchmarkQuery(b *testing.B) {
	benchmark(b, "Query", `{"TableName":"plain","KeyConditionExpression":"id = :k","ExpressionAttributeValues":{":k":{"S":"k"}}}`)
}
