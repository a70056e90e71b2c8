package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/newel-run/newel/internal/collector"
	"github.com/newel-run/newel/internal/node"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/postgres"
	"github.com/newel-run/newel/internal/tracing"
)

// serverFlags are the settings of a server; each is also a NEWEL_* variable and a setting of the configuration file.
type serverFlags struct {
	node.Config
	limits    []string
	logLevel  string
	logFormat string
	otlp      string
}

func (s *serverFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.Listen, "listen", "127.0.0.1:4566", "address and port; every service is on this one port")
	s.addStorage(cmd)
	s.addBehaviour(cmd)
}

// addBehaviour adds everything but where the server listens and what it keeps.
func (s *serverFlags) addBehaviour(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.Account, "account", "000000000000", "account of requests whose access key id is no account id")
	f.StringArrayVar(&s.limits, "limit", nil, "NAME=VALUE: set a limit; OPERATION=BURST/RATE: throttle calls (repeatable)")
	f.StringVar(&s.Quotas, "limits", "", "aws: throttle calls and state transitions by AWS's quotas")
	f.StringArrayVar(&s.Hosts, "host", nil, "further host name that clients may use (repeatable)")
	f.StringVar(&s.Credentials, "credentials", "", "file of access keys; requests must be signed with one of them")
	f.StringVar(&s.TLSCert, "tls-cert", "", "certificate file")
	f.StringVar(&s.TLSKey, "tls-key", "", "key file")
	f.BoolVar(&s.Insecure, "insecure", false, "allow an address that other machines reach without credentials and TLS")
	f.StringVar(&s.SMTP, "smtp", "", "HOST:PORT of an SMTP server that gets the mails of the sink too")
	f.StringVar(&s.MockConfig, "mock-config", "", "file of mocked responses, as Step Functions Local's (default $SFN_MOCK_CONFIG)")
	f.BoolVar(&s.Profile, "pprof", false, "hand out Go's profiles of the server at /_newel/pprof/")
	f.BoolVar(&s.TestClock, "test-clock", false, "let 'newel clock skip' move the time on to the next Wait or retry delay")
	f.BoolVar(&s.NoInstall, "no-install", false, "never install what AWS's runtimes carry and this machine lacks")
	f.StringVar(&s.ForeignARNs, "foreign-arns", "local", "ARNs of other accounts: local (taken as our own) or strict")
	f.DurationVar(&s.Drain, "drain", 10*time.Second, "how long running requests may take after a stop")
	f.DurationVar(&s.Stall, "stall-timeout", 2*time.Minute, "how long a client may keep the server waiting for more of a request's body, or to take more of an answer")
	f.StringVar(&s.logLevel, "log-level", "info", "debug, info, warn or error")
	f.StringVar(&s.logFormat, "log-format", "text", "text or json")
	f.StringVar(&s.otlp, "otlp-endpoint", "", "URL that OpenTelemetry traces are sent to, as http://127.0.0.1:4318 (default $OTEL_EXPORTER_OTLP_ENDPOINT; none: no traces)")
}

func (s *serverFlags) addStorage(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.Data, "data", ".newel", "data directory")
	f.BoolVar(&s.Memory, "memory", false, "keep nothing")
	f.StringVar(&s.Store, "store", "", "postgres://...: keep the data in that database (S3 objects and the master key stay in --data)")
}

// settings are the server's settings with everything that flags give.
func (s *serverFlags) settings(a *app) (node.Config, error) {
	c := s.Config
	c.Region, c.Version, c.Limits = a.region, Version, map[string]string{}
	c.MockConfig = firstOf(c.MockConfig, a.getenv("SFN_MOCK_CONFIG"))
	for _, l := range s.limits {
		name, v, ok := strings.Cut(l, "=")
		if !ok {
			return c, usage("--limit %s: NAME=VALUE is needed", l)
		}
		c.Limits[name] = v
	}
	var err error
	if c.Traces, err = tracing.FromEnvironment(a.getenv, s.otlp); err != nil {
		return c, usage("%s", err)
	}
	c.Traces.Version = Version
	c.Log, err = s.logger(a)
	return c, err
}

// logger writes to standard error.
func (s *serverFlags) logger(a *app) (*slog.Logger, error) {
	o := &slog.HandlerOptions{}
	var level slog.Level
	if err := level.UnmarshalText([]byte(firstOf(s.logLevel, "info"))); err != nil {
		return nil, usage("--log-level %q: debug, info, warn or error", s.logLevel)
	}
	o.Level = level
	switch firstOf(s.logFormat, "text") {
	case "text":
		return slog.New(slog.NewTextHandler(a.err, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(a.err, o)), nil
	}
	return nil, usage("--log-format %q: text or json", s.logFormat)
}

func (a *app) serveCommand() *cobra.Command {
	var s serverFlags
	cmd := &cobra.Command{
		Use: "serve", Short: "Run the server", Args: cobra.NoArgs,
		Long: "Run the server until it is interrupted. What was running when it last stopped goes on at once.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.settings(a)
			if err != nil {
				return err
			}
			n, err := start(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			defer collector.Pace()()
			a.announce(n, cfg)
			return a.wait(cmd.Context(), n)
		},
	}
	s.add(cmd)
	return cmd
}

// start starts a server, and makes the data directory one that git leaves alone.
func start(ctx context.Context, cfg node.Config) (*node.Node, error) {
	n, err := node.Start(ctx, cfg)
	if err != nil {
		return nil, startProblem(err)
	}
	if cfg.Memory {
		return n, nil
	}
	ignore := filepath.Join(cfg.Data, ".gitignore")
	if _, err := os.Stat(ignore); errors.Is(err, os.ErrNotExist) {
		if err := os.WriteFile(ignore, []byte("*\n"), 0o644); err != nil {
			cfg.Log.Warn("the data directory has no .gitignore", "error", err)
		}
	}
	return n, nil
}

// announce says where the server is and what it keeps.
func (a *app) announce(n *node.Node, cfg node.Config) {
	keeps := "data in " + cfg.Data
	switch {
	case cfg.Memory:
		keeps = "nothing is kept"
	case cfg.Store != "":
		keeps = "data in database " + postgres.Describe(cfg.Store) + ", and " + cfg.Data
	}
	fmt.Fprintf(a.err, "newel %s is ready at %s (%s)\n", Version, n.URL(), keeps)
}

// wait serves until the context ends or the server stops by itself, which is an error.
func (a *app) wait(ctx context.Context, n *node.Node) error {
	failed := make(chan error, 1)
	go func() { failed <- n.Wait() }()
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	return errors.Join(err, n.Close(context.WithoutCancel(ctx)))
}

// startProblem adds the remedy to the problems that people meet.
func startProblem(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "listen" {
		return fmt.Errorf("%w; another server may be running there: choose another address with --listen", err)
	}
	switch {
	case errors.Is(err, store.ErrLocked):
		return fmt.Errorf("%w; stop that server, or give this one another directory with --data", err)
	case errors.Is(err, store.ErrCorrupt):
		return fmt.Errorf("%w.\nThe server does not start, and has changed nothing: what was acknowledged and lies in other files is safe. Restore the whole data directory "+
			"from a backup. docs/storage.md says how to go on with what is left", err)
	}
	return err
}

// private starts a server of this process's own on a free port that keeps nothing.
func (a *app) private(ctx context.Context, verbose bool) (*node.Node, *client, error) {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	if verbose {
		log = slog.New(slog.NewTextHandler(a.err, nil))
	}
	cfg := node.Config{Listen: "127.0.0.1:0", Memory: true, Account: "000000000000", Region: a.region, Version: Version, Log: log}
	n, err := node.Start(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	return n, a.local(n, cfg.Account), nil
}

// local is a server of this process as the commands see it.
func (a *app) local(n *node.Node, account string) *client {
	return &client{caller: n.Caller(), account: account, region: a.region, at: n.URL()}
}
