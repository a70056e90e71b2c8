package node

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/newel-run/newel/internal/mocks"
	"github.com/newel-run/newel/internal/tracing"
	"github.com/newel-run/newel/machine"
)

// Config is everything that can be set about a server. Flags, NEWEL_* variables and the configuration file are read by
// the command line and end here.
type Config struct {
	Listen string // "127.0.0.1:4566" if empty; port 0 takes a free one
	Data   string // data directory, ".newel" in the working directory if empty
	Memory bool   // keep nothing
	Store  string // "" for the embedded store, or the "postgres://..." URL of a database; S3's objects and the master key stay in Data

	Account string // twelve digits, "000000000000" if empty
	Region  string // "us-east-1" if empty

	Limits map[string]string // --limit NAME=VALUE
	Quotas string            // "aws": AWS's rates of calls and counts; "" for none

	MockConfig string       // file of mocked responses in the format of Step Functions Local; "" for none
	Mocks      mocks.Config // further test cases, for tools that run in the server's process

	TestClock bool // the time may be moved on to the next Wait or retry delay on request
	SkipTime  bool // Waits and retry delays are over as soon as nothing else is left to be done

	Observer Observer       // told what executions cover, for tools that run in the server's process; nil for none
	Traces   tracing.Config // where traces go; the zero value is nowhere

	SMTP string // "host:port" of the server that gets the mails of the sink too; "" for none

	Hosts       []string // further host names that clients may use
	Credentials string   // file of access keys whose signatures are checked
	TLSCert     string
	TLSKey      string
	Insecure    bool

	NoInstall   bool   // never install what AWS's runtimes carry
	ForeignARNs string // "local" (default) or "strict"
	CacheDir    string // unpacked code and installed packages; the user's cache directory if empty

	Profile bool // Go's profiles are at /_newel/pprof/

	Drain   time.Duration // how long running requests may take after a stop; 10 s if zero
	Stall   time.Duration // how long a client may keep us waiting in the middle of a request or answer; 2 min if zero
	Log     *slog.Logger
	Version string
}

// Observer is told what executions cover.
type Observer interface {
	Entered(execution, state string)
	Decided(execution string, decisions []machine.Decision)
}

// WithDefaults fills what is not set.
func (c Config) WithDefaults() Config {
	for _, d := range []struct {
		field *string
		value string
	}{{&c.Listen, "127.0.0.1:4566"}, {&c.Data, ".newel"}, {&c.Account, "000000000000"}, {&c.Region, "us-east-1"}, {&c.ForeignARNs, "local"}, {&c.Version, "dev"}} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
	if c.CacheDir == "" {
		if dir, err := os.UserCacheDir(); err == nil {
			c.CacheDir = filepath.Join(dir, "newel")
		} else {
			c.CacheDir = filepath.Join(os.TempDir(), "newel-cache")
		}
	}
	if c.Drain == 0 {
		c.Drain = 10 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// objects is the folder of S3's objects, "" for a temporary one.
func (c Config) objects() string {
	if c.Memory {
		return ""
	}
	return filepath.Join(c.Data, "objects")
}

var accountID = regexp.MustCompile(`^[0-9]{12}$`)

func (c Config) validate() error {
	switch {
	case !accountID.MatchString(c.Account):
		return fmt.Errorf("account %q: twelve digits are needed", c.Account)
	case c.Store != "" && c.Memory:
		return errors.New("a store and memory exclude each other")
	case c.Store != "" && !strings.HasPrefix(c.Store, "postgres://") && !strings.HasPrefix(c.Store, "postgresql://"):
		return errors.New("the store is no postgres:// URL")
	case c.Quotas != "" && c.Quotas != "aws":
		return fmt.Errorf("limits %q: aws", c.Quotas)
	case c.ForeignARNs != "local" && c.ForeignARNs != "strict":
		return fmt.Errorf("foreign ARNs %q: local or strict", c.ForeignARNs)
	}
	return nil
}
