package sam

import (
	_ "embed"
	"slices"
	"strconv"
	"strings"

	"github.com/newel-run/newel/internal/cfn"
	"github.com/newel-run/newel/internal/cfn/build"
)

//go:embed connectors.txt
var connectorText string

// profiles say what a connector from one type to another consists of, by "source destination".
var profiles = parseProfiles(connectorText)

type profile struct {
	kind     string   // role, topic, queue, function: whose policy says it
	source   bool     // it is the source's policy
	together []string // the only valid sets of permissions, "Read+Write"; any if empty
	depends  string   // what waits for the policy: SOURCE, DESTINATION_EVENT_SOURCE_MAPPING
	names    []string // Read, Write
	allow    map[string][]statement
}

func parseProfiles(text string) map[string]*profile {
	out := map[string]*profile{}
	var p *profile
	category := ""
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		switch {
		case line[0] != '\t':
			p = &profile{kind: words[2], source: words[3] == "source", allow: map[string][]statement{}}
			if len(words) > 4 && words[4] != "-" {
				p.together = strings.Split(words[4], ",")
			}
			if len(words) > 5 {
				p.depends = words[5]
			}
			out[words[0]+" "+words[1]] = p
		case line[1] != '\t':
			category = words[0]
			p.names = append(p.names, category)
		default:
			p.allow[category] = addStatement(p.allow[category], words)
		}
	}
	return out
}

// embedded turns the Connectors of resources into connectors of their own, named <Resource><Connector>.
func (t *transformer) embedded() {
	for k := range t.resources.Fields {
		f := &t.resources.Fields[k]
		list := f.Value.Get("Connectors")
		if list == nil {
			continue
		}
		for _, c := range list.Fields {
			at := build.OfField(c)
			props := build.Clone(c.Value.Get("Properties"))
			if props == nil {
				props = at.Object()
			}
			source := at.Object("Id", f.Name)
			if q := props.Get("SourceReference").Get("Qualifier"); q != nil {
				build.Set(source, "Qualifier", q)
			}
			build.Delete(props, "SourceReference")
			build.Set(props, "Source", source)
			t.connectors = append(t.connectors, cfn.Field{Name: f.Name + c.Name, Line: c.Line, Column: c.Column,
				Value: at.Object("Type", "AWS::Serverless::Connector", "Properties", props)})
		}
		build.Delete(f.Value, "Connectors")
	}
}

// party is one end of a connector.
type party struct {
	id, kind string
	arn      *cfn.Node
	named    map[string]*cfn.Node // Arn, Name, ResourceId, Qualifier
	resource *cfn.Node            // nil if it is not of the template
	role     *cfn.Node
	url      *cfn.Node
}

// connect makes the policies of one connector.
func (t *transformer) connect(f cfn.Field) {
	i := &item{t: t, id: f.Name, node: f.Value, at: build.OfField(f), props: f.Value.Get("Properties")}
	if !i.members(i.props, "AWS::Serverless::Connector", "Source", "Destination", "Permissions") {
		return
	}
	source, destination, permissions := i.prop("Source"), i.prop("Destination"), i.prop("Permissions")
	if source == nil || destination == nil || permissions == nil || permissions.Kind != cfn.List {
		i.fail(f.Value, "a connector needs Source, Destination and Permissions")
		return
	}
	var wanted []string
	for _, p := range permissions.Items {
		s, _ := p.Text()
		wanted = append(wanted, s)
	}
	before := len(t.out.Fields)
	many := destination.Kind == cfn.List
	ends := []*cfn.Node{destination}
	if many {
		ends = destination.Items
	}
	for k, end := range ends {
		suffix := ""
		if many {
			suffix = "Destination" + strconv.Itoa(k)
		}
		if a, b := i.party(source, end), i.party(end, source); a != nil && b != nil {
			i.between(a, b, wanted, suffix)
		}
	}
	t.replaceDependency(f.Name, t.out.Fields[before:])
}

// replaceDependency lets those that depend on a connector depend on what was made of it, and gives that the
// connector's own DependsOn and Metadata.
func (t *transformer) replaceDependency(connector string, made []cfn.Field) {
	for _, f := range t.out.Fields {
		list := f.Value.Get("DependsOn")
		if list == nil {
			continue
		}
		kept := build.Of(list).List()
		names := list.Items
		if list.Kind != cfn.List {
			names = []*cfn.Node{list}
		}
		for _, n := range names {
			if s, _ := n.Text(); s != connector {
				kept.Items = append(kept.Items, n)
				continue
			}
			for _, m := range made {
				kept.Items = append(kept.Items, build.Of(n).Node(m.Name))
			}
		}
		build.Set(f.Value, "DependsOn", kept)
	}
}

var partyNames = []string{"Id", "Type", "Arn", "RoleName", "QueueUrl", "ResourceId", "Name", "Qualifier"}

// party reads one end of a connector; other is the opposite end.
func (i *item) party(n, other *cfn.Node) *party {
	if !i.members(n, "a connector's end", partyNames...) {
		return nil
	}
	p := &party{id: i.text(n, "Id"), named: map[string]*cfn.Node{}}
	for _, name := range []string{"Arn", "Name", "ResourceId", "Qualifier"} {
		p.named[name] = n.Get(name)
	}
	p.kind, p.role, p.url, p.arn = i.text(n, "Type"), n.Get("RoleName"), n.Get("QueueUrl"), n.Get("Arn")
	if p.id == "" {
		if short, ok := strings.CutPrefix(p.kind, "AWS::Serverless::"); ok {
			p.kind = map[string]string{"Function": "AWS::Lambda::Function", "StateMachine": "AWS::StepFunctions::StateMachine",
				"Api": "AWS::ApiGateway::RestApi", "SimpleTable": "AWS::DynamoDB::Table"}[short]
		}
		return p
	}
	p.resource = i.t.out.Get(p.id)
	if p.resource == nil {
		i.fail(n, "Unable to find resource with logical ID '%s'.", p.id)
		return nil
	}
	p.kind, _ = p.resource.Get("Type").Text()
	p.arn = i.at.GetAtt(p.id, "Arn")
	switch p.kind {
	case "AWS::SNS::Topic", "AWS::StepFunctions::StateMachine":
		p.arn = i.at.Ref(p.id)
		p.named["Name"] = i.at.GetAtt(p.id, "Name")
	case "AWS::SQS::Queue":
		p.url = i.at.Ref(p.id)
	case "AWS::ApiGateway::RestApi":
		p.named["ResourceId"] = i.at.Ref(p.id)
		if p.named["Qualifier"] == nil {
			p.named["Qualifier"] = i.at.Node("*")
		}
	}
	p.named["Arn"] = p.arn
	if id := logicalID(p.roleProperty(other)); id != "" {
		p.role = i.at.Ref(id)
	}
	return p
}

// roleProperty is the role with which the resource acts.
func (p *party) roleProperty(other *cfn.Node) *cfn.Node {
	props := p.resource.Get("Properties")
	switch p.kind {
	case "AWS::Lambda::Function":
		return props.Get("Role")
	case "AWS::StepFunctions::StateMachine":
		return props.Get("RoleArn")
	case "AWS::Events::Rule":
		id, _ := other.Get("Id").Text()
		if targets := props.Get("Targets"); targets != nil {
			for _, t := range targets.Items {
				if id != "" && logicalID(t.Get("Arn")) == id || id == "" && build.Equal(t.Get("Arn"), other.Get("Arn")) {
					return t.Get("RoleArn")
				}
			}
		}
	}
	return nil
}

// logicalID is the resource that a Ref or Fn::GetAtt names.
func logicalID(n *cfn.Node) string {
	if n == nil || n.Kind != cfn.Function {
		return ""
	}
	arg := n.Arg
	if n.Fn == "Fn::GetAtt" && arg.Kind == cfn.List && len(arg.Items) > 0 {
		arg = arg.Items[0]
	} else if n.Fn != "Ref" {
		return ""
	}
	s, _ := arg.Text()
	return s
}

func (i *item) between(source, destination *party, wanted []string, suffix string) {
	p := profiles[source.kind+" "+destination.kind]
	if p == nil {
		i.fail(i.node, "Unable to create connector from %s to %s; it's not supported or the template is invalid.", source.kind, destination.kind)
		return
	}
	slices.Sort(wanted)
	wanted = slices.Compact(wanted)
	for _, w := range wanted {
		if !slices.Contains(p.names, w) {
			i.fail(i.prop("Permissions"), "Unsupported 'Permissions' provided for connector from %s to %s; valid values are: %s.", source.kind, destination.kind, strings.Join(p.names, ", "))
			return
		}
	}
	if len(wanted) == 0 || len(p.together) > 0 && !slices.Contains(p.together, strings.Join(wanted, "+")) {
		i.fail(i.prop("Permissions"), "Unsupported 'Permissions' provided for connector from %s to %s; valid combinations are: %s.", source.kind, destination.kind, strings.Join(append(p.together, p.names...), ", "))
		return
	}
	of := destination
	if p.source {
		of = source
	}
	fill := func(text string) *cfn.Node { return i.fillEnds(text, source, destination) }
	if p.kind == "function" {
		for _, name := range p.names {
			if slices.Contains(wanted, name) {
				s := p.allow[name][0]
				props := i.at.Object("Action", s.actions[0], "FunctionName", of.arn, "Principal", s.service, "SourceArn", fill(s.resources[0]))
				if s.service == "s3.amazonaws.com" {
					build.Set(props, "SourceAccount", i.at.Sub("${AWS::AccountId}"))
				}
				i.emit(i.id+name+"LambdaPermission"+suffix, "AWS::Lambda::Permission", props)
			}
		}
		return
	}
	statements := i.at.List()
	for _, name := range p.names {
		if slices.Contains(wanted, name) {
			for _, s := range p.allow[name] {
				statements.Items = append(statements.Items, i.statement(s, fill))
			}
		}
	}
	document := i.at.Object("Version", "2012-10-17", "Statement", statements)
	i.policyOf(p, of, source, destination, document, suffix)
}

func (i *item) statement(s statement, fill func(string) *cfn.Node) *cfn.Node {
	n := i.at.Object("Effect", "Allow")
	if s.service == "" {
		resources := []*cfn.Node{}
		for _, r := range s.resources {
			resources = append(resources, fill(r))
		}
		build.Set(n, "Action", i.at.Node(s.actions))
		build.Set(n, "Resource", i.at.Node(resources))
		return n
	}
	build.Set(n, "Action", i.at.Node(s.actions[0]))
	build.Set(n, "Resource", fill(s.resources[0]))
	build.Set(n, "Principal", i.at.Object("Service", s.service))
	build.Set(n, "Condition", i.at.Object("ArnEquals", i.at.Object("aws:SourceArn", fill("%{Source.Arn}"))))
	return n
}

// mappingWaits lets the one event source mapping between two resources wait for the policy that it needs.
func (i *item) mappingWaits(source, destination *party, policy string) {
	var found []*cfn.Node
	for _, f := range i.t.out.Fields {
		kind, _ := f.Value.Get("Type").Text()
		props := f.Value.Get("Properties")
		if kind == "AWS::Lambda::EventSourceMapping" && source.id != "" && logicalID(props.Get("EventSourceArn")) == source.id && logicalID(props.Get("FunctionName")) == destination.id {
			found = append(found, f.Value)
		}
	}
	if len(found) == 1 {
		build.Append(found[0], "DependsOn", i.at.Node(policy))
	}
}

func (i *item) policyOf(p *profile, of, source, destination *party, document *cfn.Node, suffix string) {
	switch {
	case p.kind == "role" && of.role != nil:
		id := i.id + "Policy" + suffix
		i.emit(id, "AWS::IAM::ManagedPolicy", i.at.Object("PolicyDocument", document, "Roles", i.at.List(of.role)))
		switch {
		case p.depends == "SOURCE" && source.resource != nil:
			build.Append(source.resource, "DependsOn", i.at.Node(id))
		case p.depends == "DESTINATION_EVENT_SOURCE_MAPPING":
			i.mappingWaits(source, destination, id)
		}
	case p.kind == "queue" && of.url != nil:
		i.emit(i.id+"QueuePolicy"+suffix, "AWS::SQS::QueuePolicy", i.at.Object("PolicyDocument", document, "Queues", i.at.List(of.url)))
	case p.kind == "topic" && of.arn != nil:
		i.emit(i.id+"TopicPolicy"+suffix, "AWS::SNS::TopicPolicy", i.at.Object("PolicyDocument", document, "Topics", i.at.List(of.arn)))
	default:
		i.fail(i.node, "Unable to get IAM role name, queue URL or topic ARN of the %s.", of.kind)
	}
}

// fillEnds puts what is known of the two ends into a text with %{Source.Arn} and the like.
func (i *item) fillEnds(text string, source, destination *party) *cfn.Node {
	var variables []any
	var only *cfn.Node
	out := text
	for _, end := range []struct {
		name string
		p    *party
	}{{"Source", source}, {"Destination", destination}} {
		for _, name := range []string{"Arn", "Name", "ResourceId", "Qualifier"} {
			from := "%{" + end.name + "." + name + "}"
			if !strings.Contains(out, from) {
				continue
			}
			v := end.p.named[name]
			if v == nil {
				i.fail(i.node, "%s.%s is needed here: give it with the connector's end", end.name, name)
				v = i.at.Node("")
			}
			only = build.Clone(v)
			out = strings.ReplaceAll(out, from, "${"+end.name+name+"}")
			variables = append(variables, end.name+name, only)
		}
	}
	if len(variables) == 2 && text[0] == '%' && strings.HasSuffix(text, "}") && strings.Count(text, "{") == 1 {
		return only
	}
	return i.at.Sub(out, variables...)
}
