package project

import (
	"encoding/json"
	"io/fs"
	"path"
	"strings"
)

// withoutDevelopment narrows a package to what runs: npm's own list of what it has installed says which modules are
// there for development only. The framework leaves them out, too.
func (p *Project) withoutDevelopment(dir string, keep func(string) bool) func(string) bool {
	text, err := fs.ReadFile(p.dir, path.Join(dir, "node_modules/.package-lock.json"))
	var lock struct {
		Packages map[string]struct{ Dev bool }
	}
	if err != nil || json.Unmarshal(text, &lock) != nil {
		return keep
	}
	return func(name string) bool {
		if !keep(name) {
			return false
		}
		for at := len(name); ; {
			if at = strings.LastIndexByte(name[:at], '/'); at < 0 {
				return true
			}
			if lock.Packages[name[:at]].Dev {
				return false
			}
		}
	}
}
