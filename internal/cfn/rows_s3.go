package cfn

import (
	"github.com/newel-run/newel/asl/value"
)

// bucketSettings are properties of a bucket that have an operation of their own: what they are set with, and the
// operation that takes them away.
var bucketSettings = []struct {
	property, put, member string
	form                  func(value.Value) value.Value
	remove                string
}{
	{"VersioningConfiguration", "PutBucketVersioning", "VersioningConfiguration", same, ""},
	{"NotificationConfiguration", "PutBucketNotificationConfiguration", "NotificationConfiguration", notificationForm, "PutBucketNotificationConfiguration"},
	{"CorsConfiguration", "PutBucketCors", "CORSConfiguration", corsForm, "DeleteBucketCors"},
	{"BucketEncryption", "PutBucketEncryption", "ServerSideEncryptionConfiguration", encryptionForm, "DeleteBucketEncryption"},
	{"LifecycleConfiguration", "PutBucketLifecycleConfiguration", "LifecycleConfiguration", lifecycleForm, "DeleteBucketLifecycle"},
	{"Tags", "PutBucketTagging", "Tagging", func(v value.Value) value.Value { return object("TagSet", v) }, "DeleteBucketTagging"},
}

var bucket = &Type{
	Name: "AWS::S3::Bucket",
	Properties: rows(properties("", "BucketName~", "NotificationConfiguration", "Tags"), properties("s3:PutBucketVersioning", "VersioningConfiguration"),
		nest("CorsConfiguration", "CorsRules"), nest("BucketEncryption", "ServerSideEncryptionConfiguration"), nest("LifecycleConfiguration", "Rules"),
		without("whoever has the server's credentials has its buckets", "PublicAccessBlockConfiguration", "OwnershipControls", "AccessControl"),
		without("requests are not logged into buckets", "LoggingConfiguration"), without("there is one place for objects", "AccelerateConfiguration", "ReplicationConfiguration"),
	),
	NameProperty: "BucketName", NameMax: 63, LowerName: true, Named: true,
	Attributes: []string{"Arn", "DomainName", "RegionalDomainName", "DualStackDomainName", "WebsiteURL"},
	Missing:    []string{"NoSuchBucket", "NotFound", "404"},
	Create: func(i *Instance) ([]Call, error) {
		c := call("s3", "CreateBucket", "Bucket", i.Name)
		if i.Region != "us-east-1" {
			c = c.with("CreateBucketConfiguration", object("LocationConstraint", i.Region))
		}
		return append([]Call{c}, bucketCalls(i, &Instance{Properties: value.NewObject()})...), nil
	},
	Read: func(i *Instance) Call { return call("s3", "HeadBucket", "Bucket", i.Name) },
	Identify: func(i *Instance, _ *value.Object) (string, map[string]string) {
		return i.Name, map[string]string{
			"Arn": "arn:aws:s3:::" + i.Name, "DomainName": i.Name + ".s3.amazonaws.com", "RegionalDomainName": i.Name + ".s3." + i.Region + ".amazonaws.com",
			"DualStackDomainName": i.Name + ".s3.dualstack." + i.Region + ".amazonaws.com", "WebsiteURL": "http://" + i.Name + ".s3-website-" + i.Region + ".amazonaws.com",
		}
	},
	Update: func(i, old *Instance) ([]Call, error) { return bucketCalls(i, old), nil },
	Delete: func(i *Instance) []Call { return []Call{call("s3", "DeleteBucket", "Bucket", i.Ref)} },
}

func bucketCalls(i, old *Instance) []Call {
	var calls []Call
	for _, s := range bucketSettings {
		if !changed(i, old, s.property) {
			continue
		}
		c := call("s3", s.put, "Bucket", i.Name)
		switch v := i.get(s.property); {
		case v != nil:
			c = c.with(s.member, s.form(v))
		case s.remove == "":
			c = c.with(s.member, object("Status", "Suspended"))
		case s.remove == s.put:
			c = c.with(s.member, value.NewObject())
		default:
			c = call("s3", s.remove, "Bucket", i.Name)
		}
		calls = append(calls, c)
	}
	return calls
}

func same(v value.Value) value.Value { return v }

// renamed is an object with some of its members under the API's names.
func renamed(v value.Value, names map[string]string) value.Value {
	o, ok := v.(*value.Object)
	if !ok {
		return v
	}
	out := value.NewObject()
	for k, e := range o.All() {
		if to := names[k]; to != "" {
			k = to
		}
		out.Set(k, e)
	}
	return out
}

func each(v value.Value, fn func(value.Value) value.Value) value.Value {
	out := value.Array{}
	for _, e := range items(v) {
		out = append(out, fn(e))
	}
	return out
}

// notificationForm turns {LambdaConfigurations: [{Event, Function, Filter}], ...} into the API's form, which has lists of
// events.
func notificationForm(v value.Value) value.Value {
	out := value.NewObject()
	for _, k := range []struct{ from, to, target, arn string }{
		{"LambdaConfigurations", "LambdaFunctionConfigurations", "Function", "LambdaFunctionArn"},
		{"QueueConfigurations", "QueueConfigurations", "Queue", "QueueArn"},
		{"TopicConfigurations", "TopicConfigurations", "Topic", "TopicArn"},
	} {
		if at(v, k.from) == nil {
			continue
		}
		out.Set(k.to, each(at(v, k.from), func(c value.Value) value.Value {
			o := object(k.arn, at(c, k.target), "Events", value.Array{at(c, "Event")})
			if f := at(c, "Filter", "S3Key", "Rules"); f != nil {
				o.Set("Filter", object("Key", object("FilterRules", f)))
			}
			return o
		}))
	}
	if e := at(v, "EventBridgeConfiguration"); e != nil && textOf(either(at(e, "EventBridgeEnabled"), true)) == "true" {
		out.Set("EventBridgeConfiguration", value.NewObject())
	}
	return out
}

func corsForm(v value.Value) value.Value {
	return object("CORSRules", each(at(v, "CorsRules"), func(r value.Value) value.Value {
		return renamed(r, map[string]string{"Id": "ID", "ExposedHeaders": "ExposeHeaders", "MaxAge": "MaxAgeSeconds"})
	}))
}

func encryptionForm(v value.Value) value.Value {
	return object("Rules", each(at(v, "ServerSideEncryptionConfiguration"), func(r value.Value) value.Value {
		return renamed(r, map[string]string{"ServerSideEncryptionByDefault": "ApplyServerSideEncryptionByDefault"})
	}))
}

func lifecycleForm(v value.Value) value.Value {
	return object("Rules", each(at(v, "Rules"), func(r value.Value) value.Value {
		o := renamed(r, map[string]string{"Id": "ID"}).(*value.Object)
		if d := at(o, "ExpirationInDays"); d != nil {
			o.Delete("ExpirationInDays")
			o.Set("Expiration", object("Days", d))
		}
		if d := at(o, "NoncurrentVersionExpirationInDays"); d != nil {
			o.Delete("NoncurrentVersionExpirationInDays")
			o.Set("NoncurrentVersionExpiration", object("NoncurrentDays", d))
		}
		o.Set("Filter", object("Prefix", either(at(o, "Prefix"), "")))
		o.Delete("Prefix")
		return o
	}))
}

var bucketPolicy = &Type{
	Name:       "AWS::S3::BucketPolicy",
	Properties: properties("", "Bucket!~", "PolicyDocument!"),
	Missing:    []string{"NoSuchBucket", "NoSuchBucketPolicy"},
	Create:     func(i *Instance) ([]Call, error) { return putBucketPolicy(i), nil },
	Identify:   refOnly(func(i *Instance) string { return i.text("Bucket") }),
	Update:     func(i, _ *Instance) ([]Call, error) { return putBucketPolicy(i), nil },
	Delete: func(i *Instance) []Call {
		return []Call{call("s3", "DeleteBucketPolicy", "Bucket", i.text("Bucket"))}
	},
}

func putBucketPolicy(i *Instance) []Call {
	return []Call{call("s3", "PutBucketPolicy", "Bucket", i.text("Bucket"), "Policy", jsonText(i.get("PolicyDocument")))}
}
