package gateway

import (
	"errors"
	"maps"
	"net/http"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/wire"
)

// Signed asks for the same credentials as the APIs do before h is served, where the server asks for any. Requests must
// have no body.
func (g *Gateway) Signed(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from := senderOfHTTP(r)
		_, err := g.auth.identify(&from, nil, from.signature())
		var e *aws.Error
		switch {
		case err == nil:
			h.ServeHTTP(w, r)
		case errors.As(err, &e):
			m := wire.EncodeError(&wire.Call{Protocol: wire.JSON, RequestID: aws.NewUUID()}, e)
			maps.Copy(w.Header(), m.Header.HTTP())
			w.WriteHeader(m.Status)
			_, _ = w.Write(m.Body) // the client is gone if this fails
		default:
			g.cfg.Log.Error("credentials could not be checked", "error", err)
			http.Error(w, "credentials could not be checked", http.StatusInternalServerError)
		}
	})
}
