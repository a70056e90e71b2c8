#!/bin/sh
# Drives S3 by the AWS CLI: cli.sh URL. What it prints is compared with cli.want.
set -eu
export AWS_ACCESS_KEY_ID=123456789012 AWS_SECRET_ACCESS_KEY=secret AWS_DEFAULT_REGION=us-east-1
s3() { aws --endpoint-url "$url" s3 "$@"; }
url=$1
d=$(mktemp -d)
trap 'rm -rf "$d"' EXIT
cd "$d"
s3 mb s3://cli-bucket
mkdir -p src/sub
echo one >src/one.txt
echo two >src/sub/two.txt
head -c 9000000 /dev/urandom >src/big.bin
s3 cp src/one.txt s3://cli-bucket/x/one.txt --no-progress
s3 sync src s3://cli-bucket/sync --quiet
s3 ls s3://cli-bucket | sed 's/^ *//'
s3 ls s3://cli-bucket/sync/ --recursive | awk '{print $3,$4}'
s3 sync s3://cli-bucket/sync back --quiet
diff -r src back
s3 sync src s3://cli-bucket/sync --size-only
rm src/one.txt
s3 sync src s3://cli-bucket/sync --delete
s3 cp s3://cli-bucket/sync/big.bin s3://cli-bucket/copy.bin --quiet
s3 cp s3://cli-bucket/copy.bin - | cmp - src/big.bin
echo piped | s3 cp - s3://cli-bucket/piped
s3 mv s3://cli-bucket/piped s3://cli-bucket/moved --no-progress
s3 cp s3://cli-bucket/moved -
s3 rm s3://cli-bucket/x --recursive
s3 rb s3://cli-bucket 2>&1 | grep -o 'BucketNotEmpty'
s3 rb s3://cli-bucket --force | tail -1
s3 ls
