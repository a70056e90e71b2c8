package cfn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"regexp"
	"strings"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
)

// Location is an object in S3.
type Location struct{ Bucket, Key, Version string }

var (
	virtualHost = regexp.MustCompile(`^(.+)\.s3(?:[.-](?:dualstack\.)?[a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?$`)
	pathHost    = regexp.MustCompile(`^s3(?:[.-](?:dualstack\.)?[a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?$`)
	localHost   = regexp.MustCompile(`^(?:(.+)\.)?s3(?:\.[a-z0-9-]+)?\.localhost(?:\..+)?$`)
)

// templateLocation takes a TemplateURL apart: virtual-hosted, path style, s3-REGION and dual-stack hosts of AWS, and this
// server's own address in both styles. s3://bucket/key is no TemplateURL, as at AWS.
func templateLocation(text string) (Location, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return Location{}, errors.New("TemplateURL must be a supported URL.")
	}
	host, path := strings.ToLower(u.Hostname()), strings.TrimPrefix(u.Path, "/")
	at := Location{Version: u.Query().Get("versionId")}
	if m := virtualHost.FindStringSubmatch(host); m != nil && !pathHost.MatchString(host) {
		at.Bucket, at.Key = m[1], path
	} else if m := localHost.FindStringSubmatch(host); m != nil && m[1] != "" {
		at.Bucket, at.Key = m[1], path
	} else if pathHost.MatchString(host) || m != nil || host == "localhost" || net.ParseIP(host) != nil {
		at.Bucket, at.Key, _ = strings.Cut(path, "/")
	}
	if at.Bucket == "" || at.Key == "" {
		return Location{}, errors.New("TemplateURL must be a supported URL.")
	}
	return at, nil
}

// includeLocation takes an AWS::Include's Location apart: s3://bucket/key, or a URL.
func includeLocation(text string) (Location, error) {
	if rest, ok := strings.CutPrefix(text, "s3://"); ok {
		bucket, key, _ := strings.Cut(rest, "/")
		if bucket == "" || key == "" {
			return Location{}, fmt.Errorf("%q is no location in S3", text)
		}
		return Location{Bucket: bucket, Key: key}, nil
	}
	return templateLocation(text)
}

// maxObject bounds a template or definition: CloudFormation's 1 MB.
const maxObject = 1 << 20

// fetch reads an object through the seam on behalf of a caller.
func fetch(ctx context.Context, caller aws.Caller, as aws.Request, at Location) ([]byte, error) {
	in := value.NewObject(value.Member{Name: "Bucket", Value: at.Bucket}, value.Member{Name: "Key", Value: at.Key})
	if at.Version != "" {
		in.Set("VersionId", at.Version)
	}
	as.Service, as.Operation, as.Input = "s3", "GetObject", value.Append(nil, in)
	out, err := caller.Call(ctx, &as)
	if err != nil {
		var e *aws.Error
		if errors.As(err, &e) {
			return nil, fmt.Errorf("S3 error: %s (s3://%s/%s: %s)", e.Message, at.Bucket, at.Key, e.Code)
		}
		return nil, err
	}
	body := out.Body
	if out.Stream != nil {
		body, err = io.ReadAll(io.LimitReader(out.Stream, maxObject+1))
		err = errors.Join(err, out.Stream.Close())
	}
	if err == nil && len(body) > maxObject {
		err = fmt.Errorf("s3://%s/%s is larger than %d bytes", at.Bucket, at.Key, maxObject)
	}
	return body, err
}
