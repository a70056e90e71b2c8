package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// setting is a variable that sends AWS clients to a server.
type setting struct{ Name, Value string }

// clientSettings are what a shell needs so that AWS's tools work with the server. The endpoint is written with an IP
// address, so that S3 clients keep to path-style addresses.
func (a *app) clientSettings() []setting {
	return []setting{
		{"AWS_ENDPOINT_URL", strings.Replace(a.endpoint, "//localhost:", "//127.0.0.1:", 1)},
		{"AWS_DISABLE_HOST_PREFIX_INJECTION", "true"},
		{"AWS_REGION", a.region},
		{"AWS_DEFAULT_REGION", a.region},
		{"AWS_ACCESS_KEY_ID", "test"},
		{"AWS_SECRET_ACCESS_KEY", "test"},
	}
}

func (a *app) envCommand() *cobra.Command {
	shell := ""
	cmd := &cobra.Command{
		Use: "env", Short: "Print the variables that send AWS clients to the server", Args: cobra.NoArgs,
		Long: `Print the variables that send AWS clients to the server, for a shell to read:

  eval "$(newel env)"                          sh, bash, zsh
  newel env --shell fish | source              fish
  newel env --shell powershell | Invoke-Expression`,
		RunE: func(*cobra.Command, []string) error {
			settings := a.clientSettings()
			if a.json {
				doc := map[string]string{}
				for _, s := range settings {
					doc[s.Name] = s.Value
				}
				return a.writeJSON(doc)
			}
			format, ok := map[string]string{"sh": "export %s='%s'\n", "fish": "set -gx %s '%s'\n", "powershell": "$env:%s = '%s'\n"}[shell]
			if !ok {
				return usage("--shell %q: sh, fish or powershell", shell)
			}
			for _, s := range settings {
				fmt.Fprintf(a.out, format, s.Name, strings.ReplaceAll(s.Value, "'", ""))
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&shell, "shell", "sh", "sh, fish or powershell")
	return cmd
}
