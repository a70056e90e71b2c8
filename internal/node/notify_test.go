package node

import (
	"os/exec"
	"strings"
	"testing"
)

// TestNotifications runs testdata/notify.py, real clients of SNS and EventBridge, against a whole server.
func TestNotifications(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("SKIPPED: no python3 on this machine, so SNS and EventBridge were not tested with a real client")
	}
	if err := exec.Command(python, "-c", "import boto3").Run(); err != nil {
		t.Skip("SKIPPED: python3 has no boto3, so SNS and EventBridge were not tested with a real client")
	}
	n, err := Start(t.Context(), Config{Listen: "127.0.0.1:0", Memory: true, CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	out, err := exec.Command(python, "testdata/notify.py", n.URL()).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "ok" {
		t.Fatalf("%v\n%s", err, out)
	}
}
