package wire

import (
	"strings"

	"github.com/newel-run/newel/internal/aws"
)

// s3Roots are the root elements of S3's answers that do not follow from the name of the output shape.
var s3Roots = map[string]string{
	"CreateMultipartUploadOutput":              "InitiateMultipartUploadResult",
	"DeleteObjectsOutput":                      "DeleteResult",
	"GetBucketAccelerateConfigurationOutput":   "AccelerateConfiguration",
	"GetBucketAclOutput":                       "AccessControlPolicy",
	"GetBucketCorsOutput":                      "CORSConfiguration",
	"GetBucketLifecycleConfigurationOutput":    "LifecycleConfiguration",
	"GetBucketLoggingOutput":                   "BucketLoggingStatus",
	"GetBucketRequestPaymentOutput":            "RequestPaymentConfiguration",
	"GetBucketTaggingOutput":                   "Tagging",
	"GetBucketVersioningOutput":                "VersioningConfiguration",
	"GetBucketWebsiteOutput":                   "WebsiteConfiguration",
	"GetObjectAclOutput":                       "AccessControlPolicy",
	"GetObjectAttributesOutput":                "GetObjectAttributesResponse",
	"GetObjectTaggingOutput":                   "Tagging",
	"ListBucketsOutput":                        "ListAllMyBucketsResult",
	"ListObjectVersionsOutput":                 "ListVersionsResult",
	"ListObjectsOutput":                        "ListBucketResult",
	"ListObjectsV2Output":                      "ListBucketResult",
	"NotificationConfigurationDeprecated":      "NotificationConfiguration",
	"GetBucketNotificationConfigurationOutput": "NotificationConfiguration",
}

// rootName is the root element of a REST-XML answer.
func rootName(service *aws.Service, s *aws.Shape) string {
	if service.Key == "s3" {
		if name := s3Roots[s.Name]; name != "" {
			return name
		}
	}
	if base, ok := strings.CutSuffix(s.Name, "Output"); ok {
		return base + "Result"
	}
	return s.Name
}

// PostResponse is the body that S3 answers to a form that asks for status 201.
func PostResponse(location, bucket, key, etag string) []byte {
	var x xmlWriter
	x.WriteString(xmlHeader)
	x.open("PostResponse")
	x.element("Location", location)
	x.element("Bucket", bucket)
	x.element("Key", key)
	x.element("ETag", etag)
	x.close("PostResponse")
	return x.Bytes()
}
