package serverless

import "strings"

// stepFunctions is the plugin that this package knows.
const stepFunctions = "serverless-step-functions"

// harmless are plugins that change nothing that is deployed: they serve local work, add commands, look at the result, or
// do what is done here anyway.
var harmless = map[string]string{
	"serverless-offline":                 "runs functions locally",
	"serverless-offline-sqs":             "runs functions locally",
	"serverless-offline-sns":             "runs functions locally",
	"serverless-dynamodb-local":          "runs a database locally",
	"serverless-step-functions-local":    "runs state machines locally",
	"serverless-localstack":              "sends the calls to another endpoint; here they go to Newel",
	"serverless-plugin-log-retention":    "log groups are kept anyway",
	"serverless-pseudo-parameters":       "#{AWS::Region} in definitions is known",
	"serverless-deployment-bucket":       "the deployment bucket is made anyway",
	"serverless-dotenv-plugin":           "set the environment before",
	"serverless-prune-plugin":            "deletes old versions",
	"serverless-stack-output":            "writes outputs to a file",
	"serverless-export-env":              "writes the environment to a file",
	"serverless-plugin-common-excludes":  "makes packages smaller",
	"serverless-plugin-typescript-check": "checks types",
}

func (s *Service) plugins() {
	n := s.root.Get("plugins")
	if absent(n) {
		return
	}
	list := n.Items
	if m := n.Get("modules"); m != nil {
		list = m.Items
	}
	for _, p := range list {
		name, _ := p.Text()
		switch {
		case name == stepFunctions:
			s.machines = true
		case harmless[name] == "":
			s.fail(p, "the plugin %q is not supported; supported: %s, and plugins without effect on what is deployed: %s",
				name, stepFunctions, strings.Join(sortedKeys(harmless), ", "))
		}
	}
}
