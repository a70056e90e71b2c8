// Package files keeps the bytes of objects as files that never change: a file is written once under a name of its own
// and removed when nothing refers to it any more. Which files are referred to is not known here: the caller's metadata
// is authoritative.
//
// Order of durability: Create writes to the folder "new"; Seal makes the bytes and the name durable; then the caller
// commits a reference; then Settle moves the file to its place, without haste. A crash before the commit leaves a file in
// "new" that nobody refers to, a crash after it one that is referred to but not settled: the caller goes through Unsettled
// when it starts and keeps or removes each. So whatever is settled is whole and was referred to.
//
// Retire removes files once everybody who may have seen a reference to them is done: readers stand between Begin and End,
// and a file waits for those that began before it was retired.
package files

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// Dir is a directory of files. Its methods are safe for concurrent use.
type Dir struct {
	path      string
	temporary bool

	mu      sync.Mutex
	seq     uint64
	active  map[uint64]struct{}
	retired []retirement
}

type retirement struct {
	seq  uint64
	ids  []string
	done func()
}

const fresh = "new"

// Open opens or makes a directory. With an empty path it is a temporary one, which is never synced and which Close removes.
func Open(path string) (*Dir, error) {
	d := &Dir{path: path, active: map[uint64]struct{}{}}
	if path == "" {
		var err error
		if d.path, err = os.MkdirTemp("", "newel-objects-"); err != nil {
			return nil, err
		}
		d.temporary = true
	}
	if err := os.MkdirAll(filepath.Join(d.path, fresh), 0o700); err != nil {
		return nil, err
	}
	for i := range 256 {
		if err := os.MkdirAll(filepath.Join(d.path, fmt.Sprintf("%02x", i)), 0o700); err != nil {
			return nil, err
		}
	}
	if d.temporary {
		return d, nil
	}
	return d, syncDir(d.path)
}

// Close removes a temporary directory.
func (d *Dir) Close() error {
	if !d.temporary {
		return nil
	}
	return os.RemoveAll(d.path)
}

// Writer is a file that is being written.
type Writer struct {
	ID   string
	dir  *Dir
	f    *os.File
	sums summer
}

// Create starts a file for a partition of the store, which is part of its name (Partition).
func (d *Dir) Create(partition uint16) (*Writer, error) {
	id := newID(partition)
	f, err := os.OpenFile(d.freshPath(id), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &Writer{ID: id, dir: d, f: f}, nil
}

// Write implements io.Writer.
func (w *Writer) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	w.sums.write(p[:n])
	return n, err
}

// Seal ends the file with its sums and makes it durable.
func (w *Writer) Seal() error {
	if _, err := w.f.Write(w.sums.end()); err != nil {
		return errors.Join(err, w.f.Close())
	}
	return w.seal()
}

func (w *Writer) seal() error {
	if w.dir.temporary {
		return w.f.Close()
	}
	if err := errors.Join(w.f.Sync(), w.f.Close()); err != nil {
		return err
	}
	return syncDir(filepath.Join(w.dir.path, fresh))
}

// Discard removes a file that was not referred to, sealed or not.
func (w *Writer) Discard() {
	_ = w.f.Close() // closed already if it was sealed
	_ = os.Remove(w.dir.freshPath(w.ID))
}

// Link makes a new file with the bytes of another, for a partition of the store; it is sealed.
func (d *Dir) Link(id string, partition uint16) (*Writer, error) {
	next := newID(partition)
	for _, from := range []string{d.settledPath(id), d.freshPath(id), d.settledPath(id)} {
		if err := os.Link(from, d.freshPath(next)); err == nil {
			w := &Writer{ID: next, dir: d}
			if d.temporary {
				return w, nil
			}
			return w, syncDir(filepath.Join(d.path, fresh))
		}
	}
	return d.copy(id, partition)
}

// copy is Link on file systems without links.
func (d *Dir) copy(id string, partition uint16) (*Writer, error) {
	in, err := d.Open(id)
	if err != nil {
		return nil, err
	}
	defer in.Close() //nolint:errcheck // it was only read
	w, err := d.Create(partition)
	if err != nil {
		return nil, err
	}
	if _, err = io.Copy(w.f, in); err == nil { // with its sums
		err = w.seal()
	}
	if err != nil {
		w.Discard()
		return nil, err
	}
	return w, nil
}

// Settle moves files that are referred to into their places. What fails is moved at the next start.
func (d *Dir) Settle(ids ...string) {
	for _, id := range ids {
		_ = os.Rename(d.freshPath(id), d.settledPath(id)) // Open finds it in either place
	}
}

// Open opens a file for reading, by OpenChecked or OpenSealed.
func (d *Dir) Open(id string) (*os.File, error) {
	var err error
	for _, path := range []string{d.settledPath(id), d.freshPath(id), d.settledPath(id)} { // it may be settled in between
		var f *os.File
		if f, err = os.Open(path); err == nil {
			return f, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return nil, err
}

// Unsettled lists the files that were sealed or begun and not settled.
func (d *Dir) Unsettled() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(d.path, fresh))
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.Name()
	}
	return ids, nil
}

// Remove removes a file at once, wherever it is; none is no error.
func (d *Dir) Remove(id string) error {
	for _, path := range []string{d.freshPath(id), d.settledPath(id)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Begin starts a time during which no file is removed that is referred to from now on. Its End must be called.
func (d *Dir) Begin() (end func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seq++
	n := d.seq
	d.active[n] = struct{}{}
	return sync.OnceFunc(func() { d.end(n) })
}

func (d *Dir) end(n uint64) {
	d.mu.Lock()
	delete(d.active, n)
	due := d.due()
	d.mu.Unlock()
	d.remove(due)
}

// Retire removes files to which nothing refers any more as soon as all who began before are done, then calls done.
func (d *Dir) Retire(ids []string, done func()) {
	d.mu.Lock()
	d.seq++
	d.retired = append(d.retired, retirement{d.seq, ids, done})
	due := d.due()
	d.mu.Unlock()
	d.remove(due)
}

// due takes the retirements that nobody stands in front of.
func (d *Dir) due() []retirement {
	oldest := d.seq + 1
	for n := range d.active {
		oldest = min(oldest, n)
	}
	i := 0
	for i < len(d.retired) && d.retired[i].seq < oldest {
		i++
	}
	due := d.retired[:i:i]
	d.retired = d.retired[i:]
	return due
}

func (d *Dir) remove(due []retirement) {
	for _, r := range due {
		ok := true
		for _, id := range r.ids {
			ok = d.Remove(id) == nil && ok
		}
		if ok && r.done != nil {
			r.done()
		}
	}
}

func newID(partition uint16) string {
	var b [16]byte
	rand.Read(b[:]) //nolint:errcheck // never fails
	return fmt.Sprintf("%s-%04x", hex.EncodeToString(b[:]), partition)
}

// Partition is the partition that a file's name names; it is not ok if the name is not one of ours.
func Partition(id string) (uint16, bool) {
	name, number, ok := strings.Cut(id, "-")
	p, err := strconv.ParseUint(number, 16, 16)
	return uint16(p), ok && err == nil && len(name) == 32
}

func (d *Dir) freshPath(id string) string   { return filepath.Join(d.path, fresh, id) }
func (d *Dir) settledPath(id string) string { return filepath.Join(d.path, id[:2], id) }

func syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
