// Package lambda is the Lambda service: functions as records in the store, their code as bytes in the store, and
// invocations run by local processes (packages runtime, shim and toolchain).
//
// Authoritative is the store. All functions of an account and region share one partition, so that a list is a scan; a
// function's code lies beside its record in chunks of 1 MiB. Order of durability: all chunks but the last, then one
// transaction with the last chunk and the record, which also removes code that nothing has any more. What a crash leaves of an
// unfinished upload is removed by the function's next one. Versions and aliases are rows beside the function's
// (qualifier.go); a package stays as long as $LATEST or a version has it. Unpacked code is a cache, keyed by the hash of the package,
// and may be deleted while the server is down.
//
// Invoke is not transactional. A synchronous invocation exists in memory only; whoever needs its answer repeats it after
// a crash (at least once). An asynchronous one (Event) is a row that is durable before it is acknowledged and is
// removed after its last attempt: at least once too, with AWS's two retries. Event source mappings are rows too; their
// pollers (pollers.go) keep nothing that the queue does not have.
package lambda

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/newel-run/newel/internal/lambda/runtime"
	"github.com/newel-run/newel/internal/lambda/shim"
	"github.com/newel-run/newel/internal/lambda/toolchain"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// Config is the service's settings; zero values take the defaults.
type Config struct {
	CacheDir    string            // unpacked code, shims and installed modules; default: "newel" in the user's cache folder
	MaxWaiting  int               // invocations in line for one above which others are refused; default 10,000
	MaxWorkers  int               // processes at a time; default 4 for each core, and what a quarter of the memory holds
	IdleTimeout time.Duration     // an idle process is stopped after this; default 10 minutes
	InitLimit   time.Duration     // what a process may take to start, on top of the function's timeout; default 10 s
	NoInstall   bool              // never install what AWS's runtimes carry and this machine lacks
	Env         map[string]string // further environment variables of every function
	Runtimes    map[string]string // runtime ("python3.12") or family ("python", "nodejs") -> interpreter
	LogSink     runtime.LogSink   // also gets every log line, beside CloudWatch Logs; must not block
	StrictARNs  bool              // an ARN of a foreign account or region is not looked up in the caller's own
	// RetryDelays are the pauses before an asynchronous invocation's second and third attempt; default 1 and 2 minutes.
	RetryDelays []time.Duration
}

func (c Config) withDefaults() (Config, error) {
	if c.CacheDir == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return c, err
		}
		c.CacheDir = filepath.Join(dir, "newel")
	}
	if c.RetryDelays == nil {
		c.RetryDelays = []time.Duration{time.Minute, 2 * time.Minute}
	}
	return c, nil
}

// Service is the Lambda service.
type Service struct {
	*service.Service
	cfg     Config
	tools   *toolchain.Toolchain
	pool    *runtime.Pool
	logs    *shipper
	events  *events
	pollers *pollers
	shim    string // folder of the runtime programs

	mu      sync.Mutex
	uploads map[string]*sync.Mutex // one upload at a time for each function
	cached  map[string]*loaded     // by function: the last record that was read
	running map[string]int         // invocations by function, for reserved concurrency
	unpack  sync.Mutex
	intact  map[string]bool // packages whose unpacked files were looked at; unpack guards it

	concurrent concurrency

	locationKey [32]byte // signs the URLs under which code is offered
}

// New makes the service. Start it before the first call, and Close it to end its processes.
func New(env *service.Env, cfg Config) *Service {
	s := &Service{cfg: cfg, uploads: map[string]*sync.Mutex{}, cached: map[string]*loaded{}, running: map[string]int{}, intact: map[string]bool{}}
	s.pollers = newPollers(s)
	rand.Read(s.locationKey[:])
	s.Service = service.New("lambda", env, s.table())
	s.Place = func(account, region, _ string) store.Partition {
		return store.Place(env.Store.Partitions(), account, region, "lambda")
	}
	return s
}

// Start prepares the cache, starts the pool and takes up the asynchronous invocations that are still to be made.
func (s *Service) Start(ctx context.Context) error {
	var err error
	if s.cfg, err = s.cfg.withDefaults(); err != nil {
		return err
	}
	if s.shim, err = shim.Extract(s.cfg.CacheDir); err != nil {
		return err
	}
	log := s.Env.Log
	s.tools = toolchain.New(toolchain.Options{
		Cache: filepath.Join(s.cfg.CacheDir, "modules"), NoInstall: s.cfg.NoInstall, Paths: s.cfg.Runtimes,
		Announce: func(what string) { log.Info(what) },
	})
	s.logs = newShipper(s.Env, s.cfg.LogSink)
	s.pool = runtime.NewPool(runtime.Options{
		MaxWorkers: s.cfg.MaxWorkers, MaxWaiting: s.cfg.MaxWaiting, IdleTimeout: s.cfg.IdleTimeout, InitLimit: s.cfg.InitLimit,
		Logs: s.logs, Modules: modules{s.tools}, Log: log,
	})
	s.events = newEvents(s)
	if err = s.events.start(ctx); err != nil {
		return err
	}
	return s.pollers.start(ctx)
}

// Close ends every process and writes the logs that are left.
func (s *Service) Close() error {
	if s.pool == nil {
		return nil
	}
	s.pollers.stop()
	s.events.stop()
	s.pool.Close()
	s.pollers.wait()
	s.events.wait()
	s.logs.close()
	return nil
}

type modules struct{ *toolchain.Toolchain }

func (m modules) Module(ctx context.Context, spec *runtime.Spec, name string) (string, error) {
	return m.Toolchain.Module(ctx, spec.Runtime, name)
}

var errNoSuchFunction = errors.New("lambda: no such function")
