package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/wire"
)

func (a *app) invokeCommand() *cobra.Command {
	var payload string
	var async, log bool
	cmd := &cobra.Command{
		Use: "invoke FUNCTION", Short: "Invoke a Lambda function", Args: cobra.ExactArgs(1),
		Long: "Invoke a function given by its ARN, its name or a unique prefix and print its answer. The exit status is 1 if the function failed.",
		RunE: func(cmd *cobra.Command, args []string) error {
			body, err := a.argument("payload", payload)
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			name, err := c.function(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			in := map[string]string{"FunctionName": name, "InvocationType": "RequestResponse"}
			if async {
				in["InvocationType"] = "Event"
			}
			if log {
				in["LogType"] = "Tail"
			}
			input, err := wire.Canonical(in)
			if err != nil {
				return err
			}
			out, err := c.caller.Call(cmd.Context(), &aws.Request{Service: "lambda", Operation: "Invoke", Region: c.region, Input: input, Body: body, Tail: log})
			if err != nil {
				return c.explain(err)
			}
			if tail, err := base64.StdEncoding.DecodeString(out.Header.Get("X-Amz-Log-Result")); err == nil && len(tail) > 0 {
				fmt.Fprintln(a.err, string(bytes.TrimSpace(tail)))
			}
			failed := out.Header.Get("X-Amz-Function-Error") != ""
			if a.json {
				err = a.writeJSON(map[string]any{"functionError": failed, "payload": payloadOf(out.Body)})
			} else if len(out.Body) > 0 {
				_, err = fmt.Fprintln(a.out, string(out.Body))
			}
			if failed && err == nil {
				return &exit{code: exitFailed}
			}
			return err
		},
	}
	cmd.Flags().StringVar(&payload, "payload", "{}", "event: JSON, @FILE or @- for standard input")
	cmd.Flags().BoolVar(&async, "async", false, "do not wait for the answer")
	cmd.Flags().BoolVar(&log, "log", false, "show the end of the function's log")
	return cmd
}

// function finds a function by its ARN, its name, or a prefix that no other name has.
func (c *client) function(ctx context.Context, arg string) (string, error) {
	if strings.Contains(arg, ":") {
		return arg, nil
	}
	var names []string
	in := map[string]any{}
	for {
		var out struct {
			Functions  []struct{ FunctionName string }
			NextMarker string
		}
		if err := c.call(ctx, "lambda", "ListFunctions", in, &out); err != nil {
			return "", err
		}
		for _, f := range out.Functions {
			names = append(names, f.FunctionName)
		}
		if out.NextMarker == "" {
			break
		}
		in["Marker"] = out.NextMarker
	}
	i, err := pick("function", arg, names)
	if err != nil {
		return "", err
	}
	return names[i], nil
}

// payloadOf is a function's answer in a JSON document: as it is, or as a string if it is no JSON.
func payloadOf(body []byte) any {
	if json.Valid(body) {
		return json.RawMessage(body)
	}
	return string(body)
}
