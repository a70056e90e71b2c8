package lambda

import (
	"os"
	"strings"
	"testing"

	"github.com/newel-run/newel/internal/service"
)

// The whole way with the real npm and the real SDKs. It needs the network, so it runs only when asked for:
// NEWEL_TEST_INSTALL=1 go test -run RealInstall ./internal/lambda
func TestRealInstall(t *testing.T) {
	if os.Getenv("NEWEL_TEST_INSTALL") == "" {
		t.Skip("SKIPPED: set NEWEL_TEST_INSTALL=1 to install from the network")
	}
	needs(t, "npm")
	url, seen := fakeAWS(t)
	w := newWorld(t, endpoint(url), func(c *Config, _ *service.Env) { c.NoInstall, c.CacheDir = false, t.TempDir() })
	for name, c := range map[string]struct{ runtime, file, source string }{
		"v2": {"nodejs12.x", "index.js", "const AWS = require('aws-sdk'); exports.handler = async () => (await new AWS.DynamoDB().listTables().promise()).TableNames;"},
		"v3": {"nodejs20.x", "index.mjs", "import { DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb'; const c = new DynamoDBClient(); export const handler = async () => (await c.send(new ListTablesCommand({}))).TableNames;"},
	} {
		t.Run(name, func(t *testing.T) {
			r := node(t, w, c.runtime, "index.handler", map[string]string{c.file: c.source}, "")
			want(t, "tables", r.payload, `["from-the-fake"]`)
			if got := <-seen; !strings.Contains(got, "DynamoDB_20120810.ListTables") || !strings.Contains(got, "Credential=000000000000/") {
				t.Fatal(got)
			}
		})
	}
}
