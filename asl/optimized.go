package asl

import "strings"

// optimized are AWS's optimised integrations, "service:action" with the patterns beside request and response that it
// has: s for .sync, 2 for .sync:2, t for .waitForTaskToken. What is not among them AWS does not recognise, so that no
// word about this program's own limits belongs into the diagnostic.
var optimized = map[string]string{
	"apigateway:invoke": "t",

	"athena:getQueryExecution": "", "athena:getQueryResults": "", "athena:startQueryExecution": "s", "athena:stopQueryExecution": "",

	"batch:submitJob": "s",

	"bedrock:createModelCustomizationJob": "s", "bedrock:invokeModel": "t",

	"bedrock-agentcore:invokeHarness": "",

	"codebuild:batchDeleteBuilds": "", "codebuild:batchGetReports": "", "codebuild:retryBuildBatch": "s",
	"codebuild:startBuild": "s", "codebuild:startBuildBatch": "s", "codebuild:stopBuild": "", "codebuild:stopBuildBatch": "",

	"databrew:startJobRun": "s",

	"dynamodb:deleteItem": "", "dynamodb:getItem": "", "dynamodb:putItem": "", "dynamodb:updateItem": "",

	"ecs:runTask": "st",

	"eks:call": "t", "eks:createCluster": "s", "eks:createFargateProfile": "s", "eks:createNodegroup": "s",
	"eks:deleteCluster": "s", "eks:deleteFargateProfile": "s", "eks:deleteNodegroup": "s", "eks:runJob": "st",

	"elasticmapreduce:addStep": "s", "elasticmapreduce:cancelStep": "", "elasticmapreduce:createCluster": "s",
	"elasticmapreduce:modifyInstanceFleetByName": "", "elasticmapreduce:modifyInstanceGroupByName": "",
	"elasticmapreduce:setClusterTerminationProtection": "", "elasticmapreduce:terminateCluster": "s",

	"emr-containers:createVirtualCluster": "", "emr-containers:deleteVirtualCluster": "s", "emr-containers:startJobRun": "s",

	"emr-serverless:cancelJobRun": "s", "emr-serverless:createApplication": "s", "emr-serverless:deleteApplication": "s",
	"emr-serverless:startApplication": "s", "emr-serverless:startJobRun": "s", "emr-serverless:stopApplication": "s",

	"events:putEvents": "t",

	"glue:startJobRun": "s",

	"http:invoke": "",

	"lambda:invoke": "t",

	"mediaconvert:createJob": "s",

	"sagemaker:addTags": "", "sagemaker:createEndpoint": "", "sagemaker:createEndpointConfig": "",
	"sagemaker:createHyperParameterTuningJob": "s", "sagemaker:createLabelingJob": "s", "sagemaker:createModel": "",
	"sagemaker:createProcessingJob": "s", "sagemaker:createTrainingJob": "s", "sagemaker:createTransformJob": "s",
	"sagemaker:updateEndpoint": "",

	"sns:publish": "t",

	"sqs:sendMessage": "t",

	"states:startExecution": "s2t",
}

// inAWS says whether AWS has the integration; of aws-sdk ones it knows the form only.
func (i Integration) inAWS() bool {
	if i.Kind != Service || i.SDK {
		return true
	}
	patterns, ok := optimized[i.Service+":"+i.Action]
	switch i.Pattern {
	case Sync:
		return strings.Contains(patterns, "s")
	case Sync2:
		return strings.Contains(patterns, "2")
	case WaitForTaskToken:
		return strings.Contains(patterns, "t")
	}
	return ok
}
