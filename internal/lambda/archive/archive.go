// Package archive checks and unpacks deployment packages (zip files).
//
// A package is untrusted: nothing is written outside the folder that it is unpacked to, whatever names, links or sizes
// it claims. The folder's final name appears only when everything is in it.
package archive

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// AWS's limits, bytes. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const (
	MaxZipped   = 50 << 20 // in a request; from S3 only MaxUnzipped counts
	MaxUnzipped = 250 << 20
	maxEntries  = 200_000
	maxLink     = 4096
)

var (
	// ErrUnreadable: the bytes are no zip file.
	ErrUnreadable = errors.New("not a readable zip file")
	// ErrTooLarge: the contents are larger than MaxUnzipped.
	ErrTooLarge = errors.New("unzipped size must be smaller than 262144000 bytes")
)

// UnsafeError names an entry that points outside the package.
type UnsafeError struct{ Name, Why string }

func (e *UnsafeError) Error() string { return fmt.Sprintf("entry %q %s", e.Name, e.Why) }

// Check reports whether a package can be unpacked, from its directory alone.
func Check(b []byte) error {
	_, err := open(b)
	return err
}

func open(b []byte) (*zip.Reader, error) {
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, fmt.Errorf("%w: %v", ErrUnreadable, err)
	}
	if len(z.File) > maxEntries {
		return nil, ErrTooLarge
	}
	var total uint64
	for _, f := range z.File {
		if total += f.UncompressedSize64; total > MaxUnzipped || f.UncompressedSize64 > MaxUnzipped {
			return nil, ErrTooLarge
		}
		if name := clean(f.Name); !filepath.IsLocal(filepath.FromSlash(name)) {
			return nil, &UnsafeError{f.Name, "lies outside the package"}
		}
		switch m := f.Mode(); {
		case m.IsRegular(), m.IsDir(), m&fs.ModeSymlink != 0:
		default:
			return nil, &UnsafeError{f.Name, "is neither a file, a folder nor a link"}
		}
	}
	return z, nil
}

func clean(name string) string { return path.Clean(strings.ReplaceAll(name, `\`, "/")) }

// Unpack makes dir with the contents of a package. Permission bits are kept; files are readable by all, as AWS demands.
// If dir is there already, nothing is done.
func Unpack(b []byte, dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	z, err := open(b)
	if err != nil {
		return err
	}
	if err = os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "tmp-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err = os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(tmp)
	if err != nil {
		return err
	}
	defer root.Close()
	if err = write(root, z); err != nil {
		return err
	}
	if err = os.Rename(tmp, dir); err != nil {
		if _, statErr := os.Stat(dir); statErr == nil {
			return nil // another server was quicker
		}
	}
	return err
}

// write puts every entry under root: links last, so that no file is written through one.
func write(root *os.Root, z *zip.Reader) error {
	left := int64(MaxUnzipped)
	var links []*zip.File
	for _, f := range z.File {
		name := clean(f.Name)
		switch {
		case f.Mode()&fs.ModeSymlink != 0:
			links = append(links, f)
			continue
		case f.Mode().IsDir() || strings.HasSuffix(f.Name, "/"):
			if err := root.MkdirAll(name, 0o755); err != nil {
				return err
			}
			continue
		}
		n, err := file(root, f, name, left)
		if err != nil {
			return err
		}
		left -= n
	}
	for _, f := range links {
		if err := link(root, f, clean(f.Name)); err != nil {
			return err
		}
	}
	return nil
}

func file(root *os.Root, f *zip.File, name string, left int64) (int64, error) {
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return 0, err
	}
	in, err := f.Open()
	if err != nil {
		return 0, fmt.Errorf("%w: %v", ErrUnreadable, err)
	}
	defer in.Close()
	out, err := root.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, f.Mode().Perm()|0o444)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(out, io.LimitReader(in, left+1))
	if closeErr := out.Close(); err == nil {
		err = closeErr
	}
	if err == nil && n > left { // the directory lied
		err = ErrTooLarge
	}
	return n, err
}

func link(root *os.Root, f *zip.File, name string) error {
	in, err := f.Open()
	if err != nil {
		return fmt.Errorf("%w: %v", ErrUnreadable, err)
	}
	defer in.Close()
	b, err := io.ReadAll(io.LimitReader(in, maxLink))
	if err != nil {
		return fmt.Errorf("%w: %v", ErrUnreadable, err)
	}
	target := string(b)
	if path.IsAbs(target) || !filepath.IsLocal(filepath.FromSlash(path.Join(path.Dir(name), target))) {
		return &UnsafeError{f.Name, "is a link that points outside the package"}
	}
	if err = root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	return root.Symlink(target, name)
}
