package cfn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// request are the members of the operations that deploy a template.
type request struct {
	StackName, TemplateBody, TemplateURL string
	UsePreviousTemplate                  bool
	Parameters                           []struct {
		ParameterKey, ParameterValue string
		UsePreviousValue             bool
	}
	Capabilities, NotificationARNs, ResourceTypes []string
	Tags                                          []map[string]string
	DisableRollback, EnableTerminationProtection  bool
	OnFailure, OnStackFailure, RoleARN            string
	TimeoutInMinutes                              int
	StackPolicyBody, ClientRequestToken           string
	RollbackConfiguration                         struct{ RollbackTriggers []json.RawMessage }
	ChangeSetName, ChangeSetType, Description     string
}

// refused are members that would change what happens and are not supported.
var refused = []string{"ResourceTypes", "StackPolicyURL", "StackPolicyDuringUpdateBody", "StackPolicyDuringUpdateURL", "ResourcesToImport",
	"ImportExistingResources", "DeploymentMode", "RetainExceptOnCreate"}

// decodeRequest checks a request against the model.
func decodeRequest(r *aws.Request, in any) error {
	if err := aws.MustModel("cloudformation").Operations[r.Operation].Input.Validate(r.Input); err != nil {
		if err.Code == "ValidationException" {
			err.Code = "ValidationError"
		}
		return err
	}
	var members map[string]json.RawMessage
	if err := service.Decode(r, &members); err != nil {
		return err
	}
	for _, name := range refused {
		if m, given := members[name]; given && string(m) != "false" && string(m) != "[]" && string(m) != `""` {
			return invalid("Newel does not support %s of %s yet.", name, r.Operation)
		}
	}
	return service.Decode(r, in)
}

var stackNamePattern = aws.Lazy(`^[a-zA-Z][-a-zA-Z0-9]{0,127}$`)

// prepared is a checked request: nothing was made yet, everything that can be known to be wrong has been refused.
type prepared struct {
	Settings
	Original, Current string // template texts: as given, and expanded
	plan              *Plan
}

// source finds the text of a request's template and its name in messages.
func (s *Service) source(ctx context.Context, as aws.Request, in *request, old *Stack) (text, file string, err error) {
	switch {
	case in.UsePreviousTemplate && old != nil:
		text, err = s.template(ctx, old, "original")
		return text, old.File, err
	case in.TemplateBody != "" && in.TemplateURL != "", in.TemplateBody == "" && in.TemplateURL == "":
		return "", "", invalid("Either Template URL or Template Body must be specified.")
	case in.TemplateBody != "":
		return in.TemplateBody, "template", nil
	}
	at, err := templateLocation(in.TemplateURL)
	if err != nil {
		return "", "", invalid("%s", err)
	}
	b, err := fetch(ctx, s.env.Caller, as, at)
	if err != nil {
		return "", "", invalid("%s", err)
	}
	return string(b), path.Base(at.Key), nil
}

func (s *Service) template(ctx context.Context, st *Stack, kind string) (text string, err error) {
	err = s.env.Store.View(ctx, s.partition(st.Account, st.Region), func(rd store.Reader) error {
		b, err := rd.Get(templateKey(st.Account, st.Region, st.ID, kind))
		text = string(b)
		return err
	})
	return text, service.Wire(err)
}

// caller is on whose behalf a request's calls are made.
func callerOf(r *aws.Request) aws.Request {
	return aws.Request{Account: r.Account, Region: r.Region, Principal: r.Principal}
}

// expand reads a template and carries out its transforms.
func (s *Service) expand(ctx context.Context, as aws.Request, text, file string, given map[string]string, stack Pseudo) (*Node, []string, error) {
	root, err := ParseNode(file, []byte(text))
	if err != nil {
		return nil, nil, formatError(err)
	}
	out, names, err := Expand(file, root, Expansion{Macros: s.macros, Parameters: given, Pseudo: stack, Include: func(location string) ([]byte, error) {
		at, err := includeLocation(location)
		if err != nil {
			return nil, err
		}
		return fetch(ctx, s.env.Caller, as, at)
	}})
	if err != nil {
		return nil, nil, formatError(err)
	}
	return out, names, nil
}

// formatError is a template's problems as AWS's error, each with its place.
func formatError(err error) error {
	var ps Problems
	if !errors.As(err, &ps) {
		return invalid("%s", err)
	}
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = fmt.Sprintf("%s (%s:%d:%d)", p.Message, p.File, p.Line, p.Column)
	}
	if strings.HasPrefix(lines[0], "Template error: ") {
		return invalid("%s", strings.Join(lines, "\n"))
	}
	return invalid("Template format error: %s", strings.Join(lines, "\n"))
}

// prepare checks everything about a request: template, transforms, capabilities, parameters, rules, imports, nested
// templates. old is the stack that it updates, or nil; id names the stack.
func (s *Service) prepare(ctx context.Context, as aws.Request, in *request, old *Stack, id string) (*prepared, error) {
	if len(in.RollbackConfiguration.RollbackTriggers) > 0 {
		return nil, invalid("Newel does not support RollbackTriggers yet.")
	}
	text, file, err := s.source(ctx, as, in, old)
	if err != nil {
		return nil, err
	}
	given := s.given(in, old)
	pseudo := Pseudo{AccountID: as.Account, Region: as.Region, StackName: stackNameOf(id), StackID: id}
	root, transforms, err := s.expand(ctx, as, text, file, given, pseudo)
	if err != nil {
		return nil, err
	}
	t, err := ParseTree(file, root)
	if err != nil {
		return nil, formatError(err)
	}
	macros := slices.ContainsFunc(transforms, func(n string) bool { return n != includeName })
	if err := capabilities(t, in.Capabilities, macros && in.ChangeSetName == ""); err != nil {
		return nil, err
	}
	p := &prepared{Original: text, Current: string(t.Text()), Settings: Settings{
		Description: t.Description, Tags: in.Tags, Capabilities: in.Capabilities, Notifications: in.NotificationARNs, RoleARN: in.RoleARN,
		DisableRollback: in.DisableRollback, OnFailure: firstText(in.OnFailure, in.OnStackFailure), TimeoutMinutes: in.TimeoutInMinutes,
		Transforms: transforms, File: file,
	}}
	if len(transforms) == 0 {
		p.Current = text // it keeps its lines for messages
	}
	if p.Parameters, err = parameters(t, given); err != nil {
		return nil, invalid("%s", err)
	}
	if err := s.resolveParameters(ctx, as, t, p.Parameters); err != nil {
		return nil, err
	}
	scope := Scope{Account: as.Account, Region: as.Region, StackID: id, StackName: stackNameOf(id), Notifications: p.Notifications}
	if p.plan, err = t.bind(p.Parameters, scope); err != nil {
		return nil, formatError(err)
	}
	if err := p.plan.checkImports(s.importsOf(ctx, as.Account, as.Region)); err != nil {
		return nil, invalid("%s", err)
	}
	return p, s.checkNested(ctx, as, p.plan, in.Capabilities, 1)
}

func firstText(list ...string) string {
	for _, t := range list {
		if t != "" {
			return t
		}
	}
	return ""
}

// given are the parameters of a request, previous values filled in.
func (s *Service) given(in *request, old *Stack) map[string]string {
	given := map[string]string{}
	for _, p := range in.Parameters {
		if p.UsePreviousValue && old != nil {
			i := slices.IndexFunc(old.Parameters, func(o ParameterValue) bool { return o.ParameterKey == p.ParameterKey })
			if i < 0 {
				continue
			}
			p.ParameterValue = old.Parameters[i].ParameterValue
		}
		given[p.ParameterKey] = p.ParameterValue
	}
	return given
}

// resolveParameters looks up the values of Systems Manager parameters.
func (s *Service) resolveParameters(ctx context.Context, as aws.Request, t *Template, values []ParameterValue) error {
	for i, v := range values {
		if !t.parameter(v.ParameterKey).fromSSM() {
			continue
		}
		resolved, err := s.parameterStore(ctx, as, v.ParameterValue)
		if isCode(err, []string{"ParameterNotFound"}) {
			return invalid("Unable to fetch parameters [%s] from parameter store for this account.", v.ParameterValue)
		}
		if err != nil {
			return invalid("Parameter %s of type %s: %s", v.ParameterKey, t.parameter(v.ParameterKey).Type, err)
		}
		values[i].ResolvedValue = resolved
	}
	return nil
}

// needed lists the capabilities that a template needs.
func needed(t *Template, macros bool) []string {
	var need []string
	iam := ""
	for _, r := range t.Resources {
		switch {
		case r.Type.Capability == "":
		case r.Type.Named && r.Properties.Get(r.Type.NameProperty) != nil:
			iam = "CAPABILITY_NAMED_IAM"
		case iam == "":
			iam = "CAPABILITY_IAM"
		}
	}
	if iam != "" {
		need = append(need, iam)
	}
	if macros {
		need = append(need, "CAPABILITY_AUTO_EXPAND")
	}
	return need
}

// capabilities demands what AWS demands of a template that makes roles or has macros.
func capabilities(t *Template, given []string, macros bool) error {
	var missing []string
	for _, n := range needed(t, macros) {
		if !slices.Contains(given, n) && (n != "CAPABILITY_IAM" || !slices.Contains(given, "CAPABILITY_NAMED_IAM")) {
			missing = append(missing, n)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return aws.Errorf("InsufficientCapabilitiesException", "Requires capabilities : [%s]", strings.Join(missing, ", "))
}
