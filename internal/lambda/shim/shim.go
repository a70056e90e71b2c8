// Package shim holds the programs that run Python and Node.js handlers: they load the handler, speak the Lambda Runtime
// API to the server, answer errors in the form of AWS's own runtimes, and give the handler what AWS's runtimes carry.
//
// The programs are embedded and written once to a cache folder whose name is the hash of their contents, so that several
// servers of different versions can share the cache.
package shim

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

//go:embed files
var files embed.FS

// Extract makes sure that the programs are in a folder under cache, and returns it.
func Extract(cache string) (dir string, err error) {
	h := sha256.New()
	if err = walk(func(name string, b []byte) error {
		h.Write([]byte(name + "\x00"))
		h.Write(b)
		return nil
	}); err != nil {
		return "", err
	}
	dir = filepath.Join(cache, "shim", hex.EncodeToString(h.Sum(nil))[:16])
	if _, err = os.Stat(dir); err == nil {
		return dir, nil
	}
	if err = os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "tmp-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	if err = os.Chmod(tmp, 0o755); err != nil {
		return "", err
	}
	if err = walk(func(name string, b []byte) error {
		p := filepath.Join(tmp, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			return err
		}
		return os.WriteFile(p, b, 0o644)
	}); err != nil {
		return "", err
	}
	// Another server may have been quicker: its folder has the same contents.
	if err = os.Rename(tmp, dir); err != nil {
		if _, statErr := os.Stat(dir); statErr == nil {
			return dir, nil
		}
		return "", err
	}
	return dir, nil
}

func walk(f func(name string, b []byte) error) error {
	sub, err := fs.Sub(files, "files")
	if err != nil {
		return err
	}
	return fs.WalkDir(sub, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(sub, name)
		return errors.Join(err, f(name, b))
	})
}
