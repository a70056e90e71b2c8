// Package ecr is as much of Amazon Elastic Container Registry as is true of a server that keeps no images: there are no
// repositories. Deployment tools ask for theirs before they clean up; every other operation is refused by name.
package ecr

import (
	"context"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
)

// New makes the service.
func New(env *service.Env) *service.Service {
	return service.New("ecr", env, []service.Operation{{Name: "DescribeRepositories", Do: describeRepositories}})
}

// describeRepositories answers an empty list, and RepositoryNotFoundException for any repository that is named.
func describeRepositories(_ context.Context, c *service.Context) (*aws.Output, error) {
	var in struct {
		RegistryID      string   `json:"registryId"`
		RepositoryNames []string `json:"repositoryNames"`
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if len(in.RepositoryNames) == 0 {
		return service.Answer(map[string]any{"repositories": []any{}}), nil
	}
	if in.RegistryID == "" {
		in.RegistryID = c.Account
	}
	return nil, aws.Errorf("RepositoryNotFoundException", "The repository with name '%s' does not exist in the registry with id '%s'", in.RepositoryNames[0], in.RegistryID)
}
