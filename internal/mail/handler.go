package mail

import (
	"errors"
	"net/http"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
)

// Path is where Handler is served.
const Path = "/_newel/mail"

// Handler serves the sink to people and tests: GET Path lists the mails ({"Mails": [...]}, with ?to= and ?before=), GET
// Path/ID shows one, DELETE Path empties the sink.
func (s *Service) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Path, func(w http.ResponseWriter, r *http.Request) {
		s.serve(w, r, "ListMails", map[string]string{"To": r.URL.Query().Get("to"), "Before": r.URL.Query().Get("before")})
	})
	mux.HandleFunc("GET "+Path+"/{id}", func(w http.ResponseWriter, r *http.Request) {
		s.serve(w, r, "GetMail", map[string]string{"Id": r.PathValue("id")})
	})
	mux.HandleFunc("DELETE "+Path, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, "DeleteMails", nil) })
	return mux
}

func (s *Service) serve(w http.ResponseWriter, r *http.Request, operation string, in any) {
	input, err := service.Marshal(in)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	status := http.StatusOK
	var answer any
	out, err := s.Call(r.Context(), &aws.Request{Service: Name, Operation: operation, Account: s.Env.Account, Region: s.Env.Region, Input: input})
	var e *aws.Error
	switch {
	case errors.As(err, &e):
		status, answer = e.HTTPStatus(), map[string]string{"Code": e.Code, "Message": e.Message}
	case err != nil:
		s.Env.Log.Error("the mail sink could not be read", "error", err)
		status, answer = http.StatusInternalServerError, map[string]string{"Code": "InternalFailure", "Message": "The mail sink could not be read."}
	default:
		answer = out.Value
	}
	b, err := service.Marshal(answer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // the client is gone if this fails
}
