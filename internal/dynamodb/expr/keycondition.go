package expr

import "github.com/newel-run/newel/internal/dynamodb/attr"

// KeyCondition is one condition on a key attribute. Op is OpEq, OpLt, OpLe, OpGt, OpGe, OpBetween (two values) or OpCall,
// which stands for begins_with.
type KeyCondition struct {
	Name   string
	Op     Op
	Values []*attr.Value
}

// Matches reports whether a key value satisfies the condition.
func (k *KeyCondition) Matches(v *attr.Value) bool {
	n := &Node{Op: k.Op, Call: "begins_with", Args: []*Node{{Op: OpValue, Value: v}}}
	for _, x := range k.Values {
		n.Args = append(n.Args, &Node{Op: OpValue, Value: x})
	}
	return n.holds(nil)
}

// KeyConditions parses a key condition expression: conditions joined by AND, at most one for each attribute.
func (p *Params) KeyConditions(text string) ([]KeyCondition, error) {
	root, err := p.Condition("KeyConditionExpression", text)
	if err != nil {
		return nil, err
	}
	return keyConditions(nil, root)
}

func keyConditions(found []KeyCondition, n *Node) ([]KeyCondition, error) {
	switch n.Op {
	case OpAnd:
		found, err := keyConditions(found, n.Args[0])
		if err != nil {
			return nil, err
		}
		return keyConditions(found, n.Args[1])
	case OpOr, OpNot, OpIn, OpNe:
		return nil, attr.Invalid("Invalid operator used in KeyConditionExpression: " + opText[n.Op])
	case OpCall:
		if n.Call == "size" {
			return nil, errNestedOperation
		}
		if n.Call != "begins_with" {
			return nil, attr.Invalid("Invalid operator used in KeyConditionExpression: " + n.Call)
		}
	}
	c, err := keyCondition(n)
	if err != nil {
		return nil, err
	}
	for i := range found {
		if found[i].Name == c.Name {
			return nil, attr.Invalid("KeyConditionExpressions must only contain one condition per key")
		}
	}
	return append(found, c), nil
}

const errNestedOperation attr.Invalid = "KeyConditionExpressions cannot contain nested operations"

var mirrored = map[Op]Op{OpEq: OpEq, OpLt: OpGt, OpLe: OpGe, OpGt: OpLt, OpGe: OpLe}

func keyCondition(n *Node) (KeyCondition, error) {
	c := KeyCondition{Op: n.Op}
	if n.Args[0].Op != OpPath && (n.Op == OpBetween || n.Op == OpCall) {
		name := "begins_with"
		if n.Op == OpBetween {
			name = "BETWEEN"
		}
		return c, attr.Invalid("Invalid condition in KeyConditionExpression: " + name + " operator must have the key attribute as its first operand")
	}
	for i, a := range n.Args {
		switch a.Op {
		case OpCall:
			return c, errNestedOperation
		case OpValue:
			c.Values = append(c.Values, a.Value)
		case OpPath:
			if c.Name != "" {
				return c, attr.Invalid("Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition")
			}
			if len(a.Path) > 1 {
				return c, attr.Invalid("KeyConditionExpressions cannot have conditions on nested attributes")
			}
			c.Name = a.Path[0].Name
			if i > 0 {
				c.Op = mirrored[n.Op]
			}
		}
	}
	if c.Name == "" {
		return c, attr.Invalid("Invalid condition in KeyConditionExpression: No key attribute specified")
	}
	return c, nil
}
