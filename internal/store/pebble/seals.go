package pebble

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/newel-run/newel/internal/store"
)

// The end of a log and of a MANIFEST carries no mark: Pebble takes a damaged or missing end for what a crash has left and
// goes on without it, and that may be acknowledged work. So the file SEALS says of each of them how much of it was
// synced, and that part's checksum. Open holds the files against it before Pebble sees them.
//
// A seal is written after the fsync that it tells of and before anyone hears of that fsync. It is not synced itself: a
// process that is killed leaves it whole, a power cut an older one, which is true of a shorter part. A seal is taken
// back, durably, before its file is removed or reused. A seal that cannot be read (a damaged SEALS, a torn write) says
// nothing and refuses nothing.
//
// A directory whose markers are gone looks to Pebble like one in which there has never been a store. So a slot of the name
// "store" says that there is one.
//
// Layout: slots of 64 bytes. A slot is CRC-32C of the other 60 bytes (4, little endian), length of the synced part (8),
// CRC-32C of it (4), length of the name (1), name. A slot of zeros is free.
const (
	sealsName = "SEALS"
	sealBytes = 64
	sealSlots = 64
	sealName  = 17 // where the name begins
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sealed reports whether a file of this name is sealed.
func sealed(base string) bool {
	return strings.HasSuffix(base, ".log") || strings.HasPrefix(base, "MANIFEST-")
}

// seals is the file of seals.
type seals struct {
	file vfs.File

	mu      sync.Mutex
	slot    map[string]int // by the file's base name
	free    []int
	unnamed []*seal // of files whose names may not be durable
}

// openSeals opens the seals of a directory, checks its files by them and makes the file where there is none.
func openSeals(dir string, files vfs.FS, log *slog.Logger) (*seals, error) {
	name := files.PathJoin(dir, sealsName)
	content, err := readFile(files, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		content = nil
		err = createSeals(dir, name, files)
	case err == nil && len(content) < sealSlots*sealBytes:
		log.Warn("store: the seals of the log are damaged; it is taken as it is", "file", name)
		err = createSeals(dir, name, files)
		content = nil
	}
	if err != nil {
		return nil, fmt.Errorf("store: %s: %w", name, err)
	}
	current, err := checkMarkers(dir, files, content)
	if err != nil {
		return nil, err
	}
	s := &seals{slot: map[string]int{}}
	for i := range sealSlots {
		var one []byte
		if content != nil {
			one = content[i*sealBytes:][:sealBytes]
		}
		if err := s.read(i, one, dir, current, files, log); err != nil {
			return nil, err
		}
	}
	s.file, err = files.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	return s, err
}

func readFile(files vfs.FS, name string) ([]byte, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	return io.ReadAll(f)
}

func createSeals(dir, name string, files vfs.FS) error {
	f, err := files.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, sealSlots*sealBytes))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	d, err := files.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// created is the name of the slot that says that a store was made here.
const created = "store"

// checkMarkers finds the name of the current MANIFEST, "" in a directory without a store.
func checkMarkers(dir string, files vfs.FS, seals []byte) (current string, err error) {
	names, err := files.List(dir)
	if err != nil {
		return "", fmt.Errorf("store: %w", err)
	}
	made, format := false, false
	for ; len(seals) >= sealBytes; seals = seals[sealBytes:] {
		base, _, _, ok := parseSeal(seals[:sealBytes])
		made = made || ok && base == created
	}
	for _, name := range names { // the last marker of a kind counts
		made = made || strings.HasSuffix(name, ".sst")
		format = format || strings.HasPrefix(name, "marker.format-version.")
		if of, ok := strings.CutPrefix(name, "marker.manifest."); ok {
			current = max(current, of)
		}
	}
	_, current, _ = strings.Cut(current, ".")
	if made && current == "" {
		return "", fmt.Errorf("%w: %s: the file marker.manifest.* is missing, which says what is in the store", store.ErrCorrupt, dir)
	}
	if made && !format {
		return "", fmt.Errorf("%w: %s: the file marker.format-version.* is missing", store.ErrCorrupt, dir)
	}
	return current, nil
}

// parseSeal reads a slot; not ok if it says nothing.
func parseSeal(slot []byte) (base string, length int64, sum uint32, ok bool) {
	if binary.LittleEndian.Uint32(slot) != crc32.Checksum(slot[4:], castagnoli) || int(slot[16]) > sealBytes-sealName {
		return "", 0, 0, false
	}
	return string(slot[sealName:][:slot[16]]), int64(binary.LittleEndian.Uint64(slot[4:])), binary.LittleEndian.Uint32(slot[12:]), true
}

// read takes one slot and checks the file that it is about. A MANIFEST that is not the current one does not count.
func (s *seals) read(i int, slot []byte, dir, current string, files vfs.FS, log *slog.Logger) error {
	if len(slot) == 0 || bytes.Equal(slot, make([]byte, sealBytes)) {
		s.free = append(s.free, i)
		return nil
	}
	base, length, sum, ok := parseSeal(slot)
	if !ok {
		log.Warn("store: a seal is damaged; its file is taken as it is", "file", files.PathJoin(dir, sealsName), "slot", i)
		s.free = append(s.free, i)
		return nil
	}
	s.slot[base] = i
	if base == created || strings.HasPrefix(base, "MANIFEST-") && base != current {
		return nil
	}
	return checkSealed(files.PathJoin(dir, base), files, length, sum)
}

// created notes that the store is complete.
func (s *seals) created() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.slot[created]; known {
		return nil
	}
	s.put(&seal{base: created})
	return s.file.SyncData()
}

// checkSealed holds a file against its seal.
func checkSealed(name string, files vfs.FS, length int64, sum uint32) error {
	n, got, err := checksum(name, files, length)
	found := ""
	switch {
	case errors.Is(err, fs.ErrNotExist):
		found = "the file is missing"
	case err != nil:
		return fmt.Errorf("store: %w", err)
	case n < length:
		found = fmt.Sprintf("%d of its bytes are left", n)
	case got != sum:
		found = "its content has changed"
	default:
		return nil
	}
	return fmt.Errorf("%w: %s: %s since %d bytes of it were synced", store.ErrCorrupt, name, found, length)
}

// checksum reads a file's first bytes.
func checksum(name string, files vfs.FS, most int64) (n int64, sum uint32, err error) {
	f, err := files.Open(name)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	h := crc32.New(castagnoli)
	n, err = io.CopyBuffer(h, io.LimitReader(f, most), make([]byte, 128<<10))
	return n, h.Sum32(), err
}

// put writes a file's seal. What fails leaves the one before, which is true too.
func (s *seals) put(f *seal) {
	i, known := s.slot[f.base]
	if !known {
		if len(s.free) == 0 || len(f.base) > sealBytes-sealName {
			return
		}
		i, s.free = s.free[0], s.free[1:]
		s.slot[f.base] = i
	}
	var slot [sealBytes]byte
	binary.LittleEndian.PutUint64(slot[4:], uint64(f.safe.length))
	binary.LittleEndian.PutUint32(slot[12:], f.safe.sum)
	slot[16] = byte(len(f.base))
	copy(slot[sealName:], f.base)
	binary.LittleEndian.PutUint32(slot[:], crc32.Checksum(slot[4:], castagnoli))
	_, _ = s.file.WriteAt(slot[:], int64(i)*sealBytes)
}

// drop takes a file's seal back, durably: the file is about to go.
func (s *seals) drop(base string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unnamed = slices.DeleteFunc(s.unnamed, func(f *seal) bool { return f.base == base })
	i, known := s.slot[base]
	if !known {
		return nil
	}
	if _, err := s.file.WriteAt(make([]byte, sealBytes), int64(i)*sealBytes); err != nil {
		return err
	}
	if err := s.file.SyncData(); err != nil {
		return err
	}
	delete(s.slot, base)
	s.free = append(s.free, i)
	return nil
}

func (s *seals) close() error {
	if s == nil || s.file == nil {
		return nil
	}
	return s.file.Close()
}

// seal follows what is written to one file; nil follows nothing. It is written once the file's name is durable too.
type seal struct {
	seals *seals
	base  string
	at    extent // of its writer

	safe  extent // what was synced; seals.mu guards it
	named bool   // the directory was synced since the file was made
}

// extent is a beginning of a file.
type extent struct {
	length int64
	sum    uint32
}

func (e *extent) add(p []byte) {
	e.length += int64(len(p))
	e.sum = crc32.Update(e.sum, castagnoli, p)
}

// follow starts to seal a new file; nil for one of a kind that is not sealed.
func (s *seals) follow(base string) *seal {
	if !sealed(base) {
		return nil
	}
	f := &seal{seals: s, base: base}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unnamed = append(s.unnamed, f)
	return f
}

func (f *seal) wrote(p []byte) {
	if f != nil {
		f.at.add(p)
	}
}

func (f *seal) synced() {
	if f == nil {
		return
	}
	f.seals.mu.Lock()
	defer f.seals.mu.Unlock()
	if f.safe = f.at; f.named {
		f.seals.put(f)
	}
}

// naming begins an fsync of the directory, done tells that it has succeeded: the names of the files that were there are durable.
func (s *seals) naming() (done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.unnamed) == 0 {
		return func() {}
	}
	there := slices.Clone(s.unnamed)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.unnamed = slices.DeleteFunc(s.unnamed, func(f *seal) bool {
			if !slices.Contains(there, f) {
				return false
			}
			if f.named = true; f.safe.length > 0 {
				s.put(f)
			}
			return true
		})
	}
}
