// Package ssm is the Parameter Store of AWS Systems Manager.
//
// The parameters of an account and region are one partition. A parameter's record says what it is and which version is the
// latest; every version is a row of its own with the value and all that PutParameter said of it. The value of a
// SecureString is sealed under the parameter's KMS key (alias/aws/ssm unless it names another) for the parameter's ARN;
// without WithDecryption it is shown as it lies there.
package ssm

import (
	"context"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
)

// Service is Systems Manager, as far as its Parameter Store goes.
type Service struct {
	*service.Service
	model *aws.Service
}

// New makes the service.
func New(env *service.Env) *Service {
	s := &Service{model: aws.MustModel("ssm")}
	s.Service = service.New("ssm", env, []service.Operation{
		{Name: "PutParameter", Update: s.putParameter},
		{Name: "GetParameter", View: s.getParameter},
		{Name: "GetParameters", View: s.getParameters},
		{Name: "GetParametersByPath", View: s.getByPath},
		{Name: "GetParameterHistory", View: s.getHistory},
		{Name: "DescribeParameters", View: s.describeParameters},
		{Name: "DeleteParameter", Update: s.deleteParameter},
		{Name: "DeleteParameters", Update: s.deleteParameters},
		{Name: "LabelParameterVersion", Update: s.labelVersion},
		{Name: "UnlabelParameterVersion", Update: s.unlabelVersion},
		{Name: "AddTagsToResource", Update: s.addTags},
		{Name: "RemoveTagsFromResource", Update: s.removeTags},
		{Name: "ListTagsForResource", View: s.listTags},
	})
	s.KeyFault = func(cause *aws.Error) error { return aws.Errorf("InvalidKeyId", "%s", cause.Message) }
	return s
}

// Call checks the input against the API model, in AWS's words, and runs the operation.
func (s *Service) Call(ctx context.Context, r *aws.Request) (*aws.Output, error) {
	if op := s.model.Operations[r.Operation]; op != nil && op.Input != nil && s.Has(r.Operation) {
		if err := op.Input.Validate(r.Input); err != nil {
			return nil, err
		}
	}
	return s.Service.Call(ctx, r)
}

func validation(format string, args ...any) *aws.Error {
	return aws.Errorf("ValidationException", format, args...)
}

// errNoParameter has no message on AWS either.
var errNoParameter = aws.Errorf("ParameterNotFound", "")
