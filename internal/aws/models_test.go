package aws

import (
	"testing"
)

// maxModelsBytes is the budget for the embedded tables: they are part of every binary.
const maxModelsBytes = 7 << 19

func TestModelsDecode(t *testing.T) {
	if len(models) > maxModelsBytes {
		t.Errorf("models.bin has %d bytes, more than the budget of %d", len(models), maxModelsBytes)
	}
	keys := map[string]string{}
	operations := 0
	for _, info := range Services() {
		s, ok := Model(info.Key)
		if !ok || s.Key != info.Key || s.ID != info.ID {
			t.Fatalf("%s: the index and the table disagree", info.Key)
		}
		if keys[info.Key] != "" {
			t.Errorf("key %s has two services: %s, %s", info.Key, keys[info.Key], info.ID)
		}
		keys[info.Key] = info.ID
		operations += len(s.Operations)
		for name, op := range s.Operations {
			if name != op.Name || op.Method == "" || op.URI == "" {
				t.Errorf("%s:%s is incomplete: %+v", info.Key, name, op)
			}
		}
		for _, sh := range s.Shapes {
			checkShape(t, info.Key, sh)
		}
	}
	if len(keys) < 420 || operations < 18000 {
		t.Errorf("only %d services with %d operations", len(keys), operations)
	}
	t.Logf("%d services, %d operations, %d bytes", len(keys), operations, len(models))
}

func checkShape(t *testing.T, service string, s *Shape) {
	t.Helper()
	switch {
	case s.Type == "list" && s.Elem.Shape == nil, s.Type == "map" && (s.Key.Shape == nil || s.Value.Shape == nil):
		t.Errorf("%s: %s lacks its element", service, s.Name)
	}
	for i := range s.Members {
		if s.Members[i].Shape == nil || s.Members[i].Name == "" {
			t.Errorf("%s: %s has a member without a shape", service, s.Name)
		}
	}
	for _, r := range s.Required {
		if s.Member(r) == nil {
			t.Errorf("%s: %s requires the unknown member %s", service, s.Name, r)
		}
	}
}

func TestModelNames(t *testing.T) {
	for _, c := range []struct{ name, key, id string }{
		{"states", "states", "SFN"}, {"sfn", "states", "SFN"}, {"stepfunctions", "states", "SFN"}, {"AWSStepFunctions", "states", "SFN"},
		{"lambda", "lambda", "Lambda"}, {"sqs", "sqs", "SQS"}, {"AmazonSQS", "sqs", "SQS"},
		{"dynamodb", "dynamodb", "DynamoDB"}, {"DynamoDB_20120810", "dynamodb", "DynamoDB"},
		{"dynamodbstreams", "dynamodbstreams", "DynamoDB Streams"}, {"DynamoDBStreams_20120810", "dynamodbstreams", "DynamoDB Streams"},
		{"logs", "logs", "CloudWatch Logs"}, {"cloudwatchlogs", "logs", "CloudWatch Logs"}, {"Logs_20140328", "logs", "CloudWatch Logs"},
		{"events", "events", "EventBridge"}, {"eventbridge", "events", "EventBridge"}, {"AWSEvents", "events", "EventBridge"},
		{"monitoring", "monitoring", "CloudWatch"}, {"cloudwatch", "monitoring", "CloudWatch"},
		{"kms", "kms", "KMS"}, {"iam", "iam", "IAM"}, {"sts", "sts", "STS"}, {"s3", "s3", "S3"}, {"sns", "sns", "SNS"},
		{"cloudformation", "cloudformation", "CloudFormation"}, {"ssm", "ssm", "SSM"}, {"secretsmanager", "secretsmanager", "Secrets Manager"},
		{"ses", "ses", "SES"}, {"sesv2", "sesv2", "SESv2"}, {"apigateway", "apigateway", "API Gateway"}, {"apigatewayv2", "apigatewayv2", "ApiGatewayV2"},
		{"elasticloadbalancingv2", "elasticloadbalancingv2", "Elastic Load Balancing v2"}, {"cognitoidentityprovider", "cognito-idp", "Cognito Identity Provider"},
		{"databasemigration", "dms", "Database Migration Service"}, {"costandusagereport", "cur", "Cost and Usage Report Service"},
		{"lexmodelbuilding", "lexmodelbuilding", "Lex Model Building Service"}, {"batch", "batch", "Batch"}, {"scheduler", "scheduler", "Scheduler"},
		{"sagemaker", "sagemaker", "SageMaker"}, {"ecr", "ecr", "ECR"}, {"ec2", "ec2", "EC2"}, {"config", "config", "Config Service"},
	} {
		s, ok := Model(c.name)
		if !ok || s.ID != c.id || s.Key != c.key {
			t.Errorf("Model(%q) = %v, want key %s, id %s", c.name, s, c.key, c.id)
		}
	}
	if s, ok := Model("nosuchservice"); ok {
		t.Errorf("found %s", s.ID)
	}
}

// The facts that our services rest on.
func TestModelFacts(t *testing.T) {
	sfn := MustModel("states")
	start := sfn.Operations["StartSyncExecution"]
	if start.HostPrefix != "sync-" || sfn.JSONVersion != "1.0" || sfn.TargetPrefix != "AWSStepFunctions" {
		t.Errorf("states: %+v", start)
	}
	if m := sfn.Operations["ListExecutions"].Input.Member("maxResults"); m == nil || *m.Shape.Max != 1000 || *m.Shape.Min != 0 {
		t.Errorf("maxResults: %+v", m)
	}
	fn := MustModel("lambda").Operations["Invoke"]
	if fn.Method != "POST" || fn.URI != "/2015-03-31/functions/{FunctionName}/invocations" || fn.Input.Payload != "Payload" {
		t.Errorf("Invoke: %+v", fn)
	}
	if m := fn.Output.Member("FunctionError"); m.Location != "header" || m.LocationName != "X-Amz-Function-Error" {
		t.Errorf("FunctionError: %+v", m)
	}
	if m := fn.Output.Member("StatusCode"); m.Location != "statusCode" {
		t.Errorf("StatusCode: %+v", m)
	}
	sqs := MustModel("sqs")
	if e := sqs.Shapes["QueueDoesNotExist"]; !sqs.QueryCompatible || e.QueryErrorCode != "AWS.SimpleQueueService.NonExistentQueue" || e.ErrorCode != "" {
		t.Errorf("QueueDoesNotExist: %+v", e)
	}
	iam := MustModel("iam").Operations["CreateRole"]
	if iam.ResultWrapper != "CreateRoleResult" || len(iam.Input.Required) == 0 {
		t.Errorf("CreateRole: %+v", iam)
	}
}

func BenchmarkModelDecode(b *testing.B) {
	for _, name := range []string{"states", "lambda", "ec2"} {
		info, _ := Lookup(name)
		c := index()
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				decodeTable(c.tables[info.offset : info.offset+info.length])
			}
		})
	}
}
