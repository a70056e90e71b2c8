package tracing

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/newel-run/newel/internal/aws"
)

// exporter sends spans, many in one request, one request after the other. What is given to it waits a moment for more.
type exporter struct {
	cfg    Config
	log    *slog.Logger
	client *http.Client
	wake   chan struct{}
	done   chan struct{}
	ctx    context.Context // ends when it closes: nothing is waited for any more
	cancel context.CancelFunc
	posts  context.Context // of the requests; ends some time later
	abort  context.CancelFunc

	mu      sync.Mutex
	pending []parcel
	spans   int // in pending
	dropped int
	closed  bool
}

// parcel is the spans of one execution. sent is told how sending them went; nil if nobody waits: then they are sent
// again as long as there is room.
type parcel struct {
	spans []Span
	sent  chan<- error
}

const (
	gatherDelay = 20 * time.Millisecond
	retryDelay  = time.Second
	closeTime   = 3 * time.Second // for what is pending at the end
	spansAtOnce = 2048            // about; an execution's spans stay together
	spansMost   = 65536           // of parcels for which nobody waits
)

func newExporter(cfg Config, log *slog.Logger) *exporter {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = cfg.TLS
	x := &exporter{cfg: cfg, log: log, client: &http.Client{Timeout: cfg.Timeout, Transport: transport},
		wake: make(chan struct{}, 1), done: make(chan struct{})}
	x.ctx, x.cancel = context.WithCancel(context.Background())
	x.posts, x.abort = context.WithCancel(context.Background())
	return x
}

// offer takes spans for which nobody waits.
func (x *exporter) offer(spans []Span) {
	x.mu.Lock()
	full := x.spans+len(spans) > spansMost
	if full {
		x.dropped += len(spans)
	} else {
		x.pending, x.spans = append(x.pending, parcel{spans: spans}), x.spans+len(spans)
	}
	x.mu.Unlock()
	x.kick()
}

// send returns once the receiver has the spans.
func (x *exporter) send(ctx context.Context, spans []Span) error {
	sent := make(chan error, 1)
	x.mu.Lock()
	if x.closed {
		x.mu.Unlock()
		return errors.New("tracing: closed")
	}
	x.pending, x.spans = append(x.pending, parcel{spans, sent}), x.spans+len(spans)
	x.mu.Unlock()
	x.kick()
	select {
	case err := <-sent:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (x *exporter) kick() {
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// run sends until it is closed and everything has been sent or refused.
func (x *exporter) run() {
	defer close(x.done)
	for range x.wake {
		x.pause(gatherDelay)
		for {
			batch, closed := x.take()
			if len(batch) == 0 {
				if closed {
					return
				}
				break
			}
			err := x.post(batch)
			x.settle(batch, err, closed)
			if retryable(err) && !closed {
				x.pause(retryDelay)
			}
		}
	}
}

func (x *exporter) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-x.ctx.Done():
	}
}

func (x *exporter) take() (batch []parcel, closed bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.dropped > 0 {
		x.log.Warn("spans of synchronous Express executions were dropped: the receiver is too slow", "spans", x.dropped)
		x.dropped = 0
	}
	n := 0
	for len(batch) < len(x.pending) && n < spansAtOnce {
		p := x.pending[len(batch)]
		batch, n = append(batch, p), n+len(p.spans)
	}
	x.pending, x.spans = x.pending[len(batch):], x.spans-n
	return batch, x.closed
}

// settle says how sending a batch went. What nobody waits for is sent again after a fault that may pass.
func (x *exporter) settle(batch []parcel, err error, closed bool) {
	for _, p := range batch {
		switch {
		case p.sent != nil:
			p.sent <- err
		case retryable(err) && !closed:
			x.offer(p.spans)
		case err != nil:
			x.log.Warn("spans could not be sent", "spans", len(p.spans), "error", err)
		}
	}
}

// post sends one request. A refusal that will not pass is an *aws.Error whose fault is ours.
func (x *exporter) post(batch []parcel) error {
	var spans []Span
	for _, p := range batch {
		spans = append(spans, p.spans...)
	}
	body, kind := encodeProto(x.cfg.Resource, x.cfg.Version, spans), "application/x-protobuf"
	if x.cfg.JSON {
		var err error
		if body, err = encodeJSON(x.cfg.Resource, x.cfg.Version, spans); err != nil {
			return &aws.Error{Code: "Unsendable", Message: err.Error()}
		}
		kind = "application/json"
	}
	if x.cfg.Gzip {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(body) // into memory
		_ = z.Close()
		body = b.Bytes()
	}
	req, err := http.NewRequestWithContext(x.posts, http.MethodPost, x.cfg.Endpoint, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", kind)
	if x.cfg.Gzip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	for _, h := range x.cfg.Headers {
		req.Header.Set(h[0], h[1])
	}
	resp, err := x.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(resp.Body, 4096)) // for the log, and so that the connection is used again
	switch {
	case resp.StatusCode < 300:
		return nil
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 502 && resp.StatusCode <= 504:
		return fmt.Errorf("the receiver of traces answered %s", resp.Status)
	}
	return &aws.Error{Code: "Refused", Status: http.StatusBadRequest, Message: fmt.Sprintf("the receiver of traces answered %s: %s", resp.Status, said)}
}

// retryable tells faults that may pass (OTLP: 429, 502, 503, 504, no answer) from refusals.
func retryable(err error) bool {
	var refused *aws.Error
	return err != nil && !errors.As(err, &refused)
}

// close sends what is pending once and ends.
func (x *exporter) close() {
	x.mu.Lock()
	x.closed = true
	x.mu.Unlock()
	x.cancel()
	x.kick()
	last := time.AfterFunc(closeTime, x.abort)
	<-x.done
	last.Stop()
	x.abort()
	x.client.CloseIdleConnections()
}
