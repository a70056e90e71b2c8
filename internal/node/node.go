// Package node is the composition root: it opens the store, makes every service, joins them at the seam and serves
// them. It is the only package that knows all others.
//
// Start order: store, services, resumption of what was running, listener. Stop order is the reverse: no new requests,
// then the engine and the functions, then the store; what is unfinished resumes at the next start.
package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/newel-run/newel/internal/apigateway"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/foreign"
	"github.com/newel-run/newel/internal/cfn"
	"github.com/newel-run/newel/internal/cloudwatch"
	"github.com/newel-run/newel/internal/dynamodb"
	"github.com/newel-run/newel/internal/ecr"
	"github.com/newel-run/newel/internal/events"
	"github.com/newel-run/newel/internal/events/connection"
	"github.com/newel-run/newel/internal/gateway"
	"github.com/newel-run/newel/internal/iam"
	"github.com/newel-run/newel/internal/kms"
	"github.com/newel-run/newel/internal/lambda"
	"github.com/newel-run/newel/internal/limits"
	"github.com/newel-run/newel/internal/logs"
	"github.com/newel-run/newel/internal/mail"
	"github.com/newel-run/newel/internal/observe"
	"github.com/newel-run/newel/internal/s3"
	"github.com/newel-run/newel/internal/sam"
	"github.com/newel-run/newel/internal/secretsmanager"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/sns"
	"github.com/newel-run/newel/internal/sqs"
	"github.com/newel-run/newel/internal/ssm"
	"github.com/newel-run/newel/internal/states"
	"github.com/newel-run/newel/internal/statuschange"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/memory"
	"github.com/newel-run/newel/internal/store/pebble"
	"github.com/newel-run/newel/internal/store/postgres"
	"github.com/newel-run/newel/internal/sts"
	"github.com/newel-run/newel/internal/task"
	"github.com/newel-run/newel/internal/tracing"
)

// Node is a running server.
type Node struct {
	cfg      Config
	store    store.Store
	router   *router
	caller   aws.Caller // router behind what stands in front of every call
	calls    *observe.Calls
	quiet    *quiet
	limiter  *limits.Limiter
	owed     atomic.Int64
	began    time.Time
	sqs      *sqs.Service
	sns      *sns.Service
	events   *events.Service
	status   *statuschange.Emitter
	traces   *tracing.Tracer // nil for none
	mail     *mail.Service
	s3       *s3.Service
	kms      *kms.Service
	metrics  *cloudwatch.Service
	states   *states.Service
	lambda   *lambda.Service
	apis     *apigateway.Service
	cfn      *cfn.Service
	gateway  *gateway.Gateway
	listener net.Listener

	stop   context.CancelFunc
	served chan error
	once   sync.Once
	err    error
}

// Start makes a server and returns when it answers requests and everything that was running has been resumed.
func Start(ctx context.Context, cfg Config) (*Node, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	set, err := cfg.settings()
	if err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, began: time.Now(), served: make(chan error, 1)}
	if n.store, err = openStore(ctx, cfg); err != nil {
		return nil, err
	}
	if err = n.start(ctx, set); err != nil {
		return nil, errors.Join(err, n.Close(ctx))
	}
	return n, nil
}

func openStore(ctx context.Context, cfg Config) (store.Store, error) {
	if cfg.Memory {
		return memory.New(memory.Options{}), nil
	}
	if cfg.Store != "" {
		if err := os.MkdirAll(cfg.Data, 0o700); err != nil { // for what is not in the database
			return nil, err
		}
		s, err := postgres.Open(ctx, cfg.Store, postgres.Options{Logger: cfg.Log})
		if err != nil {
			return nil, err
		}
		return s, nil
	}
	s, err := pebble.Open(cfg.Data, pebble.Options{Logger: cfg.Log})
	if err != nil {
		return nil, fmt.Errorf("data directory %s: %w", cfg.Data, err)
	}
	return s, nil
}

func (n *Node) start(ctx context.Context, set settings) error {
	gatewayConfig := gateway.Config{
		Account: n.cfg.Account, Region: n.cfg.Region, Version: n.cfg.Version, Hosts: n.cfg.Hosts, Credentials: n.cfg.Credentials,
		CertFile: n.cfg.TLSCert, KeyFile: n.cfg.TLSKey, Insecure: n.cfg.Insecure, Drain: n.cfg.Drain, StallTimeout: n.cfg.Stall, Log: n.cfg.Log,
		Identify: sts.Identify,
		Refusal:  limits.Refusal, BytesInFlight: int64(set.requestBytes), Connections: set.connections,
	}
	if err := gatewayConfig.CheckListen(n.cfg.Listen); err != nil {
		return err
	}
	var err error
	if n.listener, err = net.Listen("tcp", n.cfg.Listen); err != nil {
		return err
	}
	if err := n.compose(ctx, set); err != nil {
		return err
	}
	if err := errors.Join(n.kms.Start(ctx), n.metrics.Start(ctx)); err != nil {
		return err
	}
	if err := n.apis.Start(ctx); err != nil {
		return err
	}
	if err := n.lambda.Start(ctx); err != nil {
		return err
	}
	if err := errors.Join(n.mail.Start(ctx), n.sns.Start(ctx), n.events.Start(ctx), n.status.Start(ctx)); err != nil {
		return err
	}
	if err := n.sqs.Resume(ctx); err != nil {
		return err
	}
	if err := n.s3.Start(ctx); err != nil {
		return err
	}
	if n.traces != nil {
		if err := n.traces.Start(ctx, n.states.Engine()); err != nil {
			return err
		}
	}
	if err := n.states.Start(ctx); err != nil {
		return err
	}
	if err := n.cfn.Start(ctx); err != nil {
		return err
	}
	gatewayConfig.Services = n.router.published()
	if n.gateway, err = gateway.New(gatewayConfig, n.caller); err != nil {
		return err
	}
	for _, pattern := range []string{mail.Path, mail.Path + "/{id}"} {
		n.gateway.Handle(pattern, n.gateway.Signed(n.mail.Handler()))
	}
	n.gateway.Handle("GET "+sns.CertificatePattern, n.sns.Certificate())
	n.gateway.Handle("GET "+sqs.PeekPath, n.gateway.Signed(n.sqs.Peek()))
	n.gateway.Handle("GET "+states.WaitsPath, n.gateway.Signed(n.states.Waits()))
	n.gateway.Handle("GET "+states.ClockPath, n.gateway.Signed(n.states.Clock()))
	n.gateway.Handle("POST "+states.SkipPath, n.gateway.Signed(n.states.Skip()))
	n.gateway.Handle("GET "+lambda.LoadPath, n.gateway.Signed(n.lambda.Load()))
	n.gateway.Handle("GET "+lambda.CodePath, http.HandlerFunc(n.lambda.ServeCode))
	n.serveProfiles()
	n.serveObservations()
	n.gateway.Handle(apigateway.UserRequestPattern, n.apis)
	n.gateway.HandleHost(apigateway.ServesHost, n.apis)
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	n.stop = stop
	go func() { n.served <- n.gateway.Serve(serving, n.listener) }()
	return nil
}

// compose makes the services and joins them.
func (n *Node) compose(ctx context.Context, set settings) error {
	n.router = &router{services: map[string]operator{}}
	known, err := newOwners(ctx, n.store)
	if err != nil {
		return err
	}
	known.next = n.router
	n.limiter = limits.New(limits.Config{AWS: n.cfg.Quotas == "aws", Rates: set.rates, Now: time.Now, Record: n.record})
	n.calls = observe.NewCalls(foreign.New(foreign.Config{Owns: known.owns, Strict: n.cfg.ForeignARNs == "strict", Log: n.cfg.Log}, n.limiter.Caller(known)), n.router.has)
	n.quiet = newQuiet(n.calls, func() { n.states.Engine().Rest() })
	n.caller = n.quiet
	env := &service.Env{Store: n.store, Caller: n.caller, Now: time.Now, Log: n.cfg.Log, Account: n.cfg.Account, Region: n.cfg.Region, BaseURL: n.URL, Owed: &n.owed}
	if err := n.protect(env); err != nil {
		return err
	}
	n.events = events.New(env, connection.New(env).Operations()...)
	n.metrics = cloudwatch.New(env, cloudwatch.Config{Wanted: n.events.CouldMatch})
	env.Metrics = n.metrics
	n.lambda = lambda.New(env, lambda.Config{CacheDir: n.cfg.CacheDir, MaxWorkers: set.workers, MaxWaiting: set.lambdaQueue, NoInstall: n.cfg.NoInstall, StrictARNs: n.cfg.ForeignARNs == "strict"})
	tasks := &task.Runner{Caller: n.caller, Has: n.router.has}
	n.cfn = cfn.New(env, map[string]cfn.Macro{sam.Name: func(file string, template *cfn.Node, parameters map[string]string) (*cfn.Node, error) {
		return sam.Transform(template, sam.Input{File: file, Parameters: parameters})
	}})
	n.status = statuschange.New(env, n.events.CouldMatch)
	cases, err := n.cfg.testCases()
	if err != nil {
		return err
	}
	statesConfig := states.Config{
		Env: env, Dispatcher: cases.dispatcher(tasks), HasTest: cases.has(), TestClock: n.cfg.testClock(), Resource: cases.resource(tasks.Problem),
		MockProblem: task.MockProblem, Limits: set.machine, Bounds: set.bounds, Pollers: set.pollers,
		Admit: func(operation, account, region string) *aws.Error {
			return n.limiter.Take("states", operation, account, region)
		}, Pace: n.pacing(set),
		Changed: n.status.Changed,
	}
	if o := n.cfg.Observer; o != nil {
		statesConfig.Entered, statesConfig.Decided = o.Entered, o.Decided
	}
	if n.cfg.Traces.Endpoint != "" {
		n.traces = tracing.New(env, n.cfg.Traces)
		statesConfig.Tracing = n.traces
	}
	n.states = states.New(statesConfig)
	n.apis = apigateway.New(env)
	n.sqs, n.sns, n.mail = sqs.New(env), sns.New(env), mail.New(env, mail.Config{SMTP: n.cfg.SMTP})
	n.s3 = s3.New(env, s3.Config{Dir: n.cfg.objects(), Wanted: n.events.CouldMatch})
	for _, s := range []operator{
		n.states, n.lambda, n.sqs, n.apis, n.sns, n.mail, n.events, n.s3, dynamodb.New(env), iam.New(env), n.kms, n.metrics, sts.New(env), logs.New(env), ecr.New(env), secretsmanager.New(env), ssm.New(env), n.cfn,
	} {
		n.router.add(s)
	}
	return nil
}

// Caller is the whole of AWS as this server knows it.
func (n *Node) Caller() aws.Caller { return n.caller }

// States is the Step Functions service, for tools that run in the server's process.
func (n *Node) States() *states.Service { return n.states }

// URL is where clients reach the server.
func (n *Node) URL() string {
	scheme := "http"
	if n.cfg.TLSCert != "" {
		scheme = "https"
	}
	return scheme + "://" + n.listener.Addr().String()
}

// Wait returns when the server has stopped serving: after Close, or because the store can no longer write, which is an
// error; the process should end and recover at its next start.
func (n *Node) Wait() error {
	select {
	case err := <-n.served:
		n.served <- err
		return err
	case <-n.store.Failed():
		return n.store.Err()
	}
}

// Close stops serving, waits for what is running up to the drain time, and closes the store.
func (n *Node) Close(ctx context.Context) error {
	n.once.Do(func() { n.err = n.close() })
	return n.err
}

func (n *Node) close() error {
	var errs []error
	if n.quiet != nil {
		n.quiet.close()
	}
	if n.sqs != nil {
		n.sqs.Close() // ends long polls
	}
	if n.stop != nil {
		n.stop()
		err := <-n.served
		n.served <- err
		errs = append(errs, err)
	} else if n.listener != nil {
		errs = append(errs, n.listener.Close())
	}
	if n.cfn != nil {
		n.cfn.Close()
	}
	if n.states != nil {
		n.states.Close()
	}
	if n.traces != nil {
		n.traces.Close()
	}
	if n.sns != nil {
		n.status.Close()
		n.events.Close()
		n.sns.Close()
		n.mail.Close()
	}
	if n.lambda != nil {
		n.lambda.Close()
	}
	if n.s3 != nil {
		errs = append(errs, n.s3.Close())
	}
	if n.metrics != nil {
		n.metrics.Close()
	}
	return errors.Join(append(errs, n.store.Close())...)
}
