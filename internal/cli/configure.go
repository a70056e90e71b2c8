package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	yaml "go.yaml.in/yaml/v4"
)

const defaultEndpoint = "http://127.0.0.1:4566"

// configure gives every flag that was not given its value from the environment (NEWEL_DATA for --data), else from the
// configuration file (data: ...). Lists are separated by commas in the environment.
func (a *app) configure(cmd *cobra.Command) error {
	if a.config == "" {
		a.config = a.getenv("NEWEL_CONFIG")
	}
	file, err := readConfig(a.config)
	if err != nil {
		return usage("%s", err)
	}
	known := map[string]bool{}
	for _, c := range cmd.Root().Commands() {
		c.Flags().VisitAll(func(f *pflag.Flag) { known[f.Name] = true })
		c.InheritedFlags().VisitAll(func(f *pflag.Flag) { known[f.Name] = true })
	}
	for name := range file {
		if !known[name] {
			return usage("%s: setting %q is not known", a.config, name)
		}
	}
	var failed error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed || failed != nil || f.Name == "help" || f.Name == "config" {
			return
		}
		variable := "NEWEL_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		values, from := file[f.Name], a.config
		if v := a.getenv(variable); v != "" {
			values, from = strings.Split(v, ","), variable
			if _, list := f.Value.(pflag.SliceValue); !list {
				values = []string{v}
			}
		}
		for _, v := range values {
			if err := cmd.Flags().Set(f.Name, v); err != nil {
				failed = usage("%s: %s", from, err)
			}
		}
	})
	if failed != nil {
		return failed
	}
	a.endpoint = firstOf(a.endpoint, a.getenv("AWS_ENDPOINT_URL"), defaultEndpoint)
	a.region = firstOf(a.region, a.getenv("AWS_REGION"), a.getenv("AWS_DEFAULT_REGION"), "us-east-1")
	return nil
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// readConfig reads a file of settings: a flat object, values scalars, lists or (for --limit) an object.
func readConfig(name string) (map[string][]string, error) {
	if name == "" {
		return nil, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var doc map[string]yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	out := map[string][]string{}
	for k, n := range doc {
		switch n.Kind {
		case yaml.ScalarNode:
			out[k] = []string{n.Value}
		case yaml.SequenceNode:
			for _, c := range n.Content {
				out[k] = append(out[k], c.Value)
			}
		case yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				out[k] = append(out[k], n.Content[i].Value+"="+n.Content[i+1].Value)
			}
		default:
			return nil, fmt.Errorf("%s:%d: setting %q cannot be understood", name, n.Line, k)
		}
	}
	return out, nil
}
