package task

import (
	"net/url"
	"strings"

	"github.com/newel-run/newel/asl/value"
)

// checkQueueURL fails a task whose queue URL names no queue at all, only a host: the SDK would look for a server of that name.
// A URL with a queue in it is resolved by its path, whatever its host, so that applications with hard-coded URLs run.
func checkQueueURL(params *value.Doc) error {
	o, _ := params.Value().(*value.Object)
	if o == nil {
		return nil
	}
	v, _ := o.Get("QueueUrl")
	text, _ := v.(string)
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || strings.Trim(u.Path, "/") != "" {
		return nil //nolint:nilerr // the service answers for what is no URL
	}
	return &Failure{"SQS.SdkClientException", "Unable to execute HTTP request: " + u.Hostname() + ": Name or service not known"}
}
