package cfn

import (
	"strings"

	"github.com/newel-run/newel/asl/value"
)

// generated are the members of GenerateSecretString: what GetRandomPassword takes, and where the password goes.
var generated = []string{"ExcludeCharacters", "ExcludeLowercase", "ExcludeNumbers", "ExcludePunctuation", "ExcludeUppercase", "GenerateStringKey", "IncludeSpace",
	"PasswordLength", "RequireEachIncludedType", "SecretStringTemplate"}

var secret = &Type{
	Name: "AWS::SecretsManager::Secret",
	Properties: rows(properties("secretsmanager:CreateSecret", "Name~", "Description", "KmsKeyId", "SecretString", "Tags"),
		nest("GenerateSecretString", generated...)),
	NameProperty: "Name", NameMax: 64,
	Attributes: []string{"Id"},
	Missing:    []string{"ResourceNotFoundException"},
	Create: func(i *Instance) ([]Call, error) {
		c := Call{Service: "secretsmanager", Operation: "CreateSecret", Input: i.input("Description", "KmsKeyId", "SecretString", "Tags")}.with("Name", i.Name)
		return []Call{c}, nil
	},
	Physical: func(_ *Instance, answer *value.Object) string { return member(answer, "ARN") },
	After: func(i *Instance) ([]Call, error) {
		return generateSecret(i, &Instance{Properties: value.NewObject()})
	},
	Read: func(i *Instance) Call { return call("secretsmanager", "DescribeSecret", "SecretId", i.Ref) },
	Identify: func(i *Instance, _ *value.Object) (string, map[string]string) {
		return i.Ref, map[string]string{"Id": i.Ref}
	},
	Update: func(i, old *Instance) ([]Call, error) {
		c := Call{Service: "secretsmanager", Operation: "UpdateSecret", Input: i.input("KmsKeyId")}.with("SecretId", i.Ref, "Description", i.text("Description"))
		if changed(i, old, "SecretString") {
			c = c.with("SecretString", i.get("SecretString"))
		}
		more, err := generateSecret(i, old)
		calls := append([]Call{c}, more...)
		return append(calls, retag(i, old, "secretsmanager", "TagResource", "UntagResource", "SecretId", i.Ref, tagList)...), err
	},
	Delete: func(i *Instance) []Call {
		return []Call{call("secretsmanager", "DeleteSecret", "SecretId", i.Ref).with("ForceDeleteWithoutRecovery", true)}
	},
}

// generateSecret makes a password where the template asks for one, and a new one where it asks for another kind.
func generateSecret(i, old *Instance) ([]Call, error) {
	o, ok := i.get("GenerateSecretString").(*value.Object)
	if !ok || !changed(i, old, "GenerateSecretString") {
		return nil, nil
	}
	kind, where := value.NewObject(), object("SecretId", i.Ref)
	for name, v := range o.All() {
		if name == "SecretStringTemplate" || name == "GenerateStringKey" {
			where.Set(name, textOf(v))
		} else {
			kind.Set(name, v)
		}
	}
	password, err := coerce(kind, inputShape("secretsmanager", "GetRandomPassword"), "GenerateSecretString")
	if err != nil {
		return nil, err
	}
	return []Call{Call{Service: "secretsmanager", Operation: "GenerateSecretValue", Input: where, Own: true}.with("Password", password)}, nil
}

var ssmParameter = &Type{
	Name:         "AWS::SSM::Parameter",
	Properties:   properties("", "Name~", "Type!", "Value!", "Description", "AllowedPattern", "DataType", "Policies", "Tier", "Tags"),
	NameProperty: "Name", NameMax: 512, Named: true,
	Attributes: []string{"Type", "Value"},
	Missing:    []string{"ParameterNotFound"},
	Create: func(i *Instance) ([]Call, error) {
		c := putParameter(i)
		if tags := parameterTags(i.get("Tags")); len(tags) > 0 {
			c = c.with("Tags", tags)
		}
		return []Call{c}, nil
	},
	Read: func(i *Instance) Call { return call("ssm", "GetParameter", "Name", i.Name) },
	Identify: func(i *Instance, answer *value.Object) (string, map[string]string) {
		return i.Name, map[string]string{"Type": member(answer, "Parameter", "Type"), "Value": strings.Clone(member(answer, "Parameter", "Value"))}
	},
	Update: func(i, old *Instance) ([]Call, error) {
		return append([]Call{putParameter(i).with("Overwrite", true)}, retagParameter(i, old)...), nil
	},
	Delete: func(i *Instance) []Call { return []Call{call("ssm", "DeleteParameter", "Name", i.Ref)} },
}

func putParameter(i *Instance) Call {
	return Call{Service: "ssm", Operation: "PutParameter", Input: i.input("Type", "Value", "Description", "AllowedPattern", "DataType", "Policies", "Tier")}.with("Name", i.Name)
}

// parameterTags makes a list of tags, which a parameter's template has as an object.
func parameterTags(v value.Value) (list value.Array) {
	if o, ok := v.(*value.Object); ok {
		for k, v := range o.All() {
			list = append(list, object("Key", k, "Value", textOf(v)))
		}
	}
	return list
}

func retagParameter(i, old *Instance) (calls []Call) {
	if !changed(i, old, "Tags") {
		return nil
	}
	now := parameterTags(i.get("Tags"))
	var gone value.Array
	for _, t := range parameterTags(old.get("Tags")) {
		if elementNamed(now, "Key", member(t, "Key")) == nil {
			gone = append(gone, member(t, "Key"))
		}
	}
	if len(gone) > 0 {
		calls = append(calls, call("ssm", "RemoveTagsFromResource", "ResourceType", "Parameter", "ResourceId", i.Name).with("TagKeys", gone))
	}
	if len(now) > 0 {
		calls = append(calls, call("ssm", "AddTagsToResource", "ResourceType", "Parameter", "ResourceId", i.Name).with("Tags", now))
	}
	return calls
}
