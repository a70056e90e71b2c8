package conformance

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// http sends a plain request to a deployed API: to the server, in the name of the recorded host.
func (r *replay) http(ctx context.Context, s object) error {
	v, err := r.value(object{"method": s["method"], "url": s["url"], "args": s["args"]})
	if err != nil {
		return err
	}
	in := v.(object)
	u, err := url.Parse(fmt.Sprint(in["url"]))
	if err != nil {
		return err
	}
	args, _ := in["args"].(object)
	data, _ := args["data"].(string)
	req, err := http.NewRequestWithContext(ctx, fmt.Sprint(in["method"]), r.base+u.RequestURI(), strings.NewReader(data))
	if err != nil {
		return err
	}
	req.Host = u.Host
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode >= 400 {
		return fmt.Errorf("%s: %d %s", u, res.StatusCode, body)
	}
	r.save(s, object{"status": number(res.StatusCode), "body": string(body)})
	return nil
}
