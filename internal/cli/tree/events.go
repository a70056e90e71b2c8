package tree

import (
	"encoding/json"
	"math"
	"strings"
	"time"
)

// HistoryEvent is an event as GetExecutionHistory answers it; the members that end in EventDetails are in Details.
type HistoryEvent struct {
	ID              int64   `json:"id"`
	PreviousEventID int64   `json:"previousEventId"`
	Type            string  `json:"type"`
	Timestamp       float64 `json:"timestamp"`
	Details         Details `json:"-"`
}

// Details are the members of an event's details that people look at.
type Details struct {
	Name         string `json:"name"`
	Index        int    `json:"index"`
	Length       int    `json:"length"`
	Input        string `json:"input"`
	Output       string `json:"output"`
	Parameters   string `json:"parameters"`
	Error        string `json:"error"`
	Cause        string `json:"cause"`
	State        string `json:"state"`
	Resource     string `json:"resource"`
	ResourceType string `json:"resourceType"`
	RoleArn      string `json:"roleArn"`
	WorkerName   string `json:"workerName"`
	MapRunArn    string `json:"mapRunArn"`
}

// UnmarshalJSON finds the details under whichever name the event's type gives them.
func (h *HistoryEvent) UnmarshalJSON(b []byte) error {
	type plain HistoryEvent
	if err := json.Unmarshal(b, (*plain)(h)); err != nil {
		return err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(b, &members); err != nil {
		return err
	}
	for name, raw := range members {
		if strings.HasSuffix(name, "EventDetails") {
			return json.Unmarshal(raw, &h.Details)
		}
	}
	return nil
}

// Time is the event's time.
func (h *HistoryEvent) Time() time.Time {
	return time.UnixMilli(int64(math.Round(h.Timestamp * 1000))).UTC()
}

// Event is the event as the tree takes it.
func (h *HistoryEvent) Event() Event {
	d := &h.Details
	e := Event{
		ID: h.ID, Previous: h.PreviousEventID, Type: h.Type, Time: h.Time(), Name: d.Name, Index: d.Index, Length: d.Length,
		Input: d.Input, Output: d.Output, Error: d.Error, Cause: d.Cause,
	}
	if e.Name == "" {
		e.Name = d.State
	}
	switch {
	case d.ResourceType == "lambda":
		e.Resource = "lambda " + functionOf(d.Parameters)
	case d.ResourceType != "":
		e.Resource = d.ResourceType + " " + d.Resource
	case strings.Contains(d.Resource, ":function:"):
		e.Resource = "lambda " + functionName(d.Resource)
	case strings.Contains(d.Resource, ":activity:"):
		e.Resource = "activity " + d.Resource[strings.LastIndexByte(d.Resource, ':')+1:]
	default:
		e.Resource = d.Resource
	}
	e.Resource = strings.TrimSpace(e.Resource)
	return e
}

// functionOf is the function that the parameters of lambda:invoke name.
func functionOf(parameters string) string {
	var p struct{ FunctionName string }
	if json.Unmarshal([]byte(parameters), &p) != nil || p.FunctionName == "" {
		return "invoke"
	}
	return functionName(p.FunctionName)
}

func functionName(arn string) string {
	if _, name, ok := strings.Cut(arn, ":function:"); ok {
		return name
	}
	return arn
}

// errorMessage is the errorMessage of a Lambda function's error, or the text itself.
func errorMessage(cause string) string {
	var e struct {
		ErrorMessage string `json:"errorMessage"`
	}
	if json.Unmarshal([]byte(cause), &e) != nil || e.ErrorMessage == "" {
		return cause
	}
	return e.ErrorMessage
}
