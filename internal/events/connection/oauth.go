package connection

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/httpcall"
)

// tokens are the access tokens of connections, in memory only: a restart asks for new ones.
type tokens struct {
	mu   sync.Mutex
	held map[string]token // by connection and the time of its last change
}

type token struct {
	header string    // "Bearer ..."
	until  time.Time // zero: until it is refused
}

// early is how long before its end a token is not used any more.
const early = 30 * time.Second

// fetchMax is how long an authorization server may take.
const fetchMax = 20 * time.Second

// get gives the Authorization header of a connection: the one that is held, or a fresh one.
func (t *tokens) get(ctx context.Context, key string, o *oauth, now time.Time, fresh bool) (httpcall.Pair, error) {
	t.mu.Lock()
	held, ok := t.held[key]
	t.mu.Unlock()
	if ok && !fresh && (held.until.IsZero() || now.Before(held.until)) {
		return authorization(held.header), nil
	}
	got, err := o.fetch(ctx, now)
	if err != nil {
		return httpcall.Pair{}, err
	}
	t.mu.Lock()
	t.held[key] = got
	t.mu.Unlock()
	return authorization(got.header), nil
}

func (t *tokens) forget(key string) {
	t.mu.Lock()
	delete(t.held, key)
	t.mu.Unlock()
}

// request is the client credentials grant (RFC 6749, 4.4), with the client's credentials among the parameters and the
// connection's own added to them.
func (o *oauth) request() (*httpcall.Request, error) {
	own := o.OAuthHttpParameters.additions()
	grant := []httpcall.Pair{{Key: "grant_type", Value: "client_credentials"}, {Key: "client_id", Value: o.ClientParameters.ClientID}, {Key: "client_secret", Value: o.ClientParameters.ClientSecret}}
	grant = slices.DeleteFunc(grant, func(p httpcall.Pair) bool {
		same := func(q httpcall.Pair) bool { return p.Key == q.Key }
		return slices.ContainsFunc(own.Body, same) || slices.ContainsFunc(own.Query, same)
	})
	call := httpcall.Call{Endpoint: o.AuthorizationEndpoint, Method: o.HttpMethod}
	if o.HttpMethod == http.MethodGet {
		call.Query = grant
	} else {
		body := value.NewObject()
		for _, p := range grant {
			body.Set(p.Key, p.Value)
		}
		call.Body, call.Form = body, true
		call.Headers = []httpcall.Pair{{Key: "Content-Type", Value: "application/x-www-form-urlencoded"}}
	}
	return call.Build(own)
}

// fetch asks the authorization server for a token.
func (o *oauth) fetch(ctx context.Context, now time.Time) (token, error) {
	req, err := o.request()
	if err != nil {
		return token{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, fetchMax)
	defer cancel()
	answer, err := httpcall.Send(ctx, req)
	if err != nil {
		return token{}, fmt.Errorf("the authorization endpoint cannot be reached: %w", err)
	}
	if answer.Status < 200 || answer.Status > 299 {
		return token{}, fmt.Errorf("the authorization endpoint answered with status code %d", answer.Status)
	}
	var got struct {
		AccessToken string      `json:"access_token"`
		TokenType   string      `json:"token_type"`
		ExpiresIn   json.Number `json:"expires_in"`
	}
	if json.Unmarshal(answer.Body, &got) != nil || got.AccessToken == "" {
		return token{}, fmt.Errorf("the authorization endpoint's answer has no access_token")
	}
	t := token{header: "Bearer " + got.AccessToken}
	if seconds, err := got.ExpiresIn.Float64(); err == nil && seconds > 0 {
		t.until = now.Add(time.Duration(seconds*float64(time.Second)) - early)
	}
	return t, nil
}
