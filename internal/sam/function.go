package sam

import (
	"regexp"
	"strings"

	"github.com/newel-run/newel/internal/cfn"
	"github.com/newel-run/newel/internal/cfn/build"
)

// functionProperties are those that AWS::Lambda::Function has under the same name.
var functionProperties = []string{
	"FunctionName", "Handler", "Runtime", "Description", "MemorySize", "Timeout", "VpcConfig", "Role", "Environment", "KmsKeyArn",
	"ReservedConcurrentExecutions", "Layers", "FileSystemConfigs", "ImageConfig", "PackageType", "Architectures", "SnapStart",
	"EphemeralStorage", "LoggingConfig", "RuntimeManagementConfig", "RecursiveLoop", "CodeSigningConfigArn",
}

var functionOwn = []string{
	"CodeUri", "InlineCode", "ImageUri", "Policies", "AssumeRolePolicyDocument", "RolePath", "PermissionsBoundary", "Events", "Tags",
	"PropagateTags", "Tracing", "DeadLetterQueue", "AutoPublishAlias", "AutoPublishCodeSha256", "VersionDescription",
	"ProvisionedConcurrencyConfig",
}

// target is what an event source calls.
type target struct {
	item *item
	name *cfn.Node // as Lambda's FunctionName
	arn  *cfn.Node
}

// function expands AWS::Serverless::Function.
func (i *item) function() {
	if !i.members(i.props, "AWS::Serverless::Function", append(functionOwn, functionProperties...)...) {
		return
	}
	i.notPropagated()
	props := i.at.Object("Code", i.code())
	pass(i.props, props, functionProperties...)
	build.Set(props, "Tags", i.tagList("lambda:createdBy", i.prop("Tags")))
	tracing := i.tracing()
	if tracing {
		build.Set(props, "TracingConfig", i.at.Object("Mode", i.prop("Tracing")))
	}
	r := role{id: i.id + "Role", service: "lambda.amazonaws.com", mark: "lambda:createdBy", managed: []string{"AWSLambdaBasicExecutionRole"}}
	if tracing {
		r.managed = append(r.managed, "AWSXrayWriteOnlyAccess")
	}
	if i.prop("VpcConfig") != nil {
		r.managed = append(r.managed, "AWSLambdaVPCAccessExecutionRole")
	}
	if q := i.prop("DeadLetterQueue"); q != nil {
		i.deadLetters(q, props, &r)
	}
	to := &target{item: i, name: i.at.Ref(i.id), arn: i.at.GetAtt(i.id, "Arn")}
	i.emit(i.id, "AWS::Lambda::Function", props)
	i.published(props, to)
	r.managed = append(r.managed, i.functionEvents(to)...)
	if given := props.Get("Role"); given != nil && given.Kind == cfn.Function && given.Fn == "Fn::If" {
		for _, side := range given.Arg.Items {
			if logicalID(side) == "AWS::NoValue" {
				i.fail(given, "a Role that is there under a condition only (AWS::NoValue) is not supported")
			}
		}
	}
	if props.Get("Role") == nil {
		build.Set(props, "Role", i.at.GetAtt(r.id, "Arn"))
		i.execution(r)
	}
}

// tracing says whether X-Ray is asked for; 'Disabled' is the same as nothing.
func (i *item) tracing() bool {
	n := i.prop("Tracing")
	s, known := i.t.known(n)
	return n != nil && !(n.Kind == cfn.Scalar && n.Value == nil) && !(known && s == "Disabled")
}

// code makes the Code property.
func (i *item) code() *cfn.Node {
	uri, inline, image := i.prop("CodeUri"), i.prop("InlineCode"), i.prop("ImageUri")
	switch {
	case image != nil:
		i.fail(image, "functions in container images (ImageUri, PackageType Image) are not supported; supported: zip packages")
	case inline != nil && uri != nil:
		i.fail(inline, "only one of CodeUri and InlineCode may be given")
	case inline != nil:
		return i.at.Object("ZipFile", inline)
	case uri != nil:
		bucket, key, version := i.s3Location(uri, "CodeUri")
		return i.at.Object("S3Bucket", bucket, "S3Key", key, "S3ObjectVersion", version)
	default:
		i.fail(i.node, "Missing required property 'CodeUri' or 'InlineCode'")
	}
	return i.at.Object()
}

func (i *item) deadLetters(q, props *cfn.Node, r *role) {
	if !i.members(q, "DeadLetterQueue", "Type", "TargetArn") {
		return
	}
	actions := map[string]string{"SQS": "sqs:SendMessage", "SNS": "sns:Publish"}
	action := actions[i.text(q, "Type")]
	arn := q.Get("TargetArn")
	if action == "" || arn == nil {
		i.fail(q, "'DeadLetterQueue' requires Type and TargetArn properties to be specified; Type is SQS or SNS")
		return
	}
	build.Set(props, "DeadLetterConfig", i.at.Object("TargetArn", arn))
	r.inline = append(r.inline, i.at.Object("PolicyName", "DeadLetterQueuePolicy", "PolicyDocument", i.at.Object(
		"Version", "2012-10-17", "Statement", i.at.List(i.at.Object("Action", action, "Resource", build.Clone(arn), "Effect", "Allow")))))
}

var alphanumeric = regexp.MustCompile(`^[A-Za-z0-9]+$`)

// describe adds the package's hash to the function's description, so that a change of it alone updates the function.
func (i *item) describe(props *cfn.Node, hash string) {
	text := i.at.Node(hash)
	if d := props.Get("Description"); d != nil {
		if s, ok := i.t.known(d); ok {
			text = i.at.Node(s + " " + hash)
		} else {
			text = i.at.Join(" ", d, hash)
		}
	}
	build.Set(props, "Description", text)
}

// published makes version and alias of AutoPublishAlias; events then call the alias.
func (i *item) published(props *cfn.Node, to *target) {
	alias := i.prop("AutoPublishAlias")
	if alias == nil {
		if p := i.prop("ProvisionedConcurrencyConfig"); p != nil {
			i.fail(p, "To set ProvisionedConcurrencyConfig AutoPublishALias must be defined on the function")
		}
		return
	}
	name, ok := i.t.known(alias)
	if !ok {
		i.fail(alias, "'AutoPublishAlias' must be a string or a Ref to a template parameter")
		return
	}
	hash := digest(props.Get("Code"))
	if given, ok := i.t.known(i.prop("AutoPublishCodeSha256")); ok {
		hash = given[:min(10, len(given))]
		i.describe(props, given)
	}
	version := i.id + "Version" + hash
	v := i.emit(version, "AWS::Lambda::Version", i.at.Object("FunctionName", i.at.Ref(i.id), "Description", i.prop("VersionDescription")))
	if v.Get("DeletionPolicy") == nil {
		build.Set(v, "DeletionPolicy", i.at.Node("Retain"))
	}
	id := i.id + "Alias" + strings.NewReplacer("-", "D", "_", "U").Replace(name)
	i.emit(id, "AWS::Lambda::Alias", i.at.Object("Name", name, "FunctionName", i.at.Ref(i.id),
		"FunctionVersion", i.at.GetAtt(version, "Version"), "ProvisionedConcurrencyConfig", i.prop("ProvisionedConcurrencyConfig")))
	i.t.referable[i.id+".Version"], i.t.referable[i.id+".Alias"] = version, id
	to.name, to.arn = i.at.Ref(id), i.at.Ref(id)
}
