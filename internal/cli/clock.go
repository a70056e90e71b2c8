package cli

import (
	"cmp"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/newel-run/newel/internal/cli/tree"
	"github.com/newel-run/newel/internal/states"
)

func (a *app) clockCommand() *cobra.Command {
	show := func(cmd *cobra.Command, method, path string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		var clock states.Clock
		if err := c.hook(cmd.Context(), method, path, &clock); err != nil {
			return err
		}
		if a.json {
			return a.writeJSON(clock)
		}
		a.clock(&clock, path == states.SkipPath)
		return nil
	}
	cmd := &cobra.Command{
		Use: "clock", Short: "Show a test server's time, or move it on", Args: cobra.NoArgs,
		Long: `Show the server's time, and what 'newel clock skip' would move it on to. A server that was started with --test-clock can skip
Waits and retry delays; timeouts of tasks and everything else that is real work are left alone.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return show(cmd, http.MethodGet, states.ClockPath) },
	}
	times := 1
	skip := failing(&cobra.Command{
		Use: "skip", Short: "Move on to the end of the next Wait or retry delay", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for range times {
				if err := show(cmd, http.MethodPost, states.SkipPath); err != nil {
					return err
				}
			}
			return nil
		},
	})
	skip.Flags().IntVarP(&times, "times", "n", 1, "skip so many times")
	cmd.AddCommand(skip)
	return cmd
}

// clock writes what the time is, and what waits for it.
func (a *app) clock(c *states.Clock, skipped bool) {
	if skipped {
		text := "nothing to skip: no execution is in a Wait state or before a retry"
		if c.Skipped > 0 {
			text = "skipped " + tree.Duration(seconds(c.Skipped))
		}
		fmt.Fprintln(a.out, text)
	}
	kind := "real time"
	if c.TestClock {
		kind = "real time so far"
		if c.Ahead > 0 {
			kind = tree.Duration(seconds(c.Ahead)) + " ahead"
		}
	}
	fmt.Fprintf(a.out, "now   %s (%s)\n", c.Now.Local().Format(time.DateTime), kind)
	if !c.Next.IsZero() {
		who := cmp.Or(c.Execution, "an Express execution")
		fmt.Fprintf(a.out, "next  %s (in %s), %s\n", c.Next.Local().Format(time.DateTime), tree.Duration(c.Next.Sub(c.Now)), who)
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
