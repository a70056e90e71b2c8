package cli

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestPick(t *testing.T) {
	names := []string{"order", "order-archive", "pay", "payout"}
	for arg, want := range map[string]string{
		"order": "order", "order-": "order-archive", "payo": "payout",
		"pa": `thing "pa" is not unique: pay, payout`, "x": `no thing "x"; there are order, order-archive, pay, payout`,
	} {
		i, err := pick("thing", arg, names)
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = names[i]
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", arg, got, want)
		}
	}
	if _, err := pick("thing", "x", []string{"1", "2", "3", "4", "5", "6", "7", "8"}); err == nil || !strings.HasSuffix(err.Error(), "5, 6 and 2 more") {
		t.Errorf("got %v", err)
	}
}

func TestNames(t *testing.T) {
	for file, want := range map[string]string{
		"a/order.asl.json": "order", "b c.yaml": "b-c", "é.json": "machine", "x.y.asl.yml": "x-y",
	} {
		if got := machineName(filepath.FromSlash(file)); got != want {
			t.Errorf("%s: got %s", file, got)
		}
	}
	for path, want := range map[string]string{
		"/a/my app/": "my-app", "/a/2nd": "stack-2nd", "/a/b/template.yaml": "b", "/a/flow.asl.json": "flow",
	} {
		if got := stackNameOf(strings.TrimSuffix(path, "/"), !strings.Contains(filepath.Base(path), ".")); got != want {
			t.Errorf("%s: got %s", path, got)
		}
	}
}
