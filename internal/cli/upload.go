package cli

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/newel-run/newel/internal/aws"
	awsclient "github.com/newel-run/newel/internal/aws/client"
	"github.com/newel-run/newel/internal/aws/wire"
	"github.com/newel-run/newel/internal/project"
)

// templateBytesMax is the largest template that CloudFormation takes in the request itself.
const templateBytesMax = 51_200

// in is the same server, asked for another region.
func (c *client) in(region string) *client {
	if region == "" || region == c.region {
		return c
	}
	other := *c
	other.region = region
	if remote, ok := c.caller.(*awsclient.Client); ok {
		there := *remote
		there.Region = region
		other.caller = &there
	}
	return &other
}

// prepare uploads what a project's stack needs and says how CloudFormation is given the template: by TemplateBody, or by
// TemplateURL if it is too large for that.
func (c *client) prepare(ctx context.Context, p *deployable, given map[string]string) (map[string]any, error) {
	var who struct{ Account string }
	if err := c.call(ctx, "sts", "GetCallerIdentity", struct{}{}, &who); err != nil {
		return nil, err
	}
	to := project.Target{Account: who.Account, Region: c.region, Bucket: project.Bucket(who.Account, c.region), Parameters: given}
	plan, err := p.Plan(to)
	if err != nil {
		return nil, err
	}
	p.text = plan.Template
	template := map[string]any{"TemplateBody": string(plan.Template)}
	if len(plan.Template) > templateBytesMax {
		a := plan.Add(to, p.stack, "template.json", plan.Template)
		template = map[string]any{"TemplateURL": project.URL(to, a)}
	}
	made := map[string]bool{}
	for _, a := range plan.Artifacts {
		if !made[a.Bucket] {
			if err := c.makeBucket(ctx, a.Bucket); err != nil {
				return nil, err
			}
			made[a.Bucket] = true
		}
		if err := c.upload(ctx, a); err != nil {
			return nil, err
		}
	}
	return template, nil
}

// makeBucket makes a bucket unless it is there.
func (c *client) makeBucket(ctx context.Context, name string) error {
	in := map[string]any{"Bucket": name}
	if c.region != "us-east-1" {
		in["CreateBucketConfiguration"] = map[string]string{"LocationConstraint": c.region}
	}
	err := c.call(ctx, "s3", "CreateBucket", in, nil)
	if is(err, "BucketAlreadyOwnedByYou") {
		return nil
	}
	return err
}

// upload puts an object, unless its name is the hash of its content and it is there.
func (c *client) upload(ctx context.Context, a project.Artifact) error {
	if !a.Named && c.call(ctx, "s3", "HeadObject", map[string]string{"Bucket": a.Bucket, "Key": a.Key}, nil) == nil {
		return nil
	}
	input, err := wire.Canonical(map[string]string{"Bucket": a.Bucket, "Key": a.Key})
	if err != nil {
		return err
	}
	_, err = c.caller.Call(ctx, &aws.Request{Service: "s3", Operation: "PutObject", Account: c.account, Region: c.region, Input: json.RawMessage(input), Body: a.Body})
	if err != nil {
		return fmt.Errorf("s3://%s/%s: %w", a.Bucket, a.Key, c.explain(err))
	}
	return nil
}
