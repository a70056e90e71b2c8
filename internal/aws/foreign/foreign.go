// Package foreign resolves ARNs and queue URLs of other accounts and regions, which applications carry in their files
// from the days when they ran on AWS.
//
// A request that names a resource of its service by such an ARN is sent to the account and region that the ARN names, if
// they own something here. If not, the ARN means nothing on this server, and the caller's own account and region stand
// in for it: the ARN is rewritten on the way in, and the caller's error messages show the ARN that was asked for. Either
// way the service behind sees ARNs that agree with Request.Account and Request.Region.
//
// Only members that name resources are looked at (names that end in Arn, and the few others that take an ARN), never
// texts such as definitions, inputs and message bodies.
package foreign

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/rawjson"
)

// Config is what a Resolver is made of.
type Config struct {
	// Owns reports whether an account has resources in a region here; region "" asks for a global service.
	Owns func(account, region string) bool
	// Strict leaves every ARN as it is: the request goes to the account and region that it names, as on AWS.
	Strict bool
	Log    *slog.Logger
}

// Resolver is a middleware: a Caller in front of another one.
type Resolver struct {
	cfg  Config
	next aws.Caller

	mu   sync.Mutex
	told map[place]bool // what was logged
}

// New puts a Resolver in front of next.
func New(cfg Config, next aws.Caller) *Resolver {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Resolver{cfg: cfg, next: next, told: map[place]bool{}}
}

// Call resolves what the request names and passes it on.
func (v *Resolver) Call(ctx context.Context, r *aws.Request) (*aws.Output, error) {
	if !bytes.Contains(r.Input, []byte(`"arn:`)) && r.Service != "sqs" {
		return v.next.Call(ctx, r)
	}
	at, found := find(r)
	if !found || at.account == r.Account && at.region == r.Region {
		return v.next.Call(ctx, r)
	}
	moved := *r
	if v.cfg.Strict || v.cfg.Owns(at.account, at.region) {
		moved.Account, moved.Region = at.account, at.region
		return v.next.Call(ctx, &moved)
	}
	if v.first(at) {
		v.cfg.Log.Warn("a foreign ARN stands for the caller's own account", "account", at.account, "region", at.region, "service", r.Service, "used", r.Account)
	}
	moved.Input = rewrite(r, at)
	out, err := v.next.Call(ctx, &moved)
	return out, restore(err, r, at)
}

// toldMost bounds what is remembered of what was logged; further places are not logged.
const toldMost = 1000

// first reports whether a place is to be logged: once.
func (v *Resolver) first(at place) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.told[at] || len(v.told) >= toldMost {
		return false
	}
	v.told[at] = true
	return true
}

// place is an account and region that a request names.
type place struct{ account, region string }

// find returns the place of the first resource of the request's own service that its input names.
func find(r *aws.Request) (at place, found bool) {
	_ = rawjson.EachMember(r.Input, func(name string, value []byte) error {
		if rawjson.KindOf(value) != rawjson.String || !names(name) {
			return nil
		}
		if at, found = placeOf(r, name, rawjson.Unquote(value)); found {
			return errFound
		}
		return nil
	}) // a broken input is the service's to refuse
	return at, found
}

// errFound ends a walk.
var errFound = errors.New("found")

// names reports whether a member names a resource.
func names(member string) bool {
	switch member {
	case "FunctionName", "TableName", "QueueUrl", "KeyId", "Name", "Resource", "SecretId", "logGroupIdentifier":
		return true
	}
	return strings.HasSuffix(member, "Arn") || strings.HasSuffix(member, "ARN")
}

func placeOf(r *aws.Request, member, value string) (place, bool) {
	if member == "QueueUrl" {
		account, _, ok := queue(value)
		return place{account, r.Region}, ok
	}
	a, ok := aws.ParseARN(value)
	if !ok || a.Service != arnService(r.Service) || !aws.IsAccount(a.Account) {
		return place{}, false
	}
	if a.Region == "" {
		return place{a.Account, r.Region}, true // a global service
	}
	return place{a.Account, a.Region}, aws.IsRegion(a.Region)
}

// arnService is the service's name in ARNs, which is the one that it signs under.
func arnService(key string) string {
	if info, ok := aws.Lookup(key); ok {
		return info.SigningName
	}
	return key
}

// queue splits a queue's URL, of which only the path counts.
func queue(url string) (account, name string, ok bool) {
	p := strings.Split(url, "/")
	if len(p) < 2 || !aws.IsAccount(p[len(p)-2]) {
		return "", "", false
	}
	return p[len(p)-2], p[len(p)-1], true
}

// rewrite puts the caller's account and region into what the input names at a place, at any depth.
func rewrite(r *aws.Request, at place) []byte {
	out, err := rewriteValue(nil, r, at, "", r.Input)
	if err != nil {
		return r.Input // the service will refuse it
	}
	return out
}

func rewriteValue(dst []byte, r *aws.Request, at place, member string, raw []byte) (_ []byte, err error) {
	raw = rawjson.SkipSpace(raw)
	switch rawjson.KindOf(raw) {
	case rawjson.Object:
		dst = append(dst, '{')
		err = rawjson.EachMember(raw, func(name string, v []byte) (err error) {
			dst, err = rewriteValue(rawjson.AppendName(dst, name), r, at, name, v)
			return err
		})
		return append(dst, '}'), err
	case rawjson.Array:
		dst = append(dst, '[')
		first := true
		err = rawjson.EachItem(raw, func(v []byte) (err error) {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst, err = rewriteValue(dst, r, at, strings.TrimSuffix(member, "s"), v)
			return err
		})
		return append(dst, ']'), err
	case rawjson.String:
		if !names(member) {
			break
		}
		text := rawjson.Unquote(raw)
		if p, ok := placeOf(r, member, text); ok && p == at {
			return rawjson.AppendString(dst, move(r, member, text)), nil
		}
	}
	return append(dst, raw...), nil
}

// move puts the caller's account and region into an ARN or queue URL.
func move(r *aws.Request, member, text string) string {
	if member == "QueueUrl" {
		account, name, _ := queue(text)
		return strings.TrimSuffix(text, account+"/"+name) + r.Account + "/" + name
	}
	a, _ := aws.ParseARN(text)
	if a.Account = r.Account; a.Region != "" {
		a.Region, a.Partition = r.Region, aws.PartitionOf(r.Region)
	}
	return a.String()
}

// restore shows the ARN that was asked for in an error's message.
func restore(err error, r *aws.Request, at place) error {
	var e *aws.Error
	if !errors.As(err, &e) {
		return err
	}
	message := e.Message
	_ = rawjson.EachMember(r.Input, func(name string, value []byte) error { // the input was walked before
		if rawjson.KindOf(value) == rawjson.String && names(name) {
			text := rawjson.Unquote(value)
			if p, ok := placeOf(r, name, text); ok && p == at {
				message = strings.ReplaceAll(message, move(r, name, text), text)
			}
		}
		return nil
	})
	if message == e.Message {
		return err
	}
	shown := *e
	shown.Message = message
	return &shown
}
