package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/sqs"
)

func (a *app) queueCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "queue list|peek|send|purge", Short: "Look into queues, send to them, empty them", Args: cobra.NoArgs,
		Long: "Work with SQS queues. NAME is a queue's name, a unique beginning of it, its URL or its ARN.",
		RunE: func(*cobra.Command, []string) error {
			return usage("queue: one of list, peek, send, purge is needed")
		},
	}
	for _, c := range []*cobra.Command{a.queueListCommand(), a.queuePeekCommand(), a.queueSendCommand(), a.queuePurgeCommand()} {
		cmd.AddCommand(failing(c))
	}
	return cmd
}

// queueURLs lists all queues.
func (c *client) queueURLs(ctx context.Context) ([]string, error) {
	raw, err := c.pages(ctx, "sqs", "ListQueues", map[string]any{"MaxResults": 1000}, "QueueUrls")
	if err != nil {
		return nil, err
	}
	urls := make([]string, len(raw))
	for i := range raw {
		if err := json.Unmarshal(raw[i], &urls[i]); err != nil {
			return nil, err
		}
	}
	return urls, nil
}

func queueName(u string) string { return u[strings.LastIndexByte(u, '/')+1:] }

// queueURL finds a queue by its URL, its ARN, its name, or a prefix that no other name has.
func (c *client) queueURL(ctx context.Context, arg string) (string, error) {
	if strings.Contains(arg, "://") {
		return arg, nil
	}
	if arn, ok := aws.ParseARN(arg); ok && arn.Service == "sqs" {
		arg = arn.Resource
	}
	urls, err := c.queueURLs(ctx)
	if err != nil {
		return "", err
	}
	names := make([]string, len(urls))
	for i, u := range urls {
		names[i] = queueName(u)
	}
	i, err := pick("queue", arg, names)
	if err != nil {
		return "", err
	}
	return urls[i], nil
}

// counted are a queue's numbers of messages by state.
type counted struct {
	Name     string `json:"name"`
	URL      string `json:"url"`
	Ready    int    `json:"ready"`
	InFlight int    `json:"inFlight"`
	Delayed  int    `json:"delayed"`
}

func (a *app) queueListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List queues and how many messages they have", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			urls, err := c.queueURLs(cmd.Context())
			if err != nil {
				return err
			}
			all, rows := []counted{}, [][]string{}
			for _, u := range urls {
				q, err := c.count(cmd.Context(), u)
				if is(err, "AWS.SimpleQueueService.NonExistentQueue") || is(err, "QueueDoesNotExist") {
					continue // deleted meanwhile
				}
				if err != nil {
					return err
				}
				all = append(all, q)
				rows = append(rows, []string{q.Name, strconv.Itoa(q.Ready), strconv.Itoa(q.InFlight), strconv.Itoa(q.Delayed), q.URL})
			}
			if a.json {
				return a.writeJSON(all)
			}
			a.table([]string{"QUEUE", "READY", "IN FLIGHT", "DELAYED", "URL"}, rows)
			return nil
		},
	}
}

func (c *client) count(ctx context.Context, u string) (counted, error) {
	var out struct{ Attributes map[string]string }
	err := c.call(ctx, "sqs", "GetQueueAttributes", map[string]any{"QueueUrl": u, "AttributeNames": []string{"All"}}, &out)
	number := func(name string) int {
		n, _ := strconv.Atoi(out.Attributes[name])
		return n
	}
	return counted{queueName(u), u, number("ApproximateNumberOfMessages"), number("ApproximateNumberOfMessagesNotVisible"), number("ApproximateNumberOfMessagesDelayed")}, err
}

func (a *app) queuePeekCommand() *cobra.Command {
	var most int
	cmd := &cobra.Command{
		Use: "peek NAME", Short: "Show the messages of a queue without receiving them", Args: cobra.ExactArgs(1),
		Long: "Show the messages of a queue, the oldest first, also those in flight and delayed. Nothing changes for those who receive: neither visibility nor receive counts.",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			u, err := c.queueURL(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			query := url.Values{"queue": {u}, "region": {c.region}, "max": {strconv.Itoa(most)}}
			var raw json.RawMessage
			if err := c.hook(cmd.Context(), http.MethodGet, sqs.PeekPath+"?"+query.Encode(), &raw); err != nil {
				return err
			}
			if a.json {
				return a.writeJSON(raw)
			}
			return a.peeked(raw)
		},
	}
	cmd.Flags().IntVar(&most, "max", 10, "at most so many messages")
	return cmd
}

func (a *app) peeked(raw json.RawMessage) error {
	var out struct {
		Messages []struct {
			MessageID, Body, State, MessageGroupID string
			Sent, VisibleAt                        time.Time
			ReceiveCount                           int
		}
		ApproximateTotal int
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		return err
	}
	rows := [][]string{}
	for _, m := range out.Messages {
		state := m.State
		if _, _, ok := a.terminal(); ok && !m.VisibleAt.IsZero() {
			state += " until " + m.VisibleAt.Local().Format("15:04:05")
		}
		rows = append(rows, []string{m.MessageID, state, strconv.Itoa(m.ReceiveCount), m.Sent.Local().Format("2006-01-02 15:04:05"), m.Body})
	}
	a.table([]string{"MESSAGE", "STATE", "RECEIVED", "SENT", "BODY"}, rows)
	if rest := out.ApproximateTotal - len(out.Messages); rest > 0 {
		fmt.Fprintf(a.err, "newel: %d more (--max)\n", rest)
	}
	return nil
}

func (a *app) queueSendCommand() *cobra.Command {
	var group, deduplication string
	var delay time.Duration
	var attributes []string
	cmd := &cobra.Command{
		Use: "send NAME BODY", Short: "Send a message: text, @FILE or @- for standard input", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			body, err := a.messageBody(args[1])
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			u, err := c.queueURL(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			in := map[string]any{"QueueUrl": u, "MessageBody": body}
			if cmd.Flags().Changed("delay") {
				in["DelaySeconds"] = int(delay.Seconds())
			}
			if group != "" {
				in["MessageGroupId"] = group
			}
			if deduplication != "" {
				in["MessageDeduplicationId"] = deduplication
			}
			values := map[string]any{}
			for _, kv := range attributes {
				name, v, ok := strings.Cut(kv, "=")
				if !ok {
					return usage("--attribute %s: NAME=VALUE is needed", kv)
				}
				values[name] = map[string]string{"DataType": "String", "StringValue": v}
			}
			if len(values) > 0 {
				in["MessageAttributes"] = values
			}
			var out json.RawMessage
			if err := c.call(cmd.Context(), "sqs", "SendMessage", in, &out); err != nil {
				return err
			}
			if a.json {
				return a.writeJSON(out)
			}
			var sent struct{ MessageID string }
			if err := json.Unmarshal(out, &sent); err != nil {
				return err
			}
			fmt.Fprintln(a.out, sent.MessageID)
			return nil
		},
	}
	cmd.Flags().StringVar(&group, "group", "", "message group (FIFO queues)")
	cmd.Flags().StringVar(&deduplication, "deduplication", "", "deduplication id (FIFO queues)")
	cmd.Flags().DurationVar(&delay, "delay", 0, "deliver it only then: 30s, 5m")
	cmd.Flags().StringArrayVar(&attributes, "attribute", nil, "NAME=VALUE of a message attribute (repeatable)")
	return cmd
}

// messageBody is a text, @file, or @- for standard input; it need not be JSON.
func (a *app) messageBody(text string) (string, error) {
	file, ok := strings.CutPrefix(text, "@")
	if !ok {
		return text, nil
	}
	if file == "-" {
		var b bytes.Buffer
		_, err := b.ReadFrom(a.in)
		return strings.TrimSuffix(b.String(), "\n"), err
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", usage("%s", err)
	}
	return strings.TrimSuffix(string(b), "\n"), nil
}

func (a *app) queuePurgeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "purge NAME", Short: "Delete all messages of a queue", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			u, err := c.queueURL(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if err := c.call(cmd.Context(), "sqs", "PurgeQueue", map[string]string{"QueueUrl": u}, nil); err != nil {
				return err
			}
			if a.json {
				return a.writeJSON(map[string]string{"purged": u})
			}
			fmt.Fprintln(a.out, "purged "+queueName(u))
			return nil
		},
	}
}
