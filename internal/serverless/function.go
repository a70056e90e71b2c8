package serverless

import (
	"strings"

	"github.com/newel-run/newel/internal/cfn"
	"github.com/newel-run/newel/internal/cfn/build"
)

var functionNames = []string{
	"handler", "name", "runtime", "description", "environment", "events", "memorySize", "timeout", "tags", "role",
	"reservedConcurrency", "layers", "tracing", "onError", "package", "dependsOn", "condition", "versionFunction", "disableLogs",
	"vpc", "architecture", "kmsKeyArn", "awsKmsKeyArn", "ephemeralStorageSize",
}

// function makes a function and its version.
func (s *Service) function(f cfn.Field) {
	n, at := f.Value, build.OfField(f)
	if !s.members(n, "function "+f.Name, functionNames...) {
		return
	}
	if s.text(n, "handler") == "" {
		s.fail(n, "Either \"handler\" or \"image\" property needs to be set on function %q; images are not supported", f.Name)
		return
	}
	code, ok := s.code[f.Name]
	if !ok {
		panic("serverless: function " + f.Name + " has no package")
	}
	runtime := "nodejs12.x"
	if s.version3 {
		runtime = "nodejs14.x"
	}
	either := func(name, providers string, otherwise any) *cfn.Node {
		if v := first(n.Get(name), s.provider.Get(providers)); v != nil {
			return build.Clone(v)
		}
		if otherwise == nil {
			return nil
		}
		return at.Node(otherwise)
	}
	props := at.Object(
		"Code", at.Object("S3Bucket", code.Bucket, "S3Key", code.Key),
		"Handler", n.Get("handler"),
		"Runtime", either("runtime", "runtime", runtime),
		"FunctionName", s.functionName(f),
		"MemorySize", either("memorySize", "memorySize", 1024),
		"Timeout", either("timeout", "timeout", 6),
		"Description", present(n.Get("description")),
		"Tags", s.tagList(s.provider.Get("tags"), n.Get("tags")),
		"KmsKeyArn", first(n.Get("kmsKeyArn"), n.Get("awsKmsKeyArn"), s.provider.Get("kmsKeyArn")),
		"ReservedConcurrentExecutions", present(n.Get("reservedConcurrency")),
		"Layers", either("layers", "layers", nil))
	if a := either("architecture", "architecture", nil); a != nil {
		build.Set(props, "Architectures", at.List(a))
	}
	if e := present(n.Get("ephemeralStorageSize")); e != nil {
		build.Set(props, "EphemeralStorage", at.Object("Size", e))
	}
	s.functionSettings(f, props)
	r := at.Object("Type", "AWS::Lambda::Function", "Properties", props, "Condition", present(n.Get("condition")))
	if !s.yes(n, "disableLogs", false) {
		build.Append(r, "DependsOn", at.Node(normal(f.Name)+"LogGroup"))
	}
	s.functionRole(f, r, props)
	if d := present(n.Get("dependsOn")); d != nil {
		items := []*cfn.Node{d}
		if d.Kind == cfn.List {
			items = d.Items
		}
		build.Append(r, "DependsOn", items...)
	}
	s.put(functionID(f.Name), r)
	if s.yes(n, "versionFunction", s.yes(s.provider, "versionFunctions", true)) {
		s.functionVersion(f, code, props)
	}
}

// functionSettings are environment, tracing, dead letters and network.
func (s *Service) functionSettings(f cfn.Field, props *cfn.Node) {
	n, at := f.Value, build.OfField(f)
	environment := at.Object()
	for _, e := range []*cfn.Node{s.provider.Get("environment"), n.Get("environment")} {
		if absent(e) {
			continue
		}
		for _, v := range e.Fields {
			if text, ok := plainText(v.Value); ok {
				v.Value = build.Of(v.Value).Node(text)
			}
			if absent(v.Value) {
				build.Delete(environment, v.Name)
				continue
			}
			build.Set(environment, v.Name, build.Clone(v.Value))
		}
	}
	if len(environment.Fields) > 0 {
		build.Set(props, "Environment", at.Object("Variables", environment))
	}
	tracing := first(n.Get("tracing"), s.provider.Get("tracing").Get("lambda"))
	if tracing != nil && tracing.Value != false {
		mode := "Active"
		if text, ok := tracing.Text(); ok {
			mode = text
		}
		build.Set(props, "TracingConfig", at.Object("Mode", mode))
		s.allow(at, []string{"xray:PutTraceSegments", "xray:PutTelemetryRecords"}, at.Node("*"))
	}
	if arn := present(n.Get("onError")); arn != nil {
		build.Set(props, "DeadLetterConfig", at.Object("TargetArn", arn))
		if _, ok := arn.Text(); ok {
			s.allow(at, []string{"sns:Publish"}, build.Clone(arn))
		}
	}
	vpc := n.Get("vpc")
	if vpc == nil {
		vpc = s.provider.Get("vpc")
	}
	if !absent(vpc) && vpc.Kind == cfn.Map {
		build.Set(props, "VpcConfig", at.Object("SecurityGroupIds", vpc.Get("securityGroupIds"), "SubnetIds", vpc.Get("subnetIds")))
	}
}

// allow adds a statement to the functions' role, once.
func (s *Service) allow(at build.At, actions []string, resources ...*cfn.Node) {
	if s.role == nil {
		return
	}
	statement := at.Object("Effect", "Allow", "Action", actions, "Resource", resources)
	for _, old := range s.role.Items {
		if build.Equal(old, statement) {
			return
		}
	}
	s.role.Items = append(s.role.Items, statement)
}

// functionRole is the function's own role, the provider's, or the one that is made.
func (s *Service) functionRole(f cfn.Field, resource, props *cfn.Node) {
	at := build.OfField(f)
	role := first(f.Value.Get("role"), s.givenRole())
	if role == nil {
		build.Set(props, "Role", at.GetAtt("IamRoleLambdaExecution", "Arn"))
		return
	}
	text, ok := role.Text()
	switch {
	case ok && !strings.HasPrefix(text, "arn:"):
		build.Set(props, "Role", at.GetAtt(text, "Arn"))
		build.Append(resource, "DependsOn", at.Node(text))
	case role.Kind == cfn.Function && role.Fn == "Fn::GetAtt" && role.Arg.Kind == cfn.List && len(role.Arg.Items) > 0:
		build.Append(resource, "DependsOn", build.Clone(role.Arg.Items[0]))
		fallthrough
	default:
		build.Set(props, "Role", build.Clone(role))
	}
}

func (s *Service) functionVersion(f cfn.Field, code Code, props *cfn.Node) {
	at := build.OfField(f)
	id := versionID(f.Name, code, props)
	s.versions[functionID(f.Name)] = id
	s.put(id, at.Object("Type", "AWS::Lambda::Version", "DeletionPolicy", "Retain", "Properties", at.Object(
		"FunctionName", at.Ref(functionID(f.Name)), "CodeSha256", code.SHA256, "Description", build.Clone(present(f.Value.Get("description"))))))
	s.output(at, functionID(f.Name)+"QualifiedArn", "Current Lambda function version", at.Ref(id))
}
