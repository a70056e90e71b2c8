package archive

import (
	"archive/zip"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

type entry struct {
	name, text string
	mode       fs.FileMode
}

func pack(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		h.SetMode(e.mode)
		f, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = f.Write([]byte(e.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestUnpack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "code")
	b := pack(t, entry{"bootstrap", "#!/bin/sh\n", 0o755}, entry{"lib/", "", fs.ModeDir | 0o755}, entry{"lib/deep/a.py", "x", 0o600},
		entry{"node_modules/.bin/tool", "../tool/cli.js", fs.ModeSymlink | 0o777}, entry{"node_modules/tool/cli.js", "1", 0o644})
	for range 2 { // the second time it is there already
		if err := Unpack(b, dir); err != nil {
			t.Fatal(err)
		}
	}
	for name, mode := range map[string]fs.FileMode{"bootstrap": 0o755, "lib/deep/a.py": 0o644} {
		st, err := os.Stat(filepath.Join(dir, name))
		if err != nil || st.Mode().Perm() != mode {
			t.Fatal(name, st, err)
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, "node_modules/.bin/tool")); err != nil || string(b) != "1" {
		t.Fatal(err)
	}
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), "tmp-*"))
	if len(left) > 0 {
		t.Fatal(left)
	}
}

func TestNothingEscapes(t *testing.T) {
	for name, entries := range map[string][]entry{
		"parent":        {{"../evil", "x", 0o644}},
		"deep parent":   {{"a/../../evil", "x", 0o644}},
		"absolute":      {{"/evil", "x", 0o644}},
		"backslashes":   {{`..\evil`, "x", 0o644}},
		"device":        {{"dev", "", fs.ModeDevice | 0o644}},
		"link out":      {{"a/link", "../../evil", fs.ModeSymlink | 0o777}},
		"absolute link": {{"link", "/etc/passwd", fs.ModeSymlink | 0o777}},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			err := Unpack(pack(t, entries...), filepath.Join(root, "in", "code"))
			var unsafe *UnsafeError
			if !errors.As(err, &unsafe) {
				t.Fatalf("got %v", err)
			}
			if _, err = os.Lstat(filepath.Join(root, "in", "code")); !os.IsNotExist(err) {
				t.Fatal("half a package is visible")
			}
			if left, _ := filepath.Glob(filepath.Join(root, "*evil*")); len(left) > 0 {
				t.Fatal(left)
			}
		})
	}
}

func TestLinkThatIsAlsoAFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "code")
	if err := Unpack(pack(t, entry{"d", ".", fs.ModeSymlink | 0o777}, entry{"d/f", "x", 0o644}), dir); err == nil {
		t.Fatal("a file was written through a link, or the link silently lost")
	}
}

func TestUnreadable(t *testing.T) {
	good := pack(t, entry{"a", "some text", 0o644})
	if err := Check([]byte("no zip")); !errors.Is(err, ErrUnreadable) {
		t.Fatal(err)
	}
	if err := Check(good[:len(good)-10]); !errors.Is(err, ErrUnreadable) {
		t.Fatal(err)
	}
	// The directory promises 300 MB.
	lie := bytes.Clone(good)
	i := bytes.Index(lie, []byte("PK\x01\x02"))
	copy(lie[i+24:], []byte{0, 0, 0, 0x13})
	if err := Check(lie); !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(pack(f, entry{"a/b", "x", 0o755}, entry{"l", "a", fs.ModeSymlink | 0o777}))
	f.Fuzz(func(t *testing.T, b []byte) {
		root := t.TempDir()
		Unpack(b, filepath.Join(root, "in", "code"))
		entries, _ := os.ReadDir(root)
		for _, e := range entries {
			if e.Name() != "in" {
				t.Fatal("outside: " + e.Name())
			}
		}
	})
}

// Whatever is missing or has changed of an unpacked package is noticed; what is there besides does not count.
func TestIntact(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "code")
	b := pack(t, entry{"a.py", "old", 0o644}, entry{"lib/b.py", "text", 0o644}, entry{"lib/empty", "", 0o644}, entry{"link", "a.py", fs.ModeSymlink | 0o777}, entry{"a.py", "new", 0o644})
	if err := Unpack(b, dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "besides"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Intact(b, dir); err != nil {
		t.Error(err)
	}
	for name, text := range map[string]string{"a.py": "nex", "lib/b.py": "", "lib/empty": "x"} {
		file := filepath.Join(dir, name)
		right, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Intact(b, dir); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s is %q: %v", name, text, err)
		}
		if err := os.WriteFile(file, right, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "lib/b.py")); err != nil {
		t.Fatal(err)
	}
	if err := Intact(b, dir); !errors.Is(err, ErrDamaged) {
		t.Errorf("without a file: %v", err)
	}
}
