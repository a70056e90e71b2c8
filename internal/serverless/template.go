package serverless

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/cfn"
	"github.com/newel-run/newel/internal/cfn/build"
)

// Template makes the CloudFormation template. code says where each function's package lies. The error is of type
// cfn.Problems.
func (s *Service) Template(code map[string]Code) (*cfn.Node, error) {
	s.code, s.versions, s.rest, s.problems = code, map[string]string{}, &restAPI{}, nil
	at := build.Of(s.root)
	s.out = at.Object("AWSTemplateFormatVersion", "2010-09-09",
		"Description", "The AWS CloudFormation template for this Serverless application",
		"Resources", at.Object(), "Outputs", at.Object())
	s.deploymentBucket()
	functions := s.functions()
	s.logGroupsAndRole(functions)
	for _, f := range functions {
		s.function(f)
	}
	for _, f := range functions {
		s.functionEvents(f)
	}
	s.stateMachines()
	s.writeRest()
	s.exports()
	s.resources()
	if len(s.problems) > 0 {
		return nil, s.problems
	}
	return s.out, nil
}

// put adds a resource.
func (s *Service) put(id string, resource *cfn.Node) {
	build.Set(s.out.Get("Resources"), id, resource)
}

func (s *Service) resource(id string) *cfn.Node { return s.out.Get("Resources").Get(id) }

func (s *Service) output(at build.At, id, description string, v *cfn.Node) {
	o := at.Object()
	if description != "" {
		build.Set(o, "Description", at.Node(description))
	}
	build.Set(o, "Value", v)
	build.Set(s.out.Get("Outputs"), id, o)
}

// deploymentBucket is the bucket that the framework makes for its packages. Newel keeps them in a bucket of its own, so
// that deleting the stack needs no emptying; the stack has the framework's bucket nevertheless, with its output.
func (s *Service) deploymentBucket() {
	at := build.Of(s.provider)
	if s.DeploymentBucket != "" {
		s.output(at, "ServerlessDeploymentBucketName", "", at.Node(s.DeploymentBucket))
		return
	}
	s.put("ServerlessDeploymentBucket", at.Object("Type", "AWS::S3::Bucket", "Properties", at.Object(
		"BucketEncryption", at.Object("ServerSideEncryptionConfiguration", at.List(at.Object(
			"ServerSideEncryptionByDefault", at.Object("SSEAlgorithm", "AES256")))))))
	arn := func(rest ...any) *cfn.Node {
		return at.Join("", append([]any{"arn:", at.Ref("AWS::Partition"), ":s3:::", at.Ref("ServerlessDeploymentBucket")}, rest...)...)
	}
	s.put("ServerlessDeploymentBucketPolicy", at.Object("Type", "AWS::S3::BucketPolicy", "Properties", at.Object(
		"Bucket", at.Ref("ServerlessDeploymentBucket"), "PolicyDocument", at.Object("Statement", at.List(at.Object(
			"Action", "s3:*", "Effect", "Deny", "Principal", "*", "Resource", at.List(arn("/*"), arn()),
			"Condition", at.Object("Bool", at.Object("aws:SecureTransport", false))))))))
	s.output(at, "ServerlessDeploymentBucketName", "", at.Ref("ServerlessDeploymentBucket"))
}

// canonical is the beginning of the names of functions that are not given one.
func (s *Service) canonical() string { return s.Name + "-" + s.Stage }

func (s *Service) functionName(f cfn.Field) string {
	return firstText(s.text(f.Value, "name"), s.canonical()+"-"+f.Name)
}

// logGroupsAndRole makes each function's log group and the role of those that have none of their own.
func (s *Service) logGroupsAndRole(functions []cfn.Field) {
	own := 0
	for _, f := range functions {
		at := build.OfField(f)
		if !s.yes(f.Value, "disableLogs", false) {
			s.put(normal(f.Name)+"LogGroup", at.Object("Type", "AWS::Logs::LogGroup", "Properties", at.Object(
				"LogGroupName", "/aws/lambda/"+s.functionName(f), "RetentionInDays", present(s.provider.Get("logRetentionInDays")))))
		}
		if !absent(f.Value.Get("role")) {
			own++
		}
	}
	iam := s.provider.Get("iam").Get("role")
	if own == len(functions) || s.givenRole() != nil {
		return
	}
	at := build.Of(s.provider)
	statements := at.List(s.logStatements(functions)...)
	statements.Items = append(statements.Items, s.givenStatements(iam)...)
	var name any = at.Join("-", s.Name, s.Stage, at.Ref("AWS::Region"), "lambdaRole")
	if n := present(iam.Get("name")); n != nil {
		name = n
	}
	path := any("/")
	if p := present(iam.Get("path")); p != nil {
		path = p
	}
	props := at.Object(
		"AssumeRolePolicyDocument", at.Object("Version", "2012-10-17", "Statement", at.List(at.Object(
			"Effect", "Allow", "Principal", at.Object("Service", []string{"lambda.amazonaws.com"}), "Action", []string{"sts:AssumeRole"}))),
		"Policies", at.List(at.Object("PolicyName", at.Join("-", s.Name, s.Stage, "lambda"),
			"PolicyDocument", at.Object("Version", "2012-10-17", "Statement", statements))),
		"Path", path, "RoleName", name,
		"PermissionsBoundary", first(iam.Get("permissionsBoundary"), iam.Get("permissionBoundary"), s.provider.Get("rolePermissionsBoundary")),
		"ManagedPolicyArns", first(iam.Get("managedPolicies"), s.provider.Get("iamManagedPolicies")),
		"Tags", s.tagList(iam.Get("tags")))
	s.role = statements
	s.put("IamRoleLambdaExecution", at.Object("Type", "AWS::IAM::Role", "Properties", props))
}

// givenStatements are the statements of provider.iam.role.statements, or of the older provider.iamRoleStatements.
func (s *Service) givenStatements(iam *cfn.Node) []*cfn.Node {
	if n := s.provider.Get("iam"); !absent(n) {
		s.members(n, "provider.iam", "role", "deploymentRole")
	}
	if iam != nil && iam.Kind == cfn.Map {
		s.members(iam, "provider.iam.role", "statements", "managedPolicies", "name", "path", "permissionsBoundary", "permissionBoundary", "tags")
		if list := s.items(iam, "statements"); len(list) > 0 {
			return list
		}
	}
	return s.items(s.provider, "iamRoleStatements")
}

// givenRole is the role that the provider section names for all functions.
func (s *Service) givenRole() *cfn.Node {
	r := s.provider.Get("iam").Get("role")
	if !absent(r) && r.Kind != cfn.Map {
		return r
	}
	return present(s.provider.Get("role"))
}

// logStatements let the functions write their logs: one pattern for all with names of the framework's making, one for
// each other.
func (s *Service) logStatements(functions []cfn.Field) []any {
	at := build.Of(s.provider)
	create, write := at.List(), at.List()
	group := func(name string) {
		arn := "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:/aws/lambda/" + name
		create.Items = append(create.Items, at.Sub(arn+":*"))
		write.Items = append(write.Items, at.Sub(arn+":*:*"))
	}
	canonical := false
	for _, f := range functions {
		name := s.functionName(f)
		if strings.HasPrefix(name, s.canonical()) {
			canonical = true
		} else if !s.yes(f.Value, "disableLogs", false) {
			group(name)
		}
	}
	if canonical {
		group(s.canonical() + "*")
	}
	return []any{
		at.Object("Effect", "Allow", "Action", []string{"logs:CreateLogStream", "logs:CreateLogGroup"}, "Resource", create),
		at.Object("Effect", "Allow", "Action", []string{"logs:PutLogEvents"}, "Resource", write),
	}
}

// tagList turns a map of tags into CloudFormation's list; nil if there is none.
func (s *Service) tagList(tags ...*cfn.Node) *cfn.Node {
	all := build.At{}.Object()
	for _, t := range tags {
		if absent(t) {
			continue
		}
		if t.Kind != cfn.Map {
			s.fail(t, "tags must be an object")
			continue
		}
		for _, f := range t.Fields {
			build.Set(all, f.Name, f.Value)
		}
	}
	if len(all.Fields) == 0 {
		return nil
	}
	list := build.Of(all.Fields[0].Value).List()
	for _, f := range all.Fields {
		text, ok := plainText(f.Value)
		v := f.Value
		if ok {
			v = build.Of(f.Value).Node(text)
		}
		list.Items = append(list.Items, build.OfField(f).Object("Key", f.Name, "Value", v))
	}
	return list
}

// resources merges the resources section into the template, then its extensions.
func (s *Service) resources() {
	n := s.root.Get("resources")
	if absent(n) {
		return
	}
	parts := []*cfn.Node{n}
	if n.Kind == cfn.List {
		parts = n.Items
	}
	var extensions []cfn.Field
	for _, part := range parts {
		if absent(part) || !s.members(part, "resources", "Resources", "Outputs", "Conditions", "Parameters", "Mappings", "Description", "Transform", "Metadata", "extensions") {
			continue
		}
		for _, f := range part.Fields {
			switch {
			case absent(f.Value):
			case f.Name == "extensions":
				extensions = append(extensions, f.Value.Fields...)
			default:
				build.Set(s.out, f.Name, mergeDeep(s.out.Get(f.Name), build.Clone(f.Value)))
			}
		}
	}
	for _, f := range extensions {
		s.extend(f)
	}
}

var replaced = []string{"Condition", "CreationPolicy", "DeletionPolicy", "UpdatePolicy", "UpdateReplacePolicy"}

func (s *Service) extend(f cfn.Field) {
	resource := s.resource(f.Name)
	if resource == nil {
		s.fail(f.Value, "Cannot extend %q resource, as it's not found in generated stack", f.Name)
		return
	}
	for _, a := range f.Value.Fields {
		switch {
		case slices.Contains(replaced, a.Name):
			build.Set(resource, a.Name, a.Value)
		case a.Name == "Properties" || a.Name == "Metadata":
			if resource.Get(a.Name) == nil {
				build.Set(resource, a.Name, build.OfField(a).Object())
			}
			for _, p := range a.Value.Fields {
				build.Set(resource.Get(a.Name), p.Name, p.Value)
			}
		case a.Name == "DependsOn":
			items := a.Value.Items
			if a.Value.Kind != cfn.List {
				items = []*cfn.Node{a.Value}
			}
			build.Append(resource, "DependsOn", items...)
		default:
			s.fail(a.Value, "Cannot extend %q resource, as extending the %q attribute at this point is not supported.", f.Name, a.Name)
		}
	}
}

// exports gives each output of the framework's own, not those of the resources section, its export name.
func (s *Service) exports() {
	if s.yes(s.provider, "disableDefaultOutputExportNames", false) {
		return
	}
	for _, f := range s.out.Get("Outputs").Fields {
		if f.Value.Kind == cfn.Map && f.Value.Get("Export") == nil {
			build.Set(f.Value, "Export", build.OfField(f).Object("Name", fmt.Sprintf("sls-%s-%s-%s", s.Name, s.Stage, f.Name)))
		}
	}
}

// versionID is the logical id of a function's version: it changes with the package and with the settings that belong to
// a version.
func versionID(function string, code Code, props *cfn.Node) string {
	settings := build.Clone(props)
	for _, name := range []string{"Code", "ReservedConcurrentExecutions", "Tags"} {
		build.Delete(settings, name)
	}
	sum := sha256.Sum256(append([]byte(code.SHA256), value.Append(nil, settings.Plain())...))
	hash := base64.StdEncoding.EncodeToString(sum[:])
	return normal(function) + "LambdaVersion" + notAlphanumeric.ReplaceAllString(hash, "")
}
