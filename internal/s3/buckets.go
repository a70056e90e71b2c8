package s3

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

func validBucketName(name string) bool {
	switch {
	case !bucketName.MatchString(name), net.ParseIP(name) != nil, strings.Contains(name, ".."), strings.HasPrefix(name, "xn--"),
		strings.HasPrefix(name, "sthree-"), strings.HasSuffix(name, "-s3alias"), strings.HasSuffix(name, "--ol-s3"), strings.HasSuffix(name, "--x-s3"):
		return false
	}
	return true
}

type createBucketInput struct {
	Bucket, ACL                string
	ObjectLockEnabledForBucket bool
	ObjectOwnership            string
	CreateBucketConfiguration  struct {
		LocationConstraint string
		Location, Bucket   json.RawMessage
		Tags               []tag
	}
}

func (s *Service) createBucket(c *service.Context, tx store.Tx) (any, error) {
	var in createBucketInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if !validBucketName(in.Bucket) {
		return nil, invalidBucketName(in.Bucket)
	}
	region, err := in.region(c)
	if err != nil {
		return nil, err
	}
	switch {
	case in.ObjectLockEnabledForBucket:
		return nil, notImplemented(c.Operation, "ObjectLockEnabledForBucket")
	case in.CreateBucketConfiguration.Location != nil || in.CreateBucketConfiguration.Bucket != nil:
		return nil, notImplemented(c.Operation, "directory buckets")
	case in.ACL != "" && in.ACL != "private" && (in.ObjectOwnership == "" || in.ObjectOwnership == "BucketOwnerEnforced"):
		return nil, fail(400, "InvalidBucketAclWithObjectOwnership", "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting", nil)
	case in.ACL != "" && in.ACL != "private":
		return nil, notImplemented(c.Operation, "the ACL "+in.ACL)
	}
	out := &aws.Output{Value: map[string]any{"Location": "/" + in.Bucket}}
	if region != "us-east-1" && c.Host != "" {
		out.Value = map[string]any{"Location": "http://" + in.Bucket + ".s3.amazonaws.com/"}
	}
	var there bucket
	if found, err := get(tx, row(rowBucket, in.Bucket), &there); err != nil {
		return nil, err
	} else if found {
		switch {
		case there.Account != c.Account:
			return nil, fail(409, "BucketAlreadyExists", "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.",
				map[string]any{"BucketName": in.Bucket})
		case there.Region != "us-east-1" || region != "us-east-1":
			return nil, fail(409, "BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it.", map[string]any{"BucketName": in.Bucket})
		}
		return out.Value, nil
	}
	if err := checkTags(in.CreateBucketConfiguration.Tags, bucketTagsMax); err != nil {
		return nil, err
	}
	tx.Set(row(rowBucket, in.Bucket), encodeRow(bucket{Version: 1, Account: c.Account, Region: region, Created: c.Now.UnixMilli()}))
	for kind, value := range fresh {
		tx.Set(row(rowConfig, in.Bucket, kind), []byte(value))
	}
	if in.ObjectOwnership != "" {
		tx.Set(row(rowConfig, in.Bucket, kindOwnership), encodeRow(map[string]any{"Rules": []any{map[string]any{"ObjectOwnership": in.ObjectOwnership}}}))
	}
	if tags := in.CreateBucketConfiguration.Tags; len(tags) > 0 {
		tx.Set(row(rowConfig, in.Bucket, kindTagging), encodeRow(map[string]any{"TagSet": tags}))
	}
	return out.Value, nil
}

// region is where the bucket is to be. Calls from inside have no endpoint that could disagree.
func (in *createBucketInput) region(c *service.Context) (string, error) {
	want := in.CreateBucketConfiguration.LocationConstraint
	if want == "EU" {
		want = "eu-west-1"
	}
	switch {
	case want == "us-east-1" && c.Host != "":
		return "", fail(400, "InvalidLocationConstraint", "The specified location-constraint is not valid", map[string]any{"LocationConstraint": want})
	case want == "" && (c.Host == "" || c.Region == "us-east-1"):
		return c.Region, nil
	case want == "":
		return "", fail(400, "IllegalLocationConstraintException", "The unspecified location constraint is incompatible for the region specific endpoint this request was sent to.", nil)
	case want != c.Region && c.Region != "us-east-1" && c.Host != "":
		return "", fail(400, "IllegalLocationConstraintException", "The "+want+" location constraint is incompatible for the region specific endpoint this request was sent to.", nil)
	}
	return want, nil
}

func (s *Service) deleteBucket(_ *service.Context, b *box) (any, error) {
	lo, hi := within(rowObject, b.name, "")
	for range b.tx.Scan(lo, hi, false) {
		return nil, fail(409, "BucketNotEmpty", "The bucket you tried to delete is not empty", map[string]any{"BucketName": b.name})
	}
	lo, hi = within(rowPart, b.name, "")
	var parts []part
	for _, v := range b.tx.Scan(lo, hi, false) {
		var p part
		if err := decodeRow(v, &p); err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	for _, p := range parts {
		b.release(p.File)
	}
	for _, kind := range []string{rowConfig, rowUpload, rowPart} {
		lo, hi := within(kind, b.name, "")
		b.tx.DeleteRange(lo, hi)
	}
	b.tx.Delete(row(rowBucket, b.name))
	return nil, nil
}

func headBucket(_ *service.Context, b *box) (any, error) {
	return map[string]any{"BucketRegion": b.Region, "AccessPointAlias": false, "BucketArn": b.arn(b.name)}, nil
}

func getBucketLocation(_ *service.Context, b *box) (any, error) {
	if b.Region == "us-east-1" {
		return nil, nil
	}
	return map[string]any{"LocationConstraint": b.Region}, nil
}

type owner struct {
	DisplayName string `json:",omitempty"`
	ID          string
}

// ownerOf is the canonical user of an account: 64 hexadecimal digits.
func ownerOf(account string) owner {
	return owner{ID: strings.Repeat("0", 64-len(account)) + account}
}

type listedBucket struct {
	Name         string
	CreationDate int64
	BucketRegion string
	BucketArn    string
}

func (s *Service) listBuckets(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in struct {
		Prefix, ContinuationToken, BucketRegion string
		MaxBuckets                              int
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	all := []listedBucket{}
	lo := row(rowBucket)
	for p := range s.Env.Store.Partitions() {
		err := s.Env.Store.View(ctx, store.Partition(p), func(rd store.Reader) error {
			for k, v := range rd.Scan(lo, lo.End(), false) {
				name, _, _ := store.CutStr(bytes.Clone(k[len(lo):]))
				var b bucket
				if err := decodeRow(v, &b); err != nil {
					return err
				}
				if b.Account == c.Account && strings.HasPrefix(name, in.Prefix) && (in.BucketRegion == "" || in.BucketRegion == b.Region) && name > in.ContinuationToken {
					all = append(all, listedBucket{name, b.Created / 1000, b.Region, b.arn(name)})
				}
			}
			return nil
		})
		if err != nil {
			return nil, service.Wire(err)
		}
	}
	slices.SortFunc(all, func(a, b listedBucket) int { return strings.Compare(a.Name, b.Name) })
	all = slices.CompactFunc(all, func(a, b listedBucket) bool { return a.Name == b.Name })
	out := struct {
		Owner                     owner
		Buckets                   []listedBucket
		Prefix, ContinuationToken string `json:",omitempty"`
	}{Owner: ownerOf(c.Account), Buckets: all, Prefix: in.Prefix}
	if in.MaxBuckets > 0 && len(all) > in.MaxBuckets {
		out.Buckets, out.ContinuationToken = all[:in.MaxBuckets], all[in.MaxBuckets-1].Name
	}
	return &aws.Output{Value: out, Status: http.StatusOK}, nil
}
