package serverless

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/cfn"
	"github.com/newel-run/newel/internal/cfn/build"
)

// machine is one of stepFunctions.stateMachines.
type machine struct {
	*Service
	key  string // its name in the file
	id   string // logical id
	name string // name, or its name in the file
	n    *cfn.Node
	at   build.At
}

var machineNames = []string{
	"id", "name", "events", "role", "iamRoleStatements", "useExactVersion", "definition", "dependsOn", "tags", "alarms", "notifications",
	"type", "retain", "loggingConfig", "tracingConfig", "inheritGlobalTags",
}

// stateMachines expands the section stepFunctions.
func (s *Service) stateMachines() {
	n := s.root.Get("stepFunctions")
	if absent(n) {
		return
	}
	if !s.machines {
		s.fail(n, "stepFunctions needs the plugin %s in plugins", stepFunctions)
		return
	}
	if !s.members(n, "stepFunctions", "stateMachines", "activities", "validate", "noOutput") {
		return
	}
	list := n.Get("stateMachines")
	if absent(list) {
		list = build.Of(n).Object()
	}
	if list.Kind == cfn.List {
		all := build.Of(list).Object()
		for _, part := range list.Items {
			mergeDeep(all, part)
		}
		list = all
	}
	if list.Kind != cfn.Map {
		s.fail(list, "stateMachines property is not an object")
		return
	}
	quiet := s.yes(n, "noOutput", false)
	for _, f := range list.Fields {
		m := &machine{Service: s, key: f.Name, n: f.Value, at: build.OfField(f)}
		if s.members(f.Value, "state machine "+f.Name, machineNames...) {
			m.expand(quiet)
		}
	}
	s.activities(n, quiet)
}

func (s *Service) activities(n *cfn.Node, quiet bool) {
	for _, a := range s.items(n, "activities") {
		name, ok := a.Text()
		if !ok {
			s.fail(a, "an activity is a name")
			continue
		}
		at := build.Of(a)
		id := normal(name) + "StepFunctionsActivity"
		s.put(id, at.Object("Type", "AWS::StepFunctions::Activity", "Properties", at.Object("Name", name)))
		s.output(at, id+"Arn", "Current StateMachine Arn", at.Ref(id))
	}
}

func (m *machine) expand(quiet bool) {
	custom := firstText(m.text(m.n, "id"), m.text(m.n, "name"))
	m.id = normal(custom)
	if custom == "" {
		m.id = normal(m.key) + "StepFunctionsStateMachine"
	}
	m.name = firstText(m.text(m.n, "name"), m.key)
	definition := m.definition()
	if definition == nil {
		m.fail(m.n, "Missing \"definition\" for state machine %s", m.key)
		return
	}
	r := m.at.Object("Type", "AWS::StepFunctions::StateMachine")
	role := present(m.n.Get("role"))
	if role == nil {
		m.role(definition)
		role = m.at.GetAtt(m.id+"Role", "Arn")
		build.Append(r, "DependsOn", m.at.Node(m.id+"Role"))
	}
	if d := present(m.n.Get("dependsOn")); d != nil {
		items := []*cfn.Node{d}
		if d.Kind == cfn.List {
			items = d.Items
		}
		build.Append(r, "DependsOn", items...)
	}
	props := m.at.Object("DefinitionString", m.definitionString(definition), "RoleArn", role, "StateMachineType", present(m.n.Get("type")),
		"LoggingConfiguration", m.logging(), "TracingConfiguration", m.tracing(), "Tags", m.tags(), "StateMachineName", present(m.n.Get("name")))
	build.Set(r, "Properties", props)
	if m.yes(m.n, "retain", false) {
		build.Set(r, "DeletionPolicy", m.at.Node("Retain"))
	}
	m.put(m.id, r)
	if !quiet {
		m.output(m.at, m.id+"Arn", "Current StateMachine Arn", m.at.Ref(m.id))
	}
	m.events()
	m.alarms()
	m.notifications()
}

// definition is the definition as a tree; a text is read as JSON or YAML.
func (m *machine) definition() *cfn.Node {
	d := present(m.n.Get("definition"))
	text, ok := d.Text()
	if !ok {
		return d
	}
	n, err := cfn.ParseNode(m.file, []byte(text))
	if err != nil || n.Kind != cfn.Map {
		m.fail(d, "state machine %s: the definition is not valid JSON or YAML", m.key)
		return nil
	}
	for _, c := range []*cfn.Node{n} {
		build.Walk(c, func(x *cfn.Node) { x.Line, x.Column = d.Line, d.Column })
	}
	return n
}

var pseudo = regexp.MustCompile(`#\{([^}]+)\}`)

// definitionString is the definition's JSON with functions as the variables of an Fn::Sub.
func (m *machine) definitionString(definition *cfn.Node) *cfn.Node {
	d := build.Clone(definition)
	variables := m.at.Object()
	m.variables(d, variables)
	text := indented(d.Plain())
	for _, f := range variables.Fields {
		if strings.HasSuffix(f.Name, bareSuffix) { // a Wait's Seconds: a number once it is known
			text = strings.ReplaceAll(text, `"${`+f.Name+`}"`, "${"+f.Name+"}")
		}
	}
	replaced := pseudo.ReplaceAllString(text, "$${$1}")
	switch {
	case len(variables.Fields) > 0:
		return m.at.Function("Fn::Sub", m.at.List(replaced, variables))
	case replaced != text:
		return m.at.Sub(replaced)
	}
	return m.at.Node(text)
}

// bareSuffix marks variables that stand for numbers.
const bareSuffix = "Number"

// variables replaces the functions in a definition by variables, which it collects.
func (m *machine) variables(n, into *cfn.Node) {
	if n.Kind == cfn.Function {
		return
	}
	for _, c := range n.Items {
		m.variable(c, into, false)
	}
	for _, f := range n.Fields {
		kind, _ := n.Get("Type").Text()
		m.variable(f.Value, into, kind == "Wait" && f.Name == "Seconds")
	}
}

func (m *machine) variable(n, into *cfn.Node, bare bool) {
	if n.Kind != cfn.Function {
		m.variables(n, into)
		return
	}
	name := shortHash(n.Plain(), 32)
	if bare {
		name += bareSuffix
	}
	function := *n
	v := m.local(&function)
	if m.yes(m.n, "useExactVersion", false) {
		v = m.exact(v)
	}
	build.Set(into, name, v)
	*n = *build.Of(n).Node("${" + name + "}")
}

// local turns a reference to a function by its name in the file into one by its logical id.
func (m *machine) local(n *cfn.Node) *cfn.Node {
	id := logicalID(n)
	if id == "" || m.resource(id) != nil || absent(m.functionNamed(id)) {
		return n
	}
	if n.Fn == "Ref" {
		return build.Of(n).Ref(functionID(id))
	}
	attribute, _ := n.Arg.Items[1].Text()
	return build.Of(n).GetAtt(functionID(id), attribute)
}

func (s *Service) functionNamed(name string) *cfn.Node {
	for _, f := range s.functions() {
		if f.Name == name {
			return f.Value
		}
	}
	return nil
}

// exact turns a reference to a function into one to its version.
func (m *machine) exact(n *cfn.Node) *cfn.Node {
	if v := m.versions[logicalID(n)]; v != "" {
		return build.Of(n).Ref(v)
	}
	return n
}

// logicalID is what a Ref or Fn::GetAtt names, "" for anything else.
func logicalID(n *cfn.Node) string {
	if n == nil || n.Kind != cfn.Function {
		return ""
	}
	arg := n.Arg
	switch {
	case n.Fn == "Fn::GetAtt" && arg.Kind == cfn.List && len(arg.Items) == 2:
		arg = arg.Items[0]
	case n.Fn != "Ref":
		return ""
	}
	s, _ := arg.Text()
	return s
}

// indented is a value's JSON over lines, as the plugin writes definitions.
func indented(v value.Value) string {
	var out bytes.Buffer
	if err := json.Indent(&out, value.Append(nil, v), "", "  "); err != nil {
		panic(err) // Append writes JSON
	}
	return out.String()
}

func (m *machine) logging() *cfn.Node {
	n := present(m.n.Get("loggingConfig"))
	if n == nil || !m.members(n, "loggingConfig", "level", "includeExecutionData", "destinations") {
		return nil
	}
	list := m.at.List()
	for _, d := range m.items(n, "destinations") {
		list.Items = append(list.Items, m.at.Object("CloudWatchLogsLogGroup", m.at.Object("LogGroupArn", d)))
	}
	return m.at.Object("Level", firstText(m.text(n, "level"), "OFF"), "IncludeExecutionData", m.yes(n, "includeExecutionData", false), "Destinations", list)
}

func (m *machine) tracing() *cfn.Node {
	n := present(m.n.Get("tracingConfig"))
	if n == nil || !m.members(n, "tracingConfig", "enabled") {
		return nil
	}
	return m.at.Object("Enabled", m.yes(n, "enabled", false))
}

func (m *machine) tags() *cfn.Node {
	if m.yes(m.n, "inheritGlobalTags", true) {
		return m.tagList(m.provider.Get("tags"), m.n.Get("tags"))
	}
	return m.tagList(m.n.Get("tags"))
}
