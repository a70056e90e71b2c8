package conformance

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/newel-run/newel/internal/node"
)

// mocked gives a case with a file of mocked responses a server of its own that is started with it, and returns what
// closes that; nil for other cases.
func (r *replay) mocked(t *testing.T) (close func()) {
	for _, s := range r.c.Steps {
		if s["op"] != "mock_config" {
			continue
		}
		config, err := r.value(s["config"])
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "mocks.json")
		if err := os.WriteFile(file, []byte(encode(config)), 0o600); err != nil {
			t.Fatal(err)
		}
		n, err := node.Start(t.Context(), node.Config{Listen: "127.0.0.1:0", Memory: true, CacheDir: t.TempDir(), MockConfig: file})
		if err != nil {
			t.Fatal(err)
		}
		r.caller, r.base = n.Caller(), n.URL()
		return func() { n.Close(context.Background()) } //nolint:errcheck // memory
	}
	return nil
}
