package files

import (
	"io"
	"os"
	"path/filepath"
	"testing"
)

func write(t *testing.T, d *Dir, text string) *Writer {
	t.Helper()
	w, err := d.Create(7)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Seal(); err != nil {
		t.Fatal(err)
	}
	return w
}

func read(t *testing.T, d *Dir, id string) string {
	t.Helper()
	f, err := d.Open(id)
	if err != nil {
		return "none"
	}
	defer f.Close() //nolint:errcheck // it was only read
	in, err := OpenChecked(f, int64(len("text")), 0)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestLife(t *testing.T) {
	d, err := Open(filepath.Join(t.TempDir(), "objects"))
	if err != nil {
		t.Fatal(err)
	}
	w := write(t, d, "text")
	if p, ok := Partition(w.ID); !ok || p != 7 {
		t.Errorf("%s: %d, %v", w.ID, p, ok)
	}
	if ids, err := d.Unsettled(); err != nil || len(ids) != 1 || ids[0] != w.ID || read(t, d, w.ID) != "text" {
		t.Errorf("unsettled %v, %v", ids, err)
	}
	copied, err := d.Link(w.ID, 9) // before it is settled
	if err != nil {
		t.Fatal(err)
	}
	d.Settle(w.ID, copied.ID)
	d.Settle(w.ID) // again
	if ids, _ := d.Unsettled(); len(ids) != 0 {
		t.Errorf("unsettled %v", ids)
	}
	if err := d.Remove(w.ID); err != nil {
		t.Fatal(err)
	}
	if read(t, d, w.ID) != "none" || read(t, d, copied.ID) != "text" {
		t.Error("a copy shares its life with the original")
	}
	if copied, err = d.copy(copied.ID, 9); err != nil || read(t, d, copied.ID) != "text" {
		t.Errorf("without links: %v", err)
	}
	copied.Discard()
	if ids, _ := d.Unsettled(); len(ids) != 0 {
		t.Errorf("unsettled %v", ids)
	}
}

// A file stays until the last of those who began before it was retired is done; those who began later do not count.
func TestRetire(t *testing.T) {
	d, err := Open("")
	if err != nil {
		t.Fatal(err)
	}
	a := write(t, d, "text")
	d.Settle(a.ID)
	first, second := d.Begin(), d.Begin()
	gone := false
	d.Retire([]string{a.ID}, func() { gone = true })
	later := d.Begin()
	first()
	first() // twice is once
	if gone || read(t, d, a.ID) != "text" {
		t.Error("it is gone while somebody may read it")
	}
	second()
	if !gone || read(t, d, a.ID) != "none" {
		t.Error("it is not gone")
	}
	later()
	gone = false
	d.Retire([]string{a.ID}, func() { gone = true })
	if !gone {
		t.Error("what is gone already is no error")
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(d.path); !os.IsNotExist(err) {
		t.Error("a temporary directory is left behind")
	}
}
