package dynamodb_test

import (
	"testing"

	"github.com/newel-run/newel/internal/gateway/gatewaytest"
)

// TestBoto runs testdata/smoke.py.
func TestBoto(t *testing.T) {
	gatewaytest.Boto(t, newWorld(t).s, "dynamodb")
}
