package gateway

import (
	"encoding/json"
	"net/http"
)

const healthPath = "/_newel/health"

// health answers 200 with {"status":"ok"} when the server is ready to serve, 503 with "starting" or "stopping" else.
func (g *Gateway) health(w http.ResponseWriter, _ *http.Request) {
	services, ready := map[string]string{}, true
	if g.cfg.Health != nil {
		services, ready = g.cfg.Health()
	} else {
		for _, s := range g.cfg.Services {
			services[s] = "running"
		}
	}
	answer := struct {
		Status   string            `json:"status"`
		Version  string            `json:"version"`
		Services map[string]string `json:"services"`
	}{"ok", g.cfg.Version, services}
	status := http.StatusOK
	switch {
	case g.closed.Load():
		answer.Status, status = "stopping", http.StatusServiceUnavailable
	case !ready:
		answer.Status, status = "starting", http.StatusServiceUnavailable
	}
	body, err := json.Marshal(answer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the client is gone if this fails
}
