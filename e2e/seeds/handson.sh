#!/usr/bin/env bash
# Runs the Serverless hands-on (github.com/mdnajimahmed/aws-sfn-handson) unmodified: `newel up` deploys its serverless.yml, and the machines are started
# with the inputs of its README by the API calls that `sls invoke stepf` makes (DescribeStacks, StartExecution, DescribeExecution). The external
# resources that its README asks for are made first. e2e/seeds/handson.sh CHECKOUT [NEWEL]; AWS_ENDPOINT_URL names the server.
set -euo pipefail
app=$1 newel=${2:-newel}
export AWS_ENDPOINT_URL=${AWS_ENDPOINT_URL:-http://127.0.0.1:4566} AWS_DEFAULT_REGION=ap-southeast-1 AWS_PAGER=
export AWS_ACCESS_KEY_ID=${AWS_ACCESS_KEY_ID:-test} AWS_SECRET_ACCESS_KEY=${AWS_SECRET_ACCESS_KEY:-test}
aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }
failed=0
check() { if [[ "$2" == $3 ]]; then echo "ok    $1"; else echo "WRONG $1: $2"; failed=1; fi; }

queue=$(aws sqs create-queue --queue-name MyTestQueue --query QueueUrl --output text)
aws dynamodb create-table --table-name AuctionTable-dev --attribute-definitions AttributeName=id,AttributeType=S --key-schema AttributeName=id,KeyType=HASH \
  --billing-mode PAY_PER_REQUEST --query TableDescription.TableName --output text
topic=$(aws sns create-topic --name handson --query TopicArn --output text)
aws s3 mb s3://ts-dev-ass-practice-bucket
"$newel" up "$app" > /dev/null
arn() { echo "arn:aws:states:$AWS_DEFAULT_REGION:000000000000:stateMachine:$1"; }
start() { aws stepfunctions start-execution --state-machine-arn "$(arn "$1")" --input "$2" --query executionArn --output text; }
ended() {
  local status
  while status=$(aws stepfunctions describe-execution --execution-arn "$1" --query status --output text); [ "$status" = RUNNING ]; do sleep 0.3; done
  aws stepfunctions describe-execution --execution-arn "$1" --query '[status,output,error]' --output text
}
run() { ended "$(start "$1" "$2")"; }
latest() { # the newest execution of a machine, when it has come
  local e
  for _ in $(seq 40); do
    e=$(aws stepfunctions list-executions --state-machine-arn "$(arn "$1")" --query 'executions[0].executionArn' --output text)
    [ "$e" != None ] && { echo "$e"; return; }
    sleep 0.3
  done
}

check hello "$(run hello '"Najim"')" '*SUCCEEDED*Hello Najim*'
check "math, small" "$(run method-chaining-math '{"firstNumber":1,"secondNumber":2}')" '*SUCCEEDED*The normal square is 36*'
check "math, big" "$(run method-chaining-math '{"firstNumber":17,"secondNumber":13}')" '*SUCCEEDED*The big square is 3600*'
if getent hosts jsonplaceholder.typicode.com > /dev/null; then # the Internet's, or placeholder.mjs
  check parallel-poc "$(run parallel-poc '{"firstNumber":17,"secondNumber":3,"userId":1}')" 'SUCCEEDED*The normal square is 1600*"username":*"title":*"userId":1*'
else
  echo "SKIP  parallel-poc: its functions fetch from jsonplaceholder.typicode.com, which cannot be reached"
fi
check all-about-pass "$(run all-about-pass '{"x":1,"y":2}')" '*SUCCEEDED*"z":42*'
check map-simple "$(run map-simple '[{ "delay": 2},{ "delay": 3},{ "delay": 1}]')" 'SUCCEEDED*[[]2,3,1]*'
check map-advanced "$(run map-advanced '{"inputs":[2,3,1],"groupdId":42}')" 'SUCCEEDED*"groupId":42*'
api=$(aws apigateway get-rest-apis --query 'items[0].id' --output text)
check "api gateway answers" "$(curl -s -X POST -H 'Content-Type: application/json' -d '{"name":"x"}' "$AWS_ENDPOINT_URL/restapis/$api/dev/_user_request_/agw-sfn")" '*executionArn*'
check "api gateway starts" "$(ended "$(latest api-gateway-trigger)")" 'SUCCEEDED*'
aws s3 cp --quiet "$app/sfn-test-file-s3-event.txt" s3://ts-dev-ass-practice-bucket/
check "s3 starts" "$(ended "$(latest s3-file-upload-trigger)")" 'SUCCEEDED*'
activity=$(aws stepfunctions list-activities --query 'activities[0].activityArn' --output text)
for answer in success failure; do
  e=$(start human-interaction-using-activity '{}')
  token=$(aws stepfunctions get-activity-task --activity-arn "$activity" --query taskToken --output text)
  if [ $answer = success ]; then
    aws stepfunctions send-task-success --task-token "$token" --task-output '{"approved":true}'
    check "activity, approved" "$(ended "$e")" 'SUCCEEDED*Deployment complete*'
  else
    aws stepfunctions send-task-failure --task-token "$token" --error RejectedByUser --cause "not today"
    check "activity, rejected" "$(ended "$e")" 'FAILED*RejectedByUser*'
  fi
done
check sns-interaction "$(run sns-interaction "{\"message\":\"hi\",\"snsTopic\":\"$topic\",\"attributes\":{\"mamaMia\":\"x\"}}")" 'SUCCEEDED*MessageId*'
check sqs-integration "$(run sqs-integration "{\"messageBody\":\"hi\",\"queueUrl\":\"$queue\",\"attributes\":{\"mamaMia\":\"x\"}}")" 'SUCCEEDED*MessageId*'
check dynamodb-integration "$(run dynamodb-integration '{"item":{"id":{"S":"1"},"title":{"S":"lamp"}}}')" 'SUCCEEDED*'
check callback-pattern "$(run callback-pattern '{"userSessionId":"u1"}')" 'SUCCEEDED*'
exit $failed
