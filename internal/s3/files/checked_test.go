package files

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"testing"
)

// Any range of a file is read as it was written, and any byte that has changed since is noticed, by whoever reads its frame.
func TestChecked(t *testing.T) {
	d, err := Open("")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close() //nolint:errcheck // a temporary one
	r := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{1, 100, FrameBytes - 1, FrameBytes, FrameBytes + 1, 3*FrameBytes + 7} {
		content := make([]byte, size)
		for i := range content {
			content[i] = byte(r.Uint32())
		}
		w, err := d.Create(1)
		if err != nil {
			t.Fatal(err)
		}
		for rest := content; len(rest) > 0; {
			n := 1 + r.IntN(len(rest))
			if _, err := w.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := w.Seal(); err != nil {
			t.Fatal(err)
		}
		path := d.freshPath(w.ID)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			offset := r.IntN(size)
			if got, err := from(path, size, offset); err != nil || !bytes.Equal(got, content[offset:]) {
				t.Errorf("%d bytes from %d: %d, %v", size, offset, len(got), err)
			}
			damaged := bytes.Clone(whole)
			damaged[r.IntN(len(damaged))] ^= 1 << r.IntN(8)
			if r.IntN(2) == 0 {
				if damaged = whole[:r.IntN(len(whole))]; len(damaged) == size {
					continue // without sums it is taken as it is, and it is right
				}
			}
			if err := os.WriteFile(path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			if got, err := from(path, size, 0); !errors.Is(err, ErrDamaged) || len(got)%FrameBytes != 0 || !bytes.HasPrefix(content, got) {
				t.Errorf("damaged, %d of %d bytes: gave %d, %v", len(damaged), len(whole), len(got), err)
			}
			if err := os.WriteFile(path, whole, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := from(path, size, size/2); err != nil || !bytes.Equal(got, content[size/2:]) {
			t.Errorf("%d bytes of an earlier version: %v", size, err)
		}
	}
}

func from(path string, size, offset int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	in, err := OpenChecked(f, int64(size), int64(offset))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(in)
}
