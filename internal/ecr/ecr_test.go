package ecr

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
)

func TestDescribeRepositories(t *testing.T) {
	if _, ok := aws.Lookup("ecr"); !ok {
		t.Fatal("there is no model of ecr: nobody could reach it")
	}
	s := New(&service.Env{Now: time.Now})
	for input, want := range map[string]string{
		`{}`:                          "",
		`{"repositoryNames":["app"]}`: "The repository with name 'app' does not exist in the registry with id '111122223333'",
		`{"registryId":"9","repositoryNames":["app","b"]}`: "The repository with name 'app' does not exist in the registry with id '9'",
	} {
		out, err := s.Call(context.Background(), &aws.Request{Operation: "DescribeRepositories", Account: "111122223333", Input: []byte(input)})
		var e *aws.Error
		if want == "" {
			b, _ := service.Marshal(out.Value)
			if err != nil || string(b) != `{"repositories":[]}` {
				t.Errorf("%s: %s, %v", input, b, err)
			}
		} else if !errors.As(err, &e) || e.Code != "RepositoryNotFoundException" || e.Message != want {
			t.Errorf("%s: %v", input, err)
		}
	}
	_, err := s.Call(context.Background(), &aws.Request{Operation: "CreateRepository"})
	var e *aws.Error
	if !errors.As(err, &e) || e.Status != 501 {
		t.Errorf("CreateRepository: %v", err)
	}
}
