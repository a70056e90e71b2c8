package s3

import (
	"net/http"

	"github.com/newel-run/newel/internal/aws"
)

func fail(status int, code, message string, fields map[string]any) *aws.Error {
	return &aws.Error{Code: code, Status: status, Message: message, Fields: fields}
}

func noSuchBucket(name string) *aws.Error {
	return fail(404, "NoSuchBucket", "The specified bucket does not exist", map[string]any{"BucketName": name})
}

func noSuchKey(key string) *aws.Error {
	return fail(404, "NoSuchKey", "The specified key does not exist.", map[string]any{"Key": key})
}

func noSuchVersion(key, version string) *aws.Error {
	return fail(404, "NoSuchVersion", "The specified version does not exist.", map[string]any{"Key": key, "VersionId": version})
}

func noSuchUpload(id string) *aws.Error {
	return fail(404, "NoSuchUpload", "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
		map[string]any{"UploadId": id})
}

func invalidBucketName(name string) *aws.Error {
	return fail(400, "InvalidBucketName", "The specified bucket is not valid.", map[string]any{"BucketName": name})
}

func invalidArgument(name, value, message string) *aws.Error {
	return fail(400, "InvalidArgument", message, map[string]any{"ArgumentName": name, "ArgumentValue": value})
}

func invalidRequest(message string) *aws.Error { return fail(400, "InvalidRequest", message, nil) }

func badDigest(message string) *aws.Error { return fail(400, "BadDigest", message, nil) }

func malformedXML() *aws.Error {
	return fail(400, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema", nil)
}

func preconditionFailed(condition string) *aws.Error {
	return fail(http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold", map[string]any{"Condition": condition})
}

// notImplemented is the answer to a part of an operation that is not there: AWS's code, naming the part.
func notImplemented(operation, what string) *aws.Error {
	return fail(http.StatusNotImplemented, "NotImplemented", "Newel does not implement "+what+" of s3:"+operation+" yet.", nil)
}
