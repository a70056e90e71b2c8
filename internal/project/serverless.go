package project

import (
	"crypto/sha256"
	"encoding/base64"
	"io/fs"
	"path"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/cfn"
	"github.com/newel-run/newel/internal/serverless"
)

// serverless is a project that is a serverless.yml.
func (p *Project) serverless(name string) error {
	p.File = path.Join(p.opt.Shown, name)
	text, err := fs.ReadFile(p.dir, name)
	if err != nil {
		return err
	}
	load := func(account string) (*serverless.Service, error) {
		return serverless.Load(text, serverless.Input{
			File: p.File, Stage: p.opt.Stage, Region: p.opt.Region, Account: account, Env: p.opt.Env,
			Read: func(file string) ([]byte, error) {
				local, err := below(path.Dir(name), file)
				if err != nil {
					return nil, err
				}
				return fs.ReadFile(p.dir, local)
			},
		})
	}
	s, err := load("000000000000") // the account is known when it is planned
	if err != nil {
		return err
	}
	probe := map[string]serverless.Code{}
	for _, pkg := range s.Packages {
		for _, f := range pkg.Functions {
			probe[f] = serverless.Code{Bucket: "probe", Key: "probe", SHA256: "probe"}
		}
	}
	root, err := s.Template(probe)
	if err != nil {
		return err
	}
	if p.Template, err = cfn.ParseTree(p.File, root); err != nil {
		return err
	}
	p.Stack, p.Region = s.Stack, s.Region
	p.make = func(plan *Plan, to Target) error {
		s, err := load(to.Account)
		if err != nil {
			return err
		}
		return p.service(plan, to, path.Dir(name), s)
	}
	return nil
}

// service packs the code of a service and makes its template.
func (p *Project) service(plan *Plan, to Target, dir string, s *serverless.Service) error {
	code := map[string]serverless.Code{}
	for _, pkg := range s.Packages {
		name, keep := dir, p.relative(dir, p.withoutDevelopment(dir, pkg.Includes()))
		if pkg.Artifact != "" {
			local, err := below(dir, pkg.Artifact)
			if err != nil {
				return err
			}
			name, keep = local, nil
		}
		body, err := p.zip(name, keep)
		if err != nil {
			return err
		}
		a := plan.Add(to, p.Stack, pkg.Name, body)
		sum := sha256.Sum256(body)
		for _, f := range pkg.Functions {
			code[f] = serverless.Code{Bucket: a.Bucket, Key: a.Key, SHA256: base64.StdEncoding.EncodeToString(sum[:])}
		}
	}
	root, err := s.Template(code)
	if err != nil {
		return err
	}
	plan.Template = value.Append(nil, root.Plain())
	return nil
}

// relative makes a rule for paths of the service's folder one for paths of the project's.
func (p *Project) relative(dir string, keep func(string) bool) func(string) bool {
	if dir == "." {
		return keep
	}
	return func(name string) bool { return keep(name[len(dir)+1:]) }
}
