package files

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
)

func sealed(t *testing.T, key, plain []byte, write int) []byte {
	t.Helper()
	var out bytes.Buffer
	s, err := NewSealer(&out, key)
	if err != nil {
		t.Fatal(err)
	}
	for p := plain; len(p) > 0; p = p[min(write, len(p)):] {
		if n, err := s.Write(p[:min(write, len(p))]); err != nil || n != min(write, len(p)) {
			t.Fatal(n, err)
		}
	}
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestSealed: every range of a sealed file is the plain text's, whatever the sizes of writes, around the frames' borders.
func TestSealed(t *testing.T) {
	key := bytes.Repeat([]byte{7}, KeyBytes)
	random := rand.NewChaCha8([32]byte{})
	for _, size := range []int{1, FrameBytes - 1, FrameBytes, FrameBytes + 1, 3*FrameBytes + 5} {
		plain := make([]byte, size)
		random.Read(plain) //nolint:errcheck // never fails
		for _, write := range []int{1000, FrameBytes, 2*FrameBytes + 1} {
			text := sealed(t, key, plain, write)
			for _, offset := range []int{0, 1, FrameBytes - 1, FrameBytes, FrameBytes + 1, size - 1} {
				if offset >= size {
					continue
				}
				r, err := OpenSealed(bytes.NewReader(text), key, int64(size), int64(offset))
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(r)
				if err != nil || !bytes.Equal(got, plain[offset:]) {
					t.Errorf("size %d, writes of %d, from %d: %d bytes, %v", size, write, offset, len(got), err)
				}
			}
		}
	}
}

// TestSealedFileIsWhatWasWritten: another key, a changed byte, frames that changed places or are missing are noticed.
func TestSealedFileIsWhatWasWritten(t *testing.T) {
	key, plain := bytes.Repeat([]byte{7}, KeyBytes), bytes.Repeat([]byte("x"), 2*FrameBytes+10)
	good := sealed(t, key, plain, 4096)
	frame := FrameBytes + tagBytes
	changed := bytes.Clone(good)
	changed[frame+9] ^= 1
	for name, c := range map[string]struct{ key, text []byte }{
		"another key":      {bytes.Repeat([]byte{8}, KeyBytes), good},
		"a changed byte":   {key, changed},
		"swapped frames":   {key, append(append(bytes.Clone(good[frame:2*frame]), good[:frame]...), good[2*frame:]...)},
		"a missing end":    {key, good[:2*frame]},
		"a cut last frame": {key, good[:len(good)-1]},
	} {
		r, err := OpenSealed(bytes.NewReader(c.text), c.key, int64(len(plain)), 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(r); !errors.Is(err, ErrSealed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
