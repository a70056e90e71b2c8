package sam

import (
	"slices"
	"strconv"
	"strings"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/cfn"
	"github.com/newel-run/newel/internal/cfn/build"
)

var machineOwn = []string{
	"Definition", "DefinitionUri", "DefinitionSubstitutions", "Policies", "Role", "RolePath", "PermissionsBoundary", "Type", "Name",
	"Logging", "Tracing", "Events", "Tags", "PropagateTags",
}

// machine expands AWS::Serverless::StateMachine.
func (i *item) machine() {
	if !i.members(i.props, "AWS::Serverless::StateMachine", machineOwn...) {
		return
	}
	i.notPropagated()
	props := i.at.Object()
	i.definition(props)
	r := role{id: i.id + "Role", service: "states.amazonaws.com", mark: "stateMachine:createdBy"}
	switch given := i.prop("Role"); {
	case given != nil && i.prop("Policies") != nil:
		i.fail(given, "Specify either 'Role' or 'Policies' property and not both.")
	case given != nil:
		build.Set(props, "RoleArn", given)
	default:
		if on := i.prop("Tracing").Get("Enabled"); on != nil && on.Value == true {
			r.managed = append(r.managed, "AWSXrayWriteOnlyAccess")
		}
		i.execution(r)
		build.Set(props, "RoleArn", i.at.GetAtt(r.id, "Arn"))
	}
	build.Set(props, "StateMachineName", i.prop("Name"))
	build.Set(props, "StateMachineType", i.prop("Type"))
	build.Set(props, "LoggingConfiguration", i.prop("Logging"))
	build.Set(props, "TracingConfiguration", i.prop("Tracing"))
	build.Set(props, "Tags", i.tagList("stateMachine:createdBy", i.prop("Tags")))
	i.emit(i.id, "AWS::StepFunctions::StateMachine", props)
	i.machineEvents()
}

func (i *item) definition(props *cfn.Node) {
	inline, uri := i.prop("Definition"), i.prop("DefinitionUri")
	subs := build.Clone(i.prop("DefinitionSubstitutions"))
	switch {
	case inline != nil && uri != nil:
		i.fail(inline, "Specify either 'Definition' or 'DefinitionUri' property and not both.")
	case uri != nil:
		bucket, key, version := i.s3Location(uri, "DefinitionUri")
		build.Set(props, "DefinitionS3Location", i.at.Object("Bucket", bucket, "Key", key, "Version", version))
	case inline != nil:
		inline = build.Clone(inline)
		s := substituter{}
		s.replace(inline)
		for _, f := range s.found {
			if subs == nil {
				subs = i.at.Object()
			}
			build.Set(subs, f.Name, f.Value)
		}
		build.Set(props, "DefinitionString", build.Of(inline).Node(string(indented(nil, sorted(inline.Plain()), ""))))
	default:
		i.fail(i.node, "Either 'Definition' or 'DefinitionUri' property must be specified.")
	}
	build.Set(props, "DefinitionSubstitutions", subs)
}

// substituter replaces the functions in a definition by substitutions, numbered in the order of the sorted names.
type substituter struct{ found []cfn.Field }

func (s *substituter) replace(n *cfn.Node) {
	fields := slices.Clone(n.Fields)
	slices.SortStableFunc(fields, func(a, b cfn.Field) int { return strings.Compare(a.Name, b.Name) })
	children := slices.Clone(n.Items)
	for _, f := range fields {
		children = append(children, f.Value)
	}
	for _, c := range children {
		if c.Kind != cfn.Function {
			s.replace(c)
			continue
		}
		name := "definition_substitution_" + strconv.Itoa(len(s.found)+1)
		function := *c
		s.found = append(s.found, cfn.Field{Name: name, Value: &function, Line: c.Line, Column: c.Column})
		*c = *build.Of(c).Node("${" + name + "}")
	}
}

// indented writes JSON over lines with four spaces a level: the text of the definition that SAM makes.
func indented(dst []byte, v value.Value, margin string) []byte {
	inner := margin + "    "
	switch v := v.(type) {
	case value.Array:
		if len(v) == 0 {
			return append(dst, "[]"...)
		}
		for k, e := range v {
			dst = append(dst, opening(k, '[')...)
			dst = indented(append(dst, inner...), e, inner)
		}
		return append(append(append(dst, '\n'), margin...), ']')
	case *value.Object:
		if v.Len() == 0 {
			return append(dst, "{}"...)
		}
		for k := range v.Len() {
			m := v.At(k)
			dst = append(dst, opening(k, '{')...)
			dst = value.AppendString(append(dst, inner...), m.Name)
			dst = indented(append(dst, ": "...), m.Value, inner)
		}
		return append(append(append(dst, '\n'), margin...), '}')
	}
	return value.Append(dst, v)
}

// opening is what comes before the k-th element.
func opening(k int, bracket byte) string {
	if k == 0 {
		return string(bracket) + "\n"
	}
	return ",\n"
}
