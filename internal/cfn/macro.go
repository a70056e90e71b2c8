package cfn

// Macro is a transform of a whole template: it gives back a template without what it transforms (AWS::Serverless::...
// types become plain ones). It is pure: it reads neither files nor services, and does not change its input. Package sam
// has one; the composition root hands it to New by the name that templates call it by. Errors should be of type Problem
// where the place is known.
type Macro func(template *Node, parameters map[string]string, pseudo Pseudo) (*Node, []error)

// Pseudo is what the pseudo parameters stand for in one deployment.
type Pseudo struct {
	AccountID, Region, Partition, URLSuffix string
	StackName, StackID                      string
}

// Error makes a Problem an error.
func (p Problem) Error() string { return p.String() }
