package gateway

import (
	"errors"
	"net/http"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/wire"
)

// Signed asks for the same credentials as the APIs do before h is served, where the server asks for any. Requests must
// have no body.
func (g *Gateway) Signed(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := g.auth.identify(r, nil, parseSignature(r))
		var e *aws.Error
		switch {
		case err == nil:
			h.ServeHTTP(w, r)
		case errors.As(err, &e):
			write(w, r, wire.EncodeError(&wire.Call{Protocol: wire.JSON, RequestID: requestID()}, e))
		default:
			g.cfg.Log.Error("credentials could not be checked", "error", err)
			http.Error(w, "credentials could not be checked", http.StatusInternalServerError)
		}
	})
}
