package cfn

// Macro is a transform of a whole template: it gives back a template without what it transforms (AWS::Serverless::...
// types become plain ones). It is pure: it reads neither files nor services, and does not change its input. Package sam
// has one; the composition root hands it to New by the name that templates call it by. file is the template's name in
// messages; parameters are the values that were given, defaults not among them. The error is of type Problems.
type Macro func(file string, template *Node, parameters map[string]string) (*Node, error)

// Pseudo is what the pseudo parameters stand for in one deployment.
type Pseudo struct {
	AccountID, Region  string
	StackName, StackID string
}
