package pebble

import (
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// extend lays out the next part of a log, its length included: an fdatasync then has no new length to record. Pebble reads
// the zeros after the last record as the end of the log.
func extend(f vfs.File, offset, length int64) error {
	fd := f.Fd()
	if fd == vfs.InvalidFd {
		return f.Preallocate(offset, length)
	}
	return syscall.Fallocate(int(fd), 0, offset, length)
}
