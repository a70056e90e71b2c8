package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/newel-run/newel/internal/cli/tree"
	"github.com/newel-run/newel/internal/suite"
)

// testFlags are the settings of 'newel test'.
type testFlags struct {
	junit, only string
	minimum     float64
	timeout     time.Duration
	verbose     bool
}

func (a *app) testCommand() *cobra.Command {
	var f testFlags
	cmd := &cobra.Command{
		Use: "test PATH...", Short: "Run the tests that stand beside state machines", Args: cobra.MinimumNArgs(1),
		Long: `Run tests of state machines: NAME.test.yaml or NAME.test.json beside NAME.asl.json, of a file or of all in a folder, or the
test cases of a Step Functions Local mock file. Nothing but what a test allows is called for real; Waits and retry delays take
no time. Prints what went wrong and what the tests cover. The exit status is 1 if a test failed or too little is covered.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			only, err := regexp.Compile(f.only)
			if err != nil {
				return usage("--run: %s", err)
			}
			suites, err := a.findSuites(args)
			if err != nil {
				return err
			}
			r, err := a.newTester(cmd.Context(), suites, &f)
			if err != nil {
				return err
			}
			runs, err := r.run(cmd.Context(), only)
			if err := errors.Join(err, r.node.Close(context.WithoutCancel(cmd.Context()))); err != nil {
				return err
			}
			return a.reportTests(runs, r.covered(), &f)
		},
	}
	cmd.Flags().StringVar(&f.junit, "junit", "", "write the results to this file as JUnit XML")
	cmd.Flags().Float64Var(&f.minimum, "min-coverage", 0, "fail if less than so many percent are covered")
	cmd.Flags().StringVar(&f.only, "run", "", "only the cases whose name matches this regular expression")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 30*time.Second, "real time that a case may take")
	cmd.Flags().BoolVar(&f.verbose, "verbose", false, "show the server's log")
	cmd.AddCommand(a.recordCommand())
	return cmd
}

// reportTests writes the results and decides the exit status.
func (a *app) reportTests(runs []*suite.Run, covered []*suite.Coverage, f *testFlags) error {
	if f.junit != "" {
		b, err := suite.JUnit(runs)
		if err == nil {
			err = os.WriteFile(f.junit, b, 0o644)
		}
		if err != nil {
			return err
		}
	}
	passed, failed := 0, 0
	for _, run := range runs {
		for _, r := range run.Results {
			if len(r.Wrong) == 0 {
				passed++
			} else {
				failed++
			}
		}
	}
	percent := suite.Percent(covered)
	if a.json {
		if err := a.writeJSON(testReport(runs, covered, percent)); err != nil {
			return err
		}
	} else {
		a.showRuns(runs)
		a.showCoverage(covered, percent)
		a.line(summary(passed, failed, percent)...)
	}
	switch {
	case failed > 0:
		return &exit{code: exitFailed}
	case passed == 0:
		return errors.New("no test was run")
	case percent < f.minimum:
		return fmt.Errorf("%.1f %% is covered, --min-coverage is %g %%", percent, f.minimum)
	}
	return nil
}

func summary(passed, failed int, percent float64) []tree.Span {
	line := []tree.Span{{Text: fmt.Sprintf("%d passed", passed), Style: tree.Good}}
	if failed > 0 {
		line = append(line, tree.Span{Text: ", "}, tree.Span{Text: fmt.Sprintf("%d failed", failed), Style: tree.Bad})
	}
	return append(line, tree.Span{Text: fmt.Sprintf(", %.1f %% covered", percent)})
}

// showRuns writes each case with its sign, and below it what is wrong.
func (a *app) showRuns(runs []*suite.Run) {
	for _, run := range runs {
		a.line(tree.Span{Text: run.Suite.File, Style: tree.Bold}, tree.Span{Text: "  " + run.Suite.Machine, Style: tree.Dim})
		for _, r := range run.Results {
			sign := tree.Span{Text: "  ✓ ", Style: tree.Good}
			if len(r.Wrong) > 0 {
				sign = tree.Span{Text: "  ✗ ", Style: tree.Bad}
			}
			took := "  " + tree.Duration(r.Real)
			if skipped := r.Outcome.Took - r.Real; skipped > time.Second {
				took += ", " + tree.Duration(r.Outcome.Took) + " for the state machine"
			}
			a.line(sign, tree.Span{Text: r.Case.Name}, tree.Span{Text: took, Style: tree.Dim})
			for _, w := range r.Wrong {
				fmt.Fprintln(a.out, "      "+tree.Clean(w))
			}
		}
		fmt.Fprintln(a.out)
	}
}

// columns writes rows below a heading, aligned, the numbers to the right: on a pipe too, for the logs of tests are read.
func (a *app) columns(heading []string, rows [][]string) {
	widths := make([]int, len(heading))
	all := append([][]string{heading}, rows...)
	for _, row := range all {
		for i, cell := range row {
			widths[i] = max(widths[i], tree.Line{{Text: cell}}.Width())
		}
	}
	for n, row := range all {
		text := ""
		for i, cell := range row {
			gap := strings.Repeat(" ", widths[i]-tree.Line{{Text: cell}}.Width())
			if i == 0 {
				text += cell + gap
			} else {
				text += "  " + gap + cell
			}
		}
		style := tree.Plain
		if n == 0 {
			style = tree.Dim
		}
		a.line(tree.Span{Text: text, Style: style})
	}
}

const missedShown = 12

// showCoverage writes what was covered of each machine, and what was not.
func (a *app) showCoverage(covered []*suite.Coverage, percent float64) {
	heading := []string{"COVERED"}
	for k := range suite.Kinds {
		heading = append(heading, k.String())
	}
	heading = append(heading, "%")
	rows := [][]string{}
	for _, c := range covered {
		row := []string{c.Machine}
		for k := range suite.Kinds {
			hit, all := c.Count(k)
			cell := fmt.Sprintf("%d/%d", hit, all)
			if all == 0 {
				cell = "-"
			}
			row = append(row, cell)
		}
		rows = append(rows, append(row, fmt.Sprintf("%.1f", suite.Percent([]*suite.Coverage{c}))))
	}
	if len(rows) > 1 {
		rows = append(rows, []string{"all", "", "", "", "", fmt.Sprintf("%.1f", percent)})
	}
	a.columns(heading, rows)
	fmt.Fprintln(a.out)
	for _, c := range covered {
		a.showMissed(c)
	}
}

func (a *app) showMissed(c *suite.Coverage) {
	var missed []string
	for k := range suite.Kinds {
		for _, label := range c.Missed(k) {
			missed = append(missed, map[suite.Kind]string{suite.State: "state ", suite.Branch: "branch "}[k]+label)
		}
	}
	if len(missed) == 0 {
		return
	}
	a.line(tree.Span{Text: "not covered in " + c.Machine, Style: tree.Warn})
	for i, m := range missed {
		if i == missedShown {
			fmt.Fprintf(a.out, "  and %d more; --json has all\n", len(missed)-i)
			break
		}
		fmt.Fprintln(a.out, "  "+tree.Clean(m))
	}
	fmt.Fprintln(a.out)
}

// testReport is what --json writes.
func testReport(runs []*suite.Run, covered []*suite.Coverage, percent float64) any {
	type result struct {
		File    string   `json:"file"`
		Machine string   `json:"machine"`
		Name    string   `json:"name"`
		Passed  bool     `json:"passed"`
		Wrong   []string `json:"wrong,omitempty"`
		Status  string   `json:"status"`
		Path    []string `json:"path"`
		Seconds float64  `json:"seconds"`
	}
	type count struct {
		Covered int      `json:"covered"`
		All     int      `json:"all"`
		Missed  []string `json:"missed,omitempty"`
	}
	results := []result{}
	for _, run := range runs {
		for _, r := range run.Results {
			results = append(results, result{run.Suite.File, run.Suite.Machine, r.Case.Name, len(r.Wrong) == 0, r.Wrong, r.Outcome.Status, r.Outcome.Path, r.Real.Seconds()})
		}
	}
	machines := map[string]map[string]count{}
	for _, c := range covered {
		m := map[string]count{}
		for k := range suite.Kinds {
			hit, all := c.Count(k)
			m[k.String()] = count{hit, all, c.Missed(k)}
		}
		machines[c.Machine] = m
	}
	return map[string]any{"results": results, "coverage": machines, "percent": percent}
}
