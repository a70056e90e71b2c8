#!/usr/bin/env bash
# Runs the Carnation application (github.com/subhamay-cloudworks/0063-carnation-cft) unmodified: the steps of its README
# with the stock aws CLI. e2e/seeds/carnation.sh CHECKOUT ITEMS; AWS_ENDPOINT_URL names the server.
# Runs with {"start_seq":1,"end_seq":ITEMS}, then {0,0} until an execution succeeds, and then checks that table, queue and
# dead-letter queue together hold every sequence number that no throttle has swallowed.
set -euo pipefail
app=$1 items=${2:-12}
export AWS_ENDPOINT_URL=${AWS_ENDPOINT_URL:-http://127.0.0.1:4566} AWS_DEFAULT_REGION=us-east-1 AWS_PAGER=
export AWS_ACCESS_KEY_ID=${AWS_ACCESS_KEY_ID:-test} AWS_SECRET_ACCESS_KEY=${AWS_SECRET_ACCESS_KEY:-test}
aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }
bucket=subhamay-projects-repository-us-east-1 stack=carnation
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT

key=$(aws kms create-key --description Carnation --query KeyMetadata.KeyId --output text)
aws kms create-alias --alias-name alias/SB-KMS --target-key-id "$key"
if [ -f "$app/kms-key-policy/kms-key-policy.json" ]; then
  sed 's/<AWS Account Id>/000000000000/g' "$app/kms-key-policy/kms-key-policy.json" > "$work/policy.json"
  aws kms put-key-policy --key-id "$key" --policy-name default --policy "file://$work/policy.json"
fi
aws s3 mb "s3://$bucket"
aws s3 sync --quiet "$app/cft" "s3://$bucket/0063-carnation/cft"
for f in carnation_gen_data carnation_put_data; do
  (cd "$app/code/python" && python3 -m zipfile -c "$work/$f.zip" $f.py)
  aws s3 cp --quiet "$work/$f.zip" "s3://$bucket/0063-carnation/code/python/$f.zip"
done
parameters=()
grep -q '^  KmsMasterKeyId:' "$app/cft/carnation-root-stack.yaml" && parameters=(--parameters "ParameterKey=KmsMasterKeyId,ParameterValue=$key")
aws cloudformation create-stack --stack-name $stack --template-body "file://$app/cft/carnation-root-stack.yaml" \
  --capabilities CAPABILITY_NAMED_IAM "${parameters[@]}" --query StackId --output text
aws cloudformation wait stack-create-complete --stack-name $stack
aws cloudformation describe-stacks --stack-name $stack --query 'Stacks[0].Outputs[].[OutputKey,OutputValue]' --output text

machine=$(aws stepfunctions list-state-machines --query 'stateMachines[0].stateMachineArn' --output text)
run() {
  local execution status
  execution=$(aws stepfunctions start-execution --state-machine-arn "$machine" --input "$1" --query executionArn --output text)
  while status=$(aws stepfunctions describe-execution --execution-arn "$execution" --query status --output text); [ "$status" = RUNNING ]; do sleep 0.3; done
  echo "$1 -> $status"
  [ "$status" = SUCCEEDED ]
}
runs=0
run "{\"start_seq\":1,\"end_seq\":$items}" || while runs=$((runs + 1)); [ $runs -lt 30 ] && ! run '{"start_seq":0,"end_seq":0}'; do :; done
sleep 11 # messages for the dead-letter queue are delayed by ten seconds
table=$(aws dynamodb list-tables --query 'TableNames[0]' --output text)
echo "table: $(aws dynamodb scan --table-name "$table" --query 'sort(Items[].sequenceNo.N)' --output text)"
for q in $(aws sqs list-queues --query 'QueueUrls[]' --output text); do
  echo "$q: $(aws sqs receive-message --queue-url "$q" --max-number-of-messages 10 --visibility-timeout 0 --query 'Messages[].Body' --output text)"
done
aws cloudwatch describe-alarms --query 'MetricAlarms[].[AlarmName,StateValue]' --output text
[ -n "${KEEP:-}" ] && exit 0
aws cloudformation delete-stack --stack-name $stack
aws cloudformation wait stack-delete-complete --stack-name $stack
echo "left: $(aws stepfunctions list-state-machines --query 'length(stateMachines)') machines, $(aws lambda list-functions --query 'length(Functions)') functions, $(aws dynamodb list-tables --query 'length(TableNames)') tables, $(aws cloudwatch describe-alarms --query 'length(MetricAlarms)') alarms"
