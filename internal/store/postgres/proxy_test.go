package postgres_test

import (
	"net"
	"os"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// proxy stands between a store and its database and can fail as a network does.
type proxy struct {
	t               testing.TB
	listener        net.Listener
	network, target string
	done            sync.WaitGroup

	mu      sync.Mutex
	down    bool // new connections are refused
	swallow bool // what the database answers is lost
	open    map[net.Conn]bool
}

func newProxy(t testing.TB) *proxy {
	t.Helper()
	config, err := pgx.ParseConfig(os.Getenv("NEWEL_TEST_POSTGRES"))
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, open: map[net.Conn]bool{}}
	p.network, p.target = pgconn.NetworkAddress(config.Host, config.Port)
	if p.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	p.done.Go(p.serve)
	t.Cleanup(func() {
		p.listener.Close()
		p.cut()
		p.done.Wait()
	})
	return p
}

func (p *proxy) address() string { return p.listener.Addr().String() }

func (p *proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server := p.dial(client)
		if server == nil {
			client.Close()
			continue
		}
		p.done.Go(func() { p.copy(server, client, false) })
		p.done.Go(func() { p.copy(client, server, true) })
	}
}

// dial connects a client to the database, unless connections are refused.
func (p *proxy) dial(client net.Conn) net.Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		return nil
	}
	server, err := net.Dial(p.network, p.target)
	if err != nil {
		return nil
	}
	p.open[client], p.open[server] = true, true
	return server
}

func (p *proxy) copy(to, from net.Conn, answers bool) {
	defer to.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		p.mu.Lock()
		lost := answers && p.swallow
		p.mu.Unlock()
		if lost {
			continue
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// cut breaks all connections and refuses new ones.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = true
	for c := range p.open {
		c.Close()
	}
	clear(p.open)
}

// restore lets connections through again.
func (p *proxy) restore() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down, p.swallow = false, false
}

func (p *proxy) swallowAnswers() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.swallow = true
}
