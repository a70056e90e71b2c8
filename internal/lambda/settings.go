package lambda

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/lambda/toolchain"
	"github.com/newel-run/newel/internal/service"
)

// settings are the members that CreateFunction and UpdateFunctionConfiguration share; nil: not given.
type settings struct {
	FunctionName                          string
	Role                                  *string
	Handler                               *string
	Runtime                               *string
	Description                           *string
	Timeout                               *int
	MemorySize                            *int
	VpcConfig                             json.RawMessage
	Environment                           *struct{ Variables map[string]string }
	DeadLetterConfig                      *deadLetter
	KMSKeyArn                             *string
	TracingConfig                         *tracing
	EphemeralStorage                      *ephemeralStorage
	LoggingConfig                         *loggingConfig
	Layers                                []string
	FileSystemConfigs                     []json.RawMessage
	ImageConfig                           json.RawMessage
	SnapStart                             *struct{ ApplyOn string }
	RevisionId                            string //nolint:revive // AWS's name
	DurableConfig                         json.RawMessage
	CapacityProviderConfig, TenancyConfig json.RawMessage
}

type createInput struct {
	settings
	Code                 codeSource
	Publish              bool
	PackageType          string
	Tags                 map[string]string
	Architectures        []string
	CodeSigningConfigArn string
}

const rolePattern = `arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+`

var (
	roleRE     = regexp.MustCompile(`^` + rolePattern + `$`)
	variableRE = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_]+$`)
)

// record checks the input and makes a function of it, without its code.
func (in *createInput) record(c *service.Context) (*record, error) {
	id, q, err := target(c, in.FunctionName, "")
	switch {
	case err != nil:
		return nil, err
	case q != "":
		return nil, invalid("The function name must not have a qualifier: %s", in.FunctionName)
	case in.Role == nil:
		return nil, constraint("role", nil, "Member must not be null")
	case in.PackageType == "Image":
		return nil, unsupported("container images: package the function as a zip file")
	case in.CodeSigningConfigArn != "":
		return nil, unsupported("code signing")
	case in.Runtime == nil || in.Handler == nil:
		return nil, invalid("Runtime and Handler are mandatory parameters for functions created with deployment packages.")
	}
	f := &record{identity: id, Timeout: 3, MemorySize: 128, TracingMode: "PassThrough", EphemeralMB: 512, Architectures: []string{"x86_64"}, Tags: in.Tags}
	if len(in.Architectures) > 0 {
		f.Architectures = in.Architectures
	}
	return f, in.apply(f)
}

// apply checks the settings that are given and puts them into a function.
func (in *settings) apply(f *record) error {
	if err := in.unsupported(); err != nil {
		return err
	}
	if in.Role != nil {
		if !roleRE.MatchString(*in.Role) {
			return constraint("role", *in.Role, "Member must satisfy regular expression pattern: %s", rolePattern)
		}
		f.Role = *in.Role
	}
	if in.Runtime != nil {
		family, ok := toolchain.FamilyOf(*in.Runtime)
		if !ok {
			return invalid("Value %s at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [%s] or be a valid ARN",
				*in.Runtime, strings.Join(toolchain.Names(), ", "))
		}
		if err := family.Supported(); err != nil {
			return invalid("%v.", err)
		}
		f.Runtime = *in.Runtime
	}
	if in.Handler != nil {
		if strings.ContainsAny(*in.Handler, " \t\r\n") || len(*in.Handler) > 128 {
			return constraint("handler", *in.Handler, `Member must satisfy regular expression pattern: [^\s]+`)
		}
		f.Handler = *in.Handler
	}
	if err := in.numbers(f); err != nil {
		return err
	}
	if in.Environment != nil {
		if err := checkEnvironment(in.Environment.Variables); err != nil {
			return err
		}
		f.Environment, f.HasEnvironment = in.Environment.Variables, len(in.Environment.Variables) > 0
	}
	in.rest(f)
	return nil
}

func (in *settings) numbers(f *record) error {
	for _, n := range []struct {
		name      string
		value     *int
		into      *int
		low, high int
	}{
		{"timeout", in.Timeout, &f.Timeout, 1, 900},
		{"memorySize", in.MemorySize, &f.MemorySize, 128, 10240},
	} {
		switch {
		case n.value == nil:
		case *n.value < n.low:
			return constraint(n.name, *n.value, "Member must have value greater than or equal to %d", n.low)
		case *n.value > n.high:
			return constraint(n.name, *n.value, "Member must have value less than or equal to %d", n.high)
		default:
			*n.into = *n.value
		}
	}
	return nil
}

// rest takes the settings that are kept and answered but have no effect here, or none that can be wrong.
func (in *settings) rest(f *record) {
	if in.Description != nil {
		f.Description = *in.Description
	}
	if in.VpcConfig != nil {
		f.VPC = in.VpcConfig
	}
	if in.DeadLetterConfig != nil {
		f.DeadLetterArn = in.DeadLetterConfig.TargetArn
	}
	if in.KMSKeyArn != nil {
		f.KMSKeyArn = *in.KMSKeyArn
	}
	if in.TracingConfig != nil && in.TracingConfig.Mode != "" {
		f.TracingMode = in.TracingConfig.Mode
	}
	if in.EphemeralStorage != nil {
		f.EphemeralMB = in.EphemeralStorage.Size
	}
	if in.LoggingConfig != nil {
		f.Logging = *in.LoggingConfig
	}
}

func (in *settings) unsupported() error {
	given := func(b json.RawMessage) bool { return len(b) > 0 && string(b) != "null" && string(b) != "{}" }
	switch {
	case len(in.Layers) > 0:
		return unsupported("layers: put their contents into the function's package")
	case len(in.FileSystemConfigs) > 0:
		return unsupported("FileSystemConfigs")
	case given(in.ImageConfig):
		return unsupported("ImageConfig")
	case given(in.DurableConfig):
		return unsupported("DurableConfig")
	case given(in.CapacityProviderConfig):
		return unsupported("CapacityProviderConfig")
	case given(in.TenancyConfig):
		return unsupported("TenancyConfig")
	case in.LoggingConfig != nil && in.LoggingConfig.LogFormat == "JSON":
		return unsupported("LoggingConfig with LogFormat JSON")
	}
	return nil
}

// reserved are the variables that Lambda sets and a function's configuration may not.
var reserved = []string{
	"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME",
	"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME",
	"AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
	"AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
}

const environmentMax = 4096 // bytes of names and values

func checkEnvironment(vars map[string]string) error {
	var bad []string
	size := 0
	for k, v := range vars {
		if !variableRE.MatchString(k) && !slices.Contains(reserved, k) {
			return constraint("environment.variables", "{"+k+"="+v+"}", "Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]")
		}
		if slices.Contains(reserved, k) {
			bad = append(bad, k)
		}
		size += len(k) + len(v)
	}
	if len(bad) > 0 {
		slices.Sort(bad)
		return invalid("Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: %s", strings.Join(bad, ", "))
	}
	if size > environmentMax {
		b, _ := json.Marshal(vars)
		return invalid("Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit. String measured: %s", b)
	}
	return nil
}

func checkRevision(f *record, given string) error {
	if given != "" && given != f.RevisionID {
		return fail("PreconditionFailedException", 412,
			"The RevisionId provided does not match the latest RevisionId. Call the GetFunction/GetAlias API to retrieve the latest RevisionId.")
	}
	return nil
}
