//go:build !linux

package pebble

import "github.com/cockroachdb/pebble/v2/vfs"

func extend(f vfs.File, offset, length int64) error { return f.Preallocate(offset, length) }
