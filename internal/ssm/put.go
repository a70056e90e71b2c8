package ssm

import (
	"regexp"
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

type tag struct{ Key, Value string }

type putInput struct {
	Name, Description, Value, Type, KeyId, AllowedPattern, Tier, Policies, DataType string //nolint:revive // the API's names
	Overwrite                                                                       bool
	Tags                                                                            []tag
}

var (
	nameForm     = regexp.MustCompile(`^[A-Za-z0-9_.\-/]+$`)
	reservedName = regexp.MustCompile(`(?i)^/?(aws|ssm)`)
)

// check refuses what no parameter can be.
func (in *putInput) check() error {
	name := strings.TrimPrefix(in.Name, "/")
	switch {
	case strings.Contains(in.Name, "/") && !strings.HasPrefix(in.Name, "/"):
		return validation("Parameter name must be a fully qualified name.")
	case reservedName.MatchString(in.Name) && strings.HasPrefix(strings.ToLower(name), "aws"):
		return aws.Errorf("AccessDeniedException", "No access to reserved parameter name: %s.", in.Name)
	case reservedName.MatchString(in.Name) || !nameForm.MatchString(in.Name) || strings.Contains(in.Name, "//") || strings.HasSuffix(in.Name, "/"):
		return validation(`Parameter name: can't be prefixed with "ssm" (case-insensitive). If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_`)
	case strings.Count(name, "/") >= hierarchyLevels:
		return aws.Errorf("HierarchyLevelLimitExceededException", "Parameter name hierarchies can have a maximum of %d levels.", hierarchyLevels)
	case in.Policies != "" && in.Policies != "[]":
		return validation("Newel does not implement parameter policies yet.")
	case in.DataType != "" && in.DataType != textData:
		return validation("Newel does not validate parameters of data type %s; only text is supported.", in.DataType)
	case in.Overwrite && len(in.Tags) > 0:
		return validation("Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.")
	case in.KeyId != "" && in.Type != "" && in.Type != secure:
		return validation("KeyId is required for SecureString type parameter only.")
	}
	return in.checkValue()
}

func (in *putInput) checkValue() error {
	switch in.Tier {
	case "", standard:
		if len(in.Value) > standardValue {
			return validation("Standard tier parameters support a maximum parameter value of 4096 characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html")
		}
	case intelligent:
		if in.Tier = standard; len(in.Value) > standardValue {
			in.Tier = advanced
		}
	}
	if len(in.Value) > advancedValue {
		return validation("Advanced tier parameters support a maximum parameter value of 8192 characters.")
	}
	if in.AllowedPattern == "" {
		return nil
	}
	pattern, err := regexp.Compile(in.AllowedPattern)
	if err != nil {
		return aws.Errorf("InvalidAllowedPatternException", "The pattern %s is not supported: %s (RE2 syntax, without look-around and back-references)", in.AllowedPattern, err)
	}
	values := []string{in.Value}
	if in.Type == stringList {
		values = strings.Split(in.Value, ",")
	}
	if slices.ContainsFunc(values, func(v string) bool { return !pattern.MatchString(v) }) {
		return aws.Errorf("ParameterPatternMismatchException", "Parameter value, cannot be validated against allowedPattern: %s", in.AllowedPattern)
	}
	return nil
}

func (s *Service) putParameter(c *service.Context, tx store.Tx) (any, error) {
	var in putInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	in.Name = nameOf(in.Name)
	p, err := read(c, tx, in.Name)
	if err != nil {
		return nil, err
	}
	if err := in.fits(p); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	if p == nil {
		p = &parameter{Version: recordVersion, Name: in.Name, Account: c.Account, Region: c.Region, Type: in.Type, Tags: tagged(nil, in.Tags)}
	}
	if err := p.makeRoom(tx); err != nil {
		return nil, err
	}
	p.Latest++
	v := &version{Number: p.Latest, Value: []byte(in.Value), Modified: c.Now.UnixMilli(), User: user(c), Description: in.Description, KeyID: in.KeyId,
		AllowedPattern: in.AllowedPattern, Tier: in.Tier, DataType: textData}
	if v.Tier == "" {
		v.Tier = standard
	}
	if p.Type == secure {
		if v.KeyID == "" {
			v.KeyID = "alias/aws/ssm"
		}
		if v.Value, err = c.Env.Seal(p.protection(v.KeyID), v.Value); err != nil {
			return nil, err
		}
	}
	if err := set(tx, p.versions().U64(v.Number), v); err != nil {
		return nil, err
	}
	return map[string]any{"Version": v.Number, "Tier": v.Tier}, set(tx, p.key(), p)
}

// fits holds a request against the parameter that is there, of which it takes the type.
func (in *putInput) fits(p *parameter) error {
	switch {
	case p == nil && in.Type == "":
		return validation("A parameter type is required when you create a parameter.")
	case p == nil:
		return nil
	case !in.Overwrite:
		return aws.Errorf("ParameterAlreadyExists", "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
	case in.Type != "" && in.Type != p.Type:
		return aws.Errorf("HierarchyTypeMismatchException", "Parameter Store doesn't support changing a parameter type in a hierarchy. For example, you can't change a parameter from a String type to a SecureString type. You must create a new, unique parameter.")
	}
	in.Type = p.Type
	return nil
}

// makeRoom removes the oldest version of a parameter that has as many as there can be.
func (p *parameter) makeRoom(tx store.Tx) error {
	all, err := p.history(tx)
	if err != nil || len(all) < versionsMost {
		return err
	}
	oldest := all[0]
	if len(oldest.Labels) > 0 {
		return aws.Errorf("ParameterMaxVersionLimitExceeded", "You attempted to create a new version of %s by calling the PutParameter API with the overwrite flag. Version %d, the oldest version, can't be deleted because it has a label associated with it. Move the label to another version of the parameter, and try again.", p.Name, oldest.Number)
	}
	tx.Delete(p.versions().U64(oldest.Number))
	return nil
}

// user is who the versions say has made them.
func user(c *service.Context) string {
	if c.Principal != "" {
		return c.Principal
	}
	return aws.ARN{Service: "iam", Account: c.Account, Resource: "root"}.String()
}

func (p *parameter) remove(tx store.Tx) error {
	all, err := p.history(tx)
	if err != nil {
		return err
	}
	for _, v := range all {
		tx.Delete(p.versions().U64(v.Number))
	}
	tx.Delete(p.key())
	return nil
}

func (s *Service) deleteParameter(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ Name string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	p, err := find(c, tx, in.Name)
	if err != nil {
		return nil, err
	}
	return nil, p.remove(tx)
}

func (s *Service) deleteParameters(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ Names []string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	deleted, invalid := []string{}, []string{}
	for _, name := range in.Names {
		p, err := read(c, tx, name)
		if err != nil {
			return nil, err
		}
		if p == nil {
			invalid = append(invalid, name)
			continue
		}
		if err := p.remove(tx); err != nil {
			return nil, err
		}
		deleted = append(deleted, name)
	}
	return map[string]any{"DeletedParameters": deleted, "InvalidParameters": invalid}, nil
}
