package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/internal/project"
)

func (a *app) validateCommand() *cobra.Command {
	return &cobra.Command{
		Use: "validate FILE...", Short: "Check state machine definitions", Args: cobra.MinimumNArgs(1),
		Long: "Check definitions (JSON or YAML) and print each diagnostic as FILE:LINE:COLUMN: SEVERITY CODE MESSAGE. The exit status is 1 if there are errors.",
		RunE: func(_ *cobra.Command, files []string) error {
			type diagnostic struct {
				File, Severity, Code, Message, Location string
				Line, Column                            int
			}
			all, failed := []diagnostic{}, false
			for _, file := range files {
				text, err := os.ReadFile(file)
				if err != nil {
					return usage("%s", err)
				}
				_, ds := asl.Compile(text, asl.Options{YAML: true})
				for _, d := range ds {
					failed = failed || d.Severity == asl.SeverityError
					all = append(all, diagnostic{file, string(d.Severity), d.Code, d.Message, d.Location, d.Line, d.Column})
					if !a.json {
						fmt.Fprintln(a.out, diagnosticLine(file, d))
					}
				}
			}
			if a.json {
				if err := a.writeJSON(all); err != nil {
					return err
				}
			}
			if failed {
				return &exit{code: exitFailed}
			}
			return nil
		},
	}
}

func diagnosticLine(file string, d asl.Diagnostic) string { return project.DiagnosticLine(file, d) }
