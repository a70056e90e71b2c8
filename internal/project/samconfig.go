package project

import (
	"errors"
	"io/fs"
	"strconv"
	"strings"

	"github.com/newel-run/newel/internal/cfn"
)

const samConfigName = "samconfig.toml"

// samConfig is what SAM's configuration file says of a deployment: the sections default.global.parameters and
// default.deploy.parameters.
type samConfig struct {
	stack      string
	parameters map[string]string
}

// readSamConfig reads samconfig.toml; nil if there is none. Only what this package needs of TOML is understood: tables,
// and keys with a string or a list of strings on one line; other values are passed over.
func readSamConfig(dir fs.FS, shown string) (*samConfig, error) {
	text, err := fs.ReadFile(dir, samConfigName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c := &samConfig{parameters: map[string]string{}}
	section := ""
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "["); ok {
			section = strings.Trim(strings.TrimRight(name, "] \t"), "[ \t")
			continue
		}
		name, v, ok := strings.Cut(line, "=")
		if !ok || strings.HasPrefix(line, "#") || section != "default.global.parameters" && section != "default.deploy.parameters" {
			continue
		}
		switch strings.Trim(strings.TrimSpace(name), `"`) {
		case "stack_name":
			if c.stack, ok = tomlString(strings.TrimSpace(v)); !ok {
				return nil, cfn.Problems{{File: shown, Line: i + 1, Column: 1, Message: "stack_name must be a string"}}
			}
		case "parameter_overrides":
			if !c.overrides(strings.TrimSpace(v)) {
				return nil, cfn.Problems{{File: shown, Line: i + 1, Column: 1, Message: `parameter_overrides must be "Name=Value Name2=\"a value\"", or a list of such strings`}}
			}
		}
	}
	return c, nil
}

// tomlString reads a basic or a literal string.
func tomlString(text string) (string, bool) {
	if text == "" {
		return "", false
	}
	switch text[0] {
	case '\'':
		s, _, ok := strings.Cut(text[1:], "'")
		return s, ok
	case '"':
		quoted, err := strconv.QuotedPrefix(text)
		if err != nil {
			return "", false
		}
		s, err := strconv.Unquote(quoted)
		return s, err == nil
	}
	return "", false
}

// overrides reads parameters: one string or a list of strings.
func (c *samConfig) overrides(text string) bool {
	list, isList := strings.CutPrefix(text, "[")
	if !isList {
		s, ok := tomlString(text)
		return ok && c.pairs(s)
	}
	for {
		list = strings.TrimLeft(list, ", \t")
		if strings.HasPrefix(list, "]") {
			return true
		}
		s, ok := tomlString(list)
		if !ok || !c.pairs(s) {
			return false
		}
		if list[0] == '"' {
			quoted, _ := strconv.QuotedPrefix(list)
			list = list[len(quoted):]
		} else {
			list = list[len(s)+2:]
		}
	}
}

// pairs reads Name=Value Name="a value", separated by spaces.
func (c *samConfig) pairs(text string) bool {
	for {
		text = strings.TrimSpace(text)
		if text == "" {
			return true
		}
		name, rest, ok := strings.Cut(text, "=")
		if !ok {
			return false
		}
		if quoted, err := strconv.QuotedPrefix(rest); err == nil && rest[0] == '"' {
			v, err := strconv.Unquote(quoted)
			if err != nil {
				return false
			}
			c.parameters[strings.Trim(name, `"`)], text = v, rest[len(quoted):]
			continue
		}
		v, after, _ := strings.Cut(rest, " ")
		c.parameters[strings.Trim(name, `"`)], text = v, after
	}
}
