package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	awsclient "github.com/newel-run/newel/internal/aws/client"
	"github.com/newel-run/newel/internal/aws/sigv4"
)

// pages reads one member of all pages of a list, elements as answered. The token has one of the names that AWS's lists
// give it.
func (c *client) pages(ctx context.Context, service, operation string, in map[string]any, member string) ([]json.RawMessage, error) {
	all := []json.RawMessage{}
	in = maps.Clone(in)
	if in == nil {
		in = map[string]any{}
	}
	for {
		var out map[string]json.RawMessage
		if err := c.call(ctx, service, operation, in, &out); err != nil {
			return nil, err
		}
		var page []json.RawMessage
		if raw := out[member]; len(raw) > 0 {
			if err := json.Unmarshal(raw, &page); err != nil {
				return nil, err
			}
		}
		all = append(all, page...)
		more := false
		for _, name := range []string{"NextToken", "nextToken"} {
			var token string
			if raw := out[name]; len(raw) > 0 && json.Unmarshal(raw, &token) == nil && token != "" {
				in[name], more = token, true
			}
		}
		if !more {
			return all, nil
		}
	}
}

// hook asks one of the server's own addresses, which are no AWS API, for JSON.
func (c *client) hook(ctx context.Context, method, path string, out any) error {
	remote, ok := c.caller.(*awsclient.Client)
	if !ok {
		return fmt.Errorf("%s needs a server that answers over HTTP", path)
	}
	req, err := http.NewRequestWithContext(ctx, method, remote.Endpoint+path, nil)
	if err != nil {
		return err
	}
	sigv4.Sign(req, nil, remote.Credentials, "newel", c.region, time.Now())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return c.explain(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		var e struct{ Code, Message string }
		if json.Unmarshal(b, &e) == nil && e.Message != "" {
			return errors.New(strings.TrimPrefix(e.Code+": "+e.Message, ": "))
		}
		return fmt.Errorf("%s%s: %s; is it a Newel server of this version?", c.at, path, resp.Status)
	}
	return json.Unmarshal(b, out)
}
