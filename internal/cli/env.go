package cli

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"

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
		RunE: func(cmd *cobra.Command, _ []string) error {
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
			if version := awsVersion(cmd.Context()); strings.HasPrefix(version, "1.") {
				fmt.Fprintf(a.out, awsFunctions[shell], version)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&shell, "shell", "sh", "sh, fish or powershell")
	return cmd
}

// awsVersion is the version of the AWS CLI in the PATH, "" where there is none that works.
func awsVersion(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "aws", "--version").CombinedOutput() // early ones write to standard error
	_, version, ok := strings.Cut(string(out), "aws-cli/")
	if err != nil || !ok {
		return ""
	}
	version, _, _ = strings.Cut(version, " ")
	return strings.TrimSpace(version)
}

// awsFunctions put the endpoint into every call of version 1 of the AWS CLI, by shell.
var awsFunctions = map[string]string{
	"sh": `# The AWS CLI here is version %s. Version 1 does not use AWS_ENDPOINT_URL for 'aws sqs' in some regions, us-east-1 among
# them: it would call AWS itself. An option always counts.
aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }
`,
	"fish": `# The AWS CLI here is version %s. Version 1 does not use AWS_ENDPOINT_URL for 'aws sqs' in some regions, us-east-1 among
# them: it would call AWS itself. An option always counts.
function aws; command aws --endpoint-url $AWS_ENDPOINT_URL $argv; end
`,
	"powershell": `# The AWS CLI here is version %s. Version 1 does not use AWS_ENDPOINT_URL for 'aws sqs' in some regions, us-east-1 among
# them: it would call AWS itself. An option always counts.
function aws { & (Get-Command -CommandType Application aws)[0] --endpoint-url $env:AWS_ENDPOINT_URL @args }
`,
}
