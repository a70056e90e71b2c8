package iam

import (
	"slices"
	"strconv"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// policy is a managed policy's record.
type policy struct {
	Version          int
	Path, Name, ID   string
	Description      string
	Created, Updated int64 // s
	Tags             []tag
	Default          int // number of the default version
	Last             int // number of the newest version ever
	Versions         []policyVersion
}

type policyVersion struct {
	N        int
	Document string
	Created  int64 // s
}

const versionsMax = 5

func (p *policy) arn(account string) string {
	return aws.ARN{Service: "iam", Account: account, Resource: "policy" + p.Path + p.Name}.String()
}

func (p *policy) describe(account string, attached int) map[string]any {
	return map[string]any{"PolicyName": p.Name, "PolicyId": p.ID, "Arn": p.arn(account), "Path": p.Path, "DefaultVersionId": "v" + itoa(p.Default),
		"AttachmentCount": attached, "PermissionsBoundaryUsageCount": 0, "IsAttachable": true, "CreateDate": p.Created, "UpdateDate": p.Updated}
}

func (p *policy) describeVersion(v *policyVersion) map[string]any {
	return map[string]any{"VersionId": "v" + itoa(v.N), "IsDefaultVersion": v.N == p.Default, "CreateDate": v.Created}
}

func noPolicy(arn string) error {
	return noSuchEntity("Policy %s does not exist or is not attachable.", arn)
}

// managed reads one of the account's policies by its ARN.
func managed(c *service.Context, rd store.Reader, arn string) (*policy, error) {
	if arn == "" {
		return nil, constraint("null", "policyArn", "Member must not be null")
	}
	if a, ok := aws.ParseARN(arn); !ok || a.Service != "iam" || !strings.HasPrefix(a.Resource, "policy/") {
		return nil, invalidInput("ARN %s is not valid.", arn)
	}
	name, path := nameAndPath(arn)
	p := &policy{}
	there, err := load(rd, key(rowPolicy, c.Account, name), p)
	if err == nil && (!there || p.Path != path) {
		err = noPolicy(arn)
	}
	return p, err
}

type policyInput struct {
	PolicyArn, VersionID, PolicyDocument string
	SetAsDefault                         bool
	Tags                                 []tag
	TagKeys                              []string
	paging
}

// findPolicy decodes a request and reads the policy that it names.
func findPolicy(c *service.Context, rd store.Reader) (in policyInput, p *policy, err error) {
	if err = service.Decode(c.Request, &in); err != nil {
		return in, nil, err
	}
	p, err = managed(c, rd, in.PolicyArn)
	return in, p, err
}

func changePolicy(c *service.Context, tx store.Tx, fn func(in policyInput, p *policy) error) error {
	in, p, err := findPolicy(c, tx)
	if err != nil {
		return err
	}
	if err := fn(in, p); err != nil {
		return err
	}
	return save(tx, key(rowPolicy, c.Account, p.Name), p)
}

func createPolicy(c *service.Context, tx store.Tx) (any, error) {
	var in struct {
		PolicyName, Path, PolicyDocument, Description string
		Tags                                          []tag
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if err := checkName(in.PolicyName, "policyName", 128); err != nil {
		return nil, err
	}
	if err := checkPath(&in.Path); err != nil {
		return nil, err
	}
	if err := checkDocument(in.PolicyDocument, false); err != nil {
		return nil, err
	}
	k := key(rowPolicy, c.Account, in.PolicyName)
	there, err := tx.Get(k)
	if err != nil {
		return nil, err
	}
	if there != nil {
		return nil, fault("EntityAlreadyExistsException", "EntityAlreadyExists", 409, "A policy called %s already exists. Duplicate names are not allowed.", in.PolicyName)
	}
	now := c.Now.Unix()
	p := &policy{Version: recordVersion, Path: in.Path, Name: in.PolicyName, ID: aws.UniqueID("ANPA", c.Account, in.PolicyName), Description: in.Description,
		Created: now, Updated: now, Default: 1, Last: 1, Versions: []policyVersion{{1, in.PolicyDocument, now}}}
	if p.Tags, err = setTags(nil, in.Tags); err != nil {
		return nil, err
	}
	out := p.describe(c.Account, 0)
	if len(p.Tags) > 0 {
		out["Tags"] = p.Tags
	}
	return map[string]any{"Policy": out}, save(tx, k, p)
}

// attachments counts the roles that each policy is attached to.
func attachments(rd store.Reader, account string) (map[string]int, error) {
	n := map[string]int{}
	err := roles(rd, account, func(r *role) {
		for _, arn := range r.Attached {
			n[arn]++
		}
	})
	return n, err
}

func getPolicy(c *service.Context, rd store.Reader) (any, error) {
	_, p, err := findPolicy(c, rd)
	if err != nil {
		return nil, err
	}
	attached, err := attachments(rd, c.Account)
	if err != nil {
		return nil, err
	}
	out := p.describe(c.Account, attached[p.arn(c.Account)])
	out["Tags"] = append([]tag{}, p.Tags...)
	if p.Description != "" {
		out["Description"] = p.Description
	}
	return map[string]any{"Policy": out}, nil
}

func listPolicies(c *service.Context, rd store.Reader) (any, error) {
	var in struct {
		Scope        string
		OnlyAttached bool
		paging
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if !slices.Contains([]string{"", "All", "AWS", "Local"}, in.Scope) {
		return nil, constraint("'"+in.Scope+"'", "scope", "Member must satisfy enum value set: [All, AWS, Local]")
	}
	attached, err := attachments(rd, c.Account)
	if err != nil {
		return nil, err
	}
	var list []map[string]any
	prefix := rows(rowPolicy, c.Account)
	for _, v := range rd.Scan(prefix, prefix.End(), false) {
		p := &policy{}
		if err := decode(v, p); err != nil {
			return nil, err
		}
		n := attached[p.arn(c.Account)]
		if in.Scope != "AWS" && strings.HasPrefix(p.Path, in.PathPrefix) && (!in.OnlyAttached || n > 0) {
			list = append(list, p.describe(c.Account, n))
		}
	}
	return page(in.paging, "Policies", list, func(p map[string]any) string { return strings.ToLower(p["PolicyName"].(string)) })
}

func deletePolicy(c *service.Context, tx store.Tx) (any, error) {
	_, p, err := findPolicy(c, tx)
	if err != nil {
		return nil, err
	}
	attached, err := attachments(tx, c.Account)
	if err != nil {
		return nil, err
	}
	switch {
	case attached[p.arn(c.Account)] > 0:
		return nil, deleteConflict("Cannot delete a policy attached to entities.")
	case len(p.Versions) > 1:
		return nil, deleteConflict("This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.")
	}
	tx.Delete(key(rowPolicy, c.Account, p.Name))
	return nil, nil
}

func createPolicyVersion(c *service.Context, tx store.Tx) (any, error) {
	var out map[string]any
	err := changePolicy(c, tx, func(in policyInput, p *policy) error {
		if err := checkDocument(in.PolicyDocument, false); err != nil {
			return err
		}
		if len(p.Versions) >= versionsMax {
			return fault("LimitExceededException", "LimitExceeded", 409, "A managed policy can have up to %d versions. Before you create a new version, you must delete an existing version.", versionsMax)
		}
		p.Last++
		p.Updated = c.Now.Unix()
		p.Versions = append(p.Versions, policyVersion{p.Last, in.PolicyDocument, p.Updated})
		if in.SetAsDefault {
			p.Default = p.Last
		}
		out = p.describeVersion(&p.Versions[len(p.Versions)-1])
		return nil
	})
	return map[string]any{"PolicyVersion": out}, err
}

// version is the index of a version by its id ("v3").
func (p *policy) version(id, arn string) (int, error) {
	n, err := strconv.Atoi(strings.TrimPrefix(id, "v"))
	i := slices.IndexFunc(p.Versions, func(v policyVersion) bool { return v.N == n })
	if err != nil || i < 0 {
		return 0, noSuchEntity("Policy %s version %s does not exist or is not attachable.", arn, id)
	}
	return i, nil
}

func getPolicyVersion(c *service.Context, rd store.Reader) (any, error) {
	in, p, err := findPolicy(c, rd)
	if err != nil {
		return nil, err
	}
	i, err := p.version(in.VersionID, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	out := p.describeVersion(&p.Versions[i])
	out["Document"] = encoded(p.Versions[i].Document)
	return map[string]any{"PolicyVersion": out}, nil
}

func listPolicyVersions(c *service.Context, rd store.Reader) (any, error) {
	_, p, err := findPolicy(c, rd)
	if err != nil {
		return nil, err
	}
	list := []map[string]any{}
	for i := len(p.Versions) - 1; i >= 0; i-- {
		list = append(list, p.describeVersion(&p.Versions[i]))
	}
	return map[string]any{"Versions": list, "IsTruncated": false}, nil
}

func deletePolicyVersion(c *service.Context, tx store.Tx) (any, error) {
	return nil, changePolicy(c, tx, func(in policyInput, p *policy) error {
		i, err := p.version(in.VersionID, in.PolicyArn)
		if err != nil {
			return err
		}
		if p.Versions[i].N == p.Default {
			return deleteConflict("Cannot delete the default version of a policy.")
		}
		p.Versions = slices.Delete(p.Versions, i, i+1)
		return nil
	})
}

func setDefaultPolicyVersion(c *service.Context, tx store.Tx) (any, error) {
	return nil, changePolicy(c, tx, func(in policyInput, p *policy) error {
		i, err := p.version(in.VersionID, in.PolicyArn)
		if err == nil {
			p.Default, p.Updated = p.Versions[i].N, c.Now.Unix()
		}
		return err
	})
}

func tagPolicy(c *service.Context, tx store.Tx) (any, error) {
	return nil, changePolicy(c, tx, func(in policyInput, p *policy) (err error) {
		p.Tags, err = setTags(p.Tags, in.Tags)
		return err
	})
}

func untagPolicy(c *service.Context, tx store.Tx) (any, error) {
	return nil, changePolicy(c, tx, func(in policyInput, p *policy) error {
		p.Tags = dropTags(p.Tags, in.TagKeys)
		return nil
	})
}

func listPolicyTags(c *service.Context, rd store.Reader) (any, error) {
	_, p, err := findPolicy(c, rd)
	if err != nil {
		return nil, err
	}
	return map[string]any{"Tags": append([]tag{}, p.Tags...), "IsTruncated": false}, nil
}
