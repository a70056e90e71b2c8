// Package secretsmanager is AWS Secrets Manager: secrets with versions and staging labels.
//
// The secrets of an account and region are one partition. A secret's record holds everything but its values: which
// versions there are, and which version each staging label means; a value is a row of its own, sealed under the secret's KMS
// key (alias/aws/secretsmanager unless it names another) for this secret and version. A label means one version at a time,
// AWSCURRENT always means one, and moving AWSCURRENT moves AWSPREVIOUS to the version that had it: all in one transaction.
//
// A deleted secret keeps its record and values until its recovery window is over; from that moment on it is gone for every
// reader, and its rows are removed by the next CreateSecret.
package secretsmanager

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
)

// Service is Secrets Manager.
type Service struct {
	*service.Service
	model *aws.Service
}

// New makes the service.
func New(env *service.Env) *Service {
	s := &Service{model: aws.MustModel("secretsmanager")}
	s.Service = service.New("secretsmanager", env, []service.Operation{
		{Name: "CreateSecret", Update: s.createSecret},
		{Name: "DescribeSecret", View: s.describeSecret},
		{Name: "ListSecrets", View: s.listSecrets},
		{Name: "UpdateSecret", Update: s.updateSecret},
		{Name: "DeleteSecret", Update: s.deleteSecret},
		{Name: "RestoreSecret", Update: s.restoreSecret},
		{Name: "PutSecretValue", Update: s.putSecretValue},
		{Name: "GetSecretValue", View: s.getSecretValue},
		{Name: "BatchGetSecretValue", View: s.batchGetSecretValue},
		{Name: "ListSecretVersionIds", View: s.listVersions},
		{Name: "UpdateSecretVersionStage", Update: s.updateStage},
		{Name: "GetRandomPassword", View: s.getRandomPassword},
		{Name: generateValue, Update: s.generateSecretValue},
		{Name: "TagResource", Update: s.tagResource},
		{Name: "UntagResource", Update: s.untagResource},
		{Name: "GetResourcePolicy", View: s.getPolicy},
		{Name: "PutResourcePolicy", Update: s.putPolicy},
		{Name: "DeleteResourcePolicy", Update: s.deletePolicy},
	})
	s.KeyFault = func(cause *aws.Error) error { return &keyFault{cause} }
	return s
}

// keyFault is KMS's refusal on its way to the words of the operation.
type keyFault struct{ cause *aws.Error }

func (f *keyFault) Error() string { return f.cause.Error() }

// Call checks the input against the API model, in AWS's words, and runs the operation.
func (s *Service) Call(ctx context.Context, r *aws.Request) (*aws.Output, error) {
	if op := s.model.Operations[r.Operation]; op != nil && op.Input != nil && s.Has(r.Operation) {
		if err := op.Input.Validate(r.Input); err != nil {
			return nil, err
		}
	}
	r, err := withToken(r)
	if err != nil {
		return nil, err
	}
	out, err := s.Service.Call(ctx, r)
	var f *keyFault
	if errors.As(err, &f) {
		code, verb := "EncryptionFailure", "encrypt"
		if r.Operation == "GetSecretValue" || r.Operation == "BatchGetSecretValue" {
			code, verb = "DecryptionFailure", "decrypt"
		}
		return nil, aws.Errorf(code, "Secrets Manager can't %s the protected secret text using the provided KMS key. %s", verb, f.cause.Message)
	}
	return out, err
}

// withToken gives a request that may bring a value the token that SDKs send. What is drawn for a new secret or version
// comes from it: a transaction that has to wait for a data key runs again, and must ask for the same one.
func withToken(r *aws.Request) (*aws.Request, error) {
	switch r.Operation {
	case "CreateSecret", "PutSecretValue", "UpdateSecret", generateValue:
	default:
		return r, nil
	}
	in := map[string]json.RawMessage{}
	if err := service.Decode(r, &in); err != nil {
		return nil, err
	}
	if t := in["ClientRequestToken"]; t != nil && string(t) != "null" && string(t) != `""` {
		return r, nil
	}
	in["ClientRequestToken"] = json.RawMessage(`"` + aws.NewUUID() + `"`)
	b, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	filled := *r
	filled.Input = b
	return &filled, nil
}

func invalidParameter(format string, args ...any) *aws.Error {
	return aws.Errorf("InvalidParameterException", format, args...)
}

func invalidRequest(format string, args ...any) *aws.Error {
	return aws.Errorf("InvalidRequestException", format, args...)
}

func exists(format string, args ...any) *aws.Error {
	return aws.Errorf("ResourceExistsException", format, args...)
}

func missing(format string, args ...any) *aws.Error {
	return aws.Errorf("ResourceNotFoundException", format, args...)
}
