package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/newel-run/newel/internal/aws/sigv4"
	"github.com/newel-run/newel/internal/mail"
)

func (a *app) mailCommand() *cobra.Command {
	var to string
	list := func(cmd *cobra.Command, _ []string) error {
		var answer struct{ Mails []mail.Mail }
		if err := a.mail(cmd.Context(), http.MethodGet, "?to="+url.QueryEscape(to), &answer); err != nil {
			return err
		}
		if a.json {
			return a.writeJSON(answer.Mails)
		}
		rows := make([][]string, len(answer.Mails))
		for i, m := range answer.Mails {
			rows[i] = []string{m.ID, m.Time.Local().Format(time.DateTime), m.Kind, m.To, cmp.Or(m.Subject, m.Locked), topicName(m.Source)}
		}
		a.table([]string{"ID", "TIME", "KIND", "TO", "SUBJECT", "TOPIC"}, rows)
		return nil
	}
	cmd := &cobra.Command{
		Use: "mail", Short: "Show the mails that the server's topics have sent", Args: cobra.NoArgs, RunE: list,
		Long: `Show the mails and text messages that the server has sent: every one is kept in its mail sink, newest first.
Subscriptions of the protocols email, email-json and sms put them there, without anything to confirm.`,
	}
	lister := &cobra.Command{Use: "list", Short: "List the mails, newest first", Args: cobra.NoArgs, RunE: list}
	for _, c := range []*cobra.Command{cmd, lister} {
		c.Flags().StringVar(&to, "to", "", "only those to this address")
	}
	cmd.AddCommand(failing(lister), failing(a.mailShowCommand()), failing(&cobra.Command{
		Use: "clear", Short: "Empty the mail sink", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.mail(cmd.Context(), http.MethodDelete, "", nil) },
	}))
	return cmd
}

func (a *app) mailShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show [ID]", Short: "Show a mail, the newest if none is named", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				var answer struct{ Mails []mail.Mail }
				if err := a.mail(cmd.Context(), http.MethodGet, "", &answer); err != nil {
					return err
				}
				if len(answer.Mails) == 0 {
					return errors.New("there are no mails")
				}
				args = []string{answer.Mails[0].ID}
			}
			var m mail.Mail
			if err := a.mail(cmd.Context(), http.MethodGet, "/"+url.PathEscape(args[0]), &m); err != nil {
				return err
			}
			if a.json {
				return a.writeJSON(m)
			}
			header := [][2]string{{"From", m.From}, {"To", m.To}, {"Subject", m.Subject}, {"Date", m.Time.Local().Format(time.RFC1123Z)}, {"Topic", m.Source}, {"Refused by the SMTP server", m.RelayError}}
			for _, h := range header {
				if h[1] != "" {
					fmt.Fprintf(a.out, "%s: %s\n", h[0], strings.Map(printable, h[1]))
				}
			}
			fmt.Fprintf(a.out, "\n%s\n", strings.Map(printable, strings.TrimRight(m.Body, "\n")))
			return nil
		},
	}
}

// topicName is the last part of an ARN.
func topicName(arn string) string { return arn[strings.LastIndexByte(arn, ':')+1:] }

// mail asks the server's mail sink.
func (a *app) mail(ctx context.Context, method, tail string, out any) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(a.endpoint, "/")+mail.Path+tail, nil)
	if err != nil {
		return usage("endpoint %q: %s", a.endpoint, err)
	}
	req.Host = req.URL.Host
	sigv4.Sign(req, nil, sigv4.Credentials{AccessKey: firstOf(a.getenv("AWS_ACCESS_KEY_ID"), "test"), Secret: firstOf(a.getenv("AWS_SECRET_ACCESS_KEY"), "test"),
		SessionToken: a.getenv("AWS_SESSION_TOKEN")}, mail.Name, a.region, time.Now())
	res, err := http.DefaultClient.Do(req)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return c.explain(err)
	}
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // it was read
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		var refused struct{ Message string }
		if json.Unmarshal(body, &refused) != nil || refused.Message == "" {
			refused.Message = "the server answered " + res.Status
		}
		return errors.New(refused.Message)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(body, out)
}
