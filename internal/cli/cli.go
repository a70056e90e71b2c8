// Package cli is the command line: one file a command, flags and environment read here and nowhere else.
//
// Three things are the same for every command. Where it works: --endpoint, NEWEL_ENDPOINT, AWS_ENDPOINT_URL, else the
// local default; a private server in the process is the same aws.Caller (client.go). How it writes: tables and a live
// tree for people on a terminal, plain lines on a pipe, one JSON document with --json (output.go). How it ends: 0 done,
// 1 failed, 2 for an execution that timed out or was aborted, 64 for bad usage with one line that says what is wrong.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// Version is the version of the binary; releases set it when linking.
var Version = "dev"

// Exit statuses.
const (
	exitOK      = 0
	exitFailed  = 1
	exitStopped = 2 // the execution timed out or was aborted
	exitUsage   = 64
)

// exit is an error that carries the exit status; an empty text says nothing more.
type exit struct {
	code int
	err  error
}

func (e *exit) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

// usage is an error of how the command was called.
func usage(format string, args ...any) error {
	return &exit{exitUsage, fmt.Errorf(format, args...)}
}

// app is what the commands share.
type app struct {
	in       io.Reader
	out, err io.Writer
	getenv   func(string) string

	endpoint, region, config string
	json                     bool
}

// Main runs the command line and returns the exit status.
func Main(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second interrupt ends the process at once
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv}
	return a.run(ctx, args)
}

func (a *app) run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	var e *exit
	if !errors.As(err, &e) {
		e = &exit{exitUsage, err} // cobra's own errors are all about flags, arguments and command names
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		e = &exit{e.code, errors.New("interrupted")}
	}
	if text := e.Error(); text != "" {
		if e.code == exitUsage {
			text = firstLine(text) + " (see '" + cmd.CommandPath() + " --help')"
		}
		fmt.Fprintln(a.err, "newel: "+text)
	}
	return e.code
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return s
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "newel",
		Short:         "AWS Step Functions anywhere, in one binary",
		SilenceErrors: true, SilenceUsage: true, SuggestionsMinimumDistance: 2,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
					return usage("unknown command %q; did you mean %s?", args[0], strings.Join(like, " or "))
				}
				return usage("unknown command %q", args[0])
			}
			return usage("a command is needed")
		},
		RunE: func(*cobra.Command, []string) error { return nil },
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return a.configure(cmd)
		},
	}
	f := root.PersistentFlags()
	f.StringVar(&a.endpoint, "endpoint", "", "server to work with (default $AWS_ENDPOINT_URL, else "+defaultEndpoint+")")
	f.StringVar(&a.region, "region", "", "region (default $AWS_REGION, else us-east-1)")
	f.StringVar(&a.config, "config", "", "file with settings: NAME: VALUE, names as the flags'")
	f.BoolVar(&a.json, "json", false, "write JSON for programs")
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetIn(a.in)
	for _, c := range []*cobra.Command{
		a.serveCommand(), a.upCommand(), a.destroyCommand(), a.demoCommand(), a.runCommand(), a.validateCommand(),
		a.startCommand(), a.describeCommand(), a.historyCommand(), a.tailCommand(), a.listCommand(), a.stopCommand(), a.redriveCommand(),
		a.invokeCommand(), a.mailCommand(), a.sendTaskCommand(), a.graphCommand(), a.stacksCommand(), a.logsCommand(), a.queueCommand(),
		a.clockCommand(), a.whyCommand(), a.topCommand(), a.testCommand(),
		a.envCommand(), a.doctorCommand(), a.benchCommand(), a.versionCommand(),
	} {
		root.AddCommand(failing(c))
	}
	return root
}

// failing gives the errors of a command's own work the exit status 1; those before it are usage errors.
func failing(c *cobra.Command) *cobra.Command {
	work := c.RunE
	c.RunE = func(cmd *cobra.Command, args []string) error {
		err := work(cmd, args)
		var e *exit
		if err == nil || errors.As(err, &e) {
			return err
		}
		return &exit{exitFailed, err}
	}
	return c
}

// terminal is the writer's size if it is a terminal that can redraw, else ok is false.
func (a *app) terminal() (width, height int, ok bool) {
	f, isFile := a.out.(*os.File)
	if !isFile || a.json || a.getenv("TERM") == "dumb" || !term.IsTerminal(int(f.Fd())) {
		return 0, 0, false
	}
	width, height, err := term.GetSize(int(f.Fd()))
	return width, height, err == nil && width > 0
}

// color says whether to colour what is written to a terminal.
func (a *app) color() bool {
	_, _, ok := a.terminal()
	return ok && a.getenv("NO_COLOR") == ""
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if a.json {
				return a.writeJSON(map[string]string{"version": Version})
			}
			fmt.Fprintln(a.out, "newel "+Version)
			return nil
		},
	}
}
