// Package asl is the Amazon States Language: it decodes, validates and compiles definitions and evaluates the fields of
// their states. It is pure: no clock, no I/O, no randomness of its own.
package asl
