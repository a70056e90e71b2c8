package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/internal/cfn/pack"
	"github.com/newel-run/newel/internal/mocks"
	"github.com/newel-run/newel/internal/suite"
)

// loadedSuite is a suite with its machine.
type loadedSuite struct {
	*suite.Suite
	name       string // of the state machine
	definition []byte
	compiled   *asl.Definition
}

// findSuites reads the suites of files and folders; everything that is wrong with any of them is one error.
func (a *app) findSuites(paths []string) ([]*loadedSuite, error) {
	var files []string
	for _, path := range paths {
		found, err := suiteFiles(path)
		if err != nil {
			return nil, usage("%s", err)
		}
		files = append(files, found...)
	}
	if len(files) == 0 {
		return nil, usage("%s: there is no NAME.test.yaml or NAME.test.json", strings.Join(paths, ", "))
	}
	var all []*loadedSuite
	var bad []error
	names := map[string]int{}
	for _, file := range files {
		suites, err := a.loadSuites(file)
		bad = append(bad, err)
		for _, s := range suites {
			names[s.name]++
			if n := names[s.name]; n > 1 { // each has a machine of its own
				s.name = fmt.Sprintf("%s-%d", s.name[:min(len(s.name), 70)], n)
			}
			all = append(all, s)
		}
	}
	return all, errors.Join(bad...)
}

// suiteFiles are the files that a path names: itself, or all suites below a folder.
func suiteFiles(path string) (files []string, err error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return []string{path}, err
	}
	err = filepath.WalkDir(path, func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && file != path && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules"):
			return fs.SkipDir
		case !d.IsDir() && suite.IsSuite(d.Name()):
			files = append(files, file)
		}
		return nil
	})
	return files, err
}

// loadSuites reads a suite, or those of a file of mocked responses.
func (a *app) loadSuites(file string) ([]*loadedSuite, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	folder, err := beside(file)
	if err != nil {
		return nil, err
	}
	var suites []*suite.Suite
	if isMockFile(text) {
		suites, err = suitesOfMocks(file, folder)
	} else {
		var s *suite.Suite
		if s, err = suite.Parse(file, text, folder); s != nil {
			suites = []*suite.Suite{s}
		}
	}
	if err != nil {
		return nil, err
	}
	var all []*loadedSuite
	for _, s := range suites {
		loaded, err := a.loadSuite(s)
		if err != nil {
			return nil, err
		}
		all = append(all, loaded)
	}
	return all, nil
}

func beside(file string) (names []string, err error) {
	entries, err := os.ReadDir(filepath.Dir(file))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

// isMockFile reports whether a text is a file of mocked responses and not a suite.
func isMockFile(text []byte) bool {
	var doc struct{ StateMachines, MockedResponses json.RawMessage }
	return json.Unmarshal(text, &doc) == nil && doc.StateMachines != nil && doc.MockedResponses != nil
}

// suitesOfMocks makes a suite of each state machine of a file of mocked responses whose definition lies beside it.
func suitesOfMocks(file string, folder []string) (suites []*suite.Suite, err error) {
	config, err := mocks.Load(file)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(config)) {
		s := &suite.Suite{File: file, MockConfig: file}
		for _, ending := range []string{".asl.json", ".asl.yaml", ".asl.yml"} {
			if slices.Contains(folder, name+ending) {
				s.Machine = filepath.Join(filepath.Dir(file), name+ending)
				break
			}
		}
		if s.Machine == "" {
			return nil, fmt.Errorf("%s: there is no %s.asl.json or %s.asl.yaml beside it", file, name, name)
		}
		suites = append(suites, s)
	}
	return suites, nil
}

// loadSuite reads a suite's machine and its mock file, and checks them against each other.
func (a *app) loadSuite(s *suite.Suite) (*loadedSuite, error) {
	text, err := os.ReadFile(s.Machine)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.File, err)
	}
	l := &loadedSuite{Suite: s, name: machineName(s.Machine)}
	text = fillPlaceholders(text)
	if l.compiled, err = compiled(s.Machine, text); err != nil {
		return nil, err
	}
	if l.definition, err = pack.Definition(s.Machine, text); err != nil {
		return nil, err
	}
	if s.MockConfig != "" {
		if err := l.addMocked(); err != nil {
			return nil, err
		}
	}
	if bad := s.Check(l.compiled); len(bad) > 0 {
		return nil, errors.New(strings.Join(bad, "\n"))
	}
	return l, nil
}

// addMocked gives the cases the mocks that they take from the mock file; a suite without cases has one for each of its.
func (l *loadedSuite) addMocked() error {
	config, err := mocks.Load(l.MockConfig)
	if err != nil {
		return err
	}
	cases := config[l.name]
	if cases == nil {
		return fmt.Errorf("%s: there is no StateMachines.%s", l.MockConfig, l.name)
	}
	if len(l.Cases) == 0 {
		for _, name := range slices.Sorted(maps.Keys(cases)) {
			l.Cases = append(l.Cases, &suite.Case{Name: name, Input: []byte("{}"), Mocked: name, Expect: suite.Expect{Status: "SUCCEEDED"},
				Mocks: mocks.Case{Strict: true, States: map[string]*mocks.Mock{}}})
		}
	}
	for _, c := range l.Cases {
		if c.Mocked == "" {
			continue
		}
		if cases[c.Mocked] == nil {
			return fmt.Errorf("%s: case %q: there is no test case %q of %s in %s", l.File, c.Name, c.Mocked, l.name, l.MockConfig)
		}
		for state, m := range cases[c.Mocked].States {
			if c.Mocks.States[state] == nil {
				c.Mocks.States[state] = m
			}
		}
	}
	return nil
}
