// Package project finds what a folder deploys and makes a plan of it: the template, and the objects that must lie in S3
// before the stack is made.
//
// Find looks for template.yaml (CloudFormation or SAM), serverless.yml, a CloudFormation template of another name with
// its nested stacks, or state machines (*.asl.json); what is wrong with the files is said here, with file and line. Plan
// then packs local code, definitions and nested templates as `aws cloudformation package` does: each becomes an object
// of the deployment bucket whose key is the hash of its content, so that a deployment sees what has changed and uploads
// nothing twice. The package reads files through fs.FS and calls nothing; who uses it makes the bucket, puts the objects
// and calls CloudFormation, in this order.
package project
