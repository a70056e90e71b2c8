// Package e2e holds tests that run the real binary as its users do: over HTTP, with real clients, and through kill -9.
package e2e
