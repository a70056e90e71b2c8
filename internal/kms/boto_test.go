package kms

import (
	"testing"

	"github.com/newel-run/newel/internal/gateway/gatewaytest"
)

// TestBoto runs testdata/smoke.py.
func TestBoto(t *testing.T) {
	w := newWorld(t)
	gatewaytest.Boto(t, w.s, w.s.ServiceName())
}
