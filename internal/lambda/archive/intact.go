package archive

import (
	"archive/zip"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

// ErrDamaged: an unpacked file is not what is in the package.
var ErrDamaged = errors.New("an unpacked file is not the package's")

// Intact holds the files of a folder that Unpack has made against the package. A power cut may leave some of them empty. What is
// there besides does not count.
func Intact(b []byte, dir string) error {
	z, err := open(b)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	files := map[string]*zip.File{} // a name that comes twice is the last one's
	for _, f := range z.File {
		if files[clean(f.Name)] = nil; f.Mode().IsRegular() {
			files[clean(f.Name)] = f
		}
	}
	for name, f := range files {
		if f == nil {
			continue
		}
		if err := same(root, name, f); err != nil {
			return err
		}
	}
	return nil
}

func same(root *os.Root, name string, f *zip.File) error {
	in, err := root.Open(name)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	defer in.Close()
	sum := crc32.NewIEEE()
	if n, err := io.Copy(sum, in); err != nil || uint64(n) != f.UncompressedSize64 || sum.Sum32() != f.CRC32 {
		return fmt.Errorf("%w: %s has %d bytes, not %d, or others", ErrDamaged, name, n, f.UncompressedSize64)
	}
	return nil
}
