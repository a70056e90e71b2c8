package lambda

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/newel-run/newel/internal/lambda/runtime"
	"github.com/newel-run/newel/internal/lambda/toolchain"
)

// spec is what the pool needs to know of a function.
func (s *Service) spec(f *record) *runtime.Spec {
	arn := f.arn()
	if f.Version != "" {
		arn += ":" + f.Version
	}
	return &runtime.Spec{
		Key: arn + "@" + f.Generation, Function: arn, Name: f.Name, Version: f.version(), LogGroup: f.logGroup(),
		Account: f.Account, Region: f.Region, Runtime: f.Runtime, MemoryMB: f.MemorySize,
		Timeout: time.Duration(f.Timeout) * time.Second, LegacyTimeout: toolchain.LegacyTimeout(f.Runtime),
		Prepare: func(ctx context.Context) (*runtime.Command, error) { return s.prepare(ctx, f) },
	}
}

// prepare unpacks a function's code and says how to start it.
func (s *Service) prepare(ctx context.Context, f *record) (*runtime.Command, error) {
	dir, err := s.unpacked(ctx, f)
	if err != nil {
		return nil, err
	}
	c := &runtime.Command{Dir: dir}
	family, _ := toolchain.FamilyOf(f.Runtime)
	switch family {
	case toolchain.Python, toolchain.Node:
		i, err := s.tools.Interpreter(ctx, f.Runtime)
		if err != nil {
			return nil, err
		}
		c.Path = i.Path
		if family == toolchain.Python {
			c.Args = []string{filepath.Join(s.shim, "bootstrap.py")}
		} else {
			c.Args = []string{filepath.Join(s.shim, "bootstrap.js")}
		}
	default:
		c.Path = filepath.Join(dir, "bootstrap")
		if p := filepath.Join(dir, filepath.FromSlash(f.Handler)); family == toolchain.Go && filepath.IsLocal(f.Handler) && isFile(p) {
			c.Path = p
		}
	}
	c.Env = s.environment(f, dir)
	return c, nil
}

// environment is what AWS's runtimes set, what sends the AWS SDKs to this server, and the function's own variables. Of
// the server's environment a function sees only what a program needs to run on this machine: never its AWS settings.
func (s *Service) environment(f *record, dir string) []string {
	env := map[string]string{"LANG": "en_US.UTF-8", "PATH": os.Getenv("PATH")}
	for _, k := range []string{"HOME", "TMPDIR", "LD_LIBRARY_PATH", "NODE_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR",
		"NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE",
		"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		if v, ok := os.LookupEnv(k); ok {
			env[k] = v
		}
	}
	if env["HTTP_PROXY"]+env["HTTPS_PROXY"]+env["http_proxy"]+env["https_proxy"] != "" {
		direct := strings.Trim(os.Getenv("NO_PROXY")+","+os.Getenv("no_proxy")+",127.0.0.1,localhost", ",")
		env["NO_PROXY"], env["no_proxy"] = direct, direct
	}
	base := s.Env.BaseURL()
	for k, v := range map[string]string{
		"TZ": ":UTC", "_HANDLER": f.Handler, "LAMBDA_TASK_ROOT": dir, "LAMBDA_RUNTIME_DIR": s.shim,
		"AWS_REGION": f.Region, "AWS_DEFAULT_REGION": f.Region,
		// The access key id selects the account; nothing else looks at the keys.
		"AWS_ACCESS_KEY_ID": f.Account, "AWS_SECRET_ACCESS_KEY": "test", "AWS_SESSION_TOKEN": "test",
		"AWS_EXECUTION_ENV": "AWS_Lambda_" + f.Runtime, "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
		"AWS_LAMBDA_FUNCTION_NAME": f.Name, "AWS_LAMBDA_FUNCTION_VERSION": f.version(),
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": fmt.Sprint(f.MemorySize), "AWS_LAMBDA_LOG_GROUP_NAME": f.logGroup(),
		"AWS_ENDPOINT_URL": base, "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
		// The user's own profiles and instance roles are not the function's.
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE": "1",
	} {
		env[k] = v
	}
	for k, v := range s.cfg.Env {
		env[k] = v
	}
	for k, v := range f.Environment {
		env[k] = v
	}
	list := make([]string, 0, len(env)+2)
	for k, v := range env {
		list = append(list, k+"="+v)
	}
	sort.Strings(list)
	return list
}

func isDir(p string) bool {
	st, err := os.Stat(p)
	return err == nil && st.IsDir()
}

func isFile(p string) bool {
	st, err := os.Stat(p)
	return err == nil && st.Mode().IsRegular()
}
