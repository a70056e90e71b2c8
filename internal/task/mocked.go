package task

import (
	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/naming"
	"github.com/newel-run/newel/internal/aws/rawjson"
)

// unmodelled are optimised integrations whose results AWS has no API model of.
var unmodelled = map[string]bool{"apigateway:invoke": true, "http:invoke": true, "eks:call": true, "eks:runJob": true, "bedrock-agentcore:invokeHarness": true}

// polled are the operations whose answers .sync integrations give as their results: what asks how far the work is.
var polled = map[string]string{
	"athena:startQueryExecution": "GetQueryExecution", "batch:submitJob": "DescribeJobs", "codebuild:startBuild": "BatchGetBuilds",
	"codebuild:startBuildBatch": "BatchGetBuildBatches", "ecs:runTask": "DescribeTasks", "glue:startJobRun": "GetJobRun",
	"sagemaker:createHyperParameterTuningJob": "DescribeHyperParameterTuningJob", "sagemaker:createLabelingJob": "DescribeLabelingJob",
	"sagemaker:createProcessingJob": "DescribeProcessingJob", "sagemaker:createTrainingJob": "DescribeTrainingJob",
	"sagemaker:createTransformJob": "DescribeTransformJob", "states:startExecution": "DescribeExecution",
}

// MockProblem says in AWS's words why a text, which is JSON, cannot be what a task gives; "" if it can. required asks for
// the members that the API model requires too. The integration need not be one that Newel runs.
func MockProblem(i asl.Integration, result []byte, required bool) string {
	check := naming.Check{Style: naming.Optimized, Required: required}
	if i.SDK {
		check.Style = naming.SDK
	}
	op := answering(&i)
	if op == nil || op.Output == nil {
		return ""
	}
	if rawjson.KindOf(rawjson.SkipSpace(result)) != rawjson.Object {
		return "Mocked result must be a JSON object."
	}
	if known := optimised[i.Service+":"+i.Action]; known != nil && known.payload && !i.SDK {
		check.Any = map[string]bool{"Payload": true}
	}
	if i.Pattern == asl.Sync || i.Pattern == asl.Sync2 {
		check.Times = true
	}
	if i.Pattern == asl.Sync2 {
		check.Any = map[string]bool{"Input": true, "Output": true}
	}
	if problem := check.Result(op.Output, result); problem != "" {
		return "Mock result schema validation error: " + problem
	}
	return ""
}

// answering is the operation whose output a task's result is made of; nil if there is none, or no model of it. What a
// worker or a callback answers has none.
func answering(i *asl.Integration) *aws.Operation {
	key := i.Service + ":" + i.Action
	if i.Kind != asl.Service || i.Pattern == asl.WaitForTaskToken || !i.SDK && unmodelled[key] {
		return nil
	}
	model, ok := aws.Model(i.Service)
	if !ok {
		return nil
	}
	if i.Pattern == asl.Sync || i.Pattern == asl.Sync2 {
		return model.Operations[polled[key]]
	}
	op, _ := naming.Operation(model, i.Action)
	return op
}
