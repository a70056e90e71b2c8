package expr

import "github.com/newel-run/newel/internal/dynamodb/attr"

// LegacyCondition makes the condition that an older parameter (Expected, QueryFilter, ScanFilter) puts on an attribute:
// operator is its ComparisonOperator. Errors use AWS's wording for those parameters.
func LegacyCondition(name, operator string, values []*attr.Value) (*Node, error) {
	if err := checkLegacy(operator, values); err != nil {
		return nil, err
	}
	path := &Node{Op: OpPath, Path: Path{{Name: name}}}
	args := []*Node{path}
	for _, v := range values {
		args = append(args, &Node{Op: OpValue, Value: v})
	}
	if op, ok := legacyOps[operator]; ok {
		return &Node{Op: op, Args: args}, nil
	}
	switch operator {
	case "NULL":
		return &Node{Op: OpCall, Call: "attribute_not_exists", Args: args}, nil
	case "NOT_NULL":
		return &Node{Op: OpCall, Call: "attribute_exists", Args: args}, nil
	case "CONTAINS":
		return &Node{Op: OpCall, Call: "contains", Args: args}, nil
	case "NOT_CONTAINS":
		return &Node{Op: OpNot, Args: []*Node{{Op: OpCall, Call: "contains", Args: args}}}, nil
	}
	return &Node{Op: OpCall, Call: "begins_with", Args: args}, nil
}

// LegacyKeyCondition makes a key condition of an element of KeyConditions.
func LegacyKeyCondition(name, operator string, values []*attr.Value) (KeyCondition, error) {
	if err := checkLegacy(operator, values); err != nil {
		return KeyCondition{}, err
	}
	c := KeyCondition{Name: name, Values: values}
	switch operator {
	case "EQ", "LE", "LT", "GE", "GT", "BETWEEN":
		c.Op = legacyOps[operator]
	case "BEGINS_WITH":
		c.Op = OpCall
	default:
		return c, attr.Invalid("Attempted conditional constraint is not an indexable operation")
	}
	return c, nil
}

// Join joins conditions by OpAnd or OpOr; nil if there are none.
func Join(op Op, nodes []*Node) *Node {
	if len(nodes) == 0 {
		return nil
	}
	n := nodes[0]
	for _, r := range nodes[1:] {
		n = &Node{Op: op, Args: []*Node{n, r}}
	}
	return n
}

// LegacyOperators are the values of ComparisonOperator in the order in which AWS's errors list them.
var LegacyOperators = []string{"IN", "NULL", "BETWEEN", "LT", "NOT_CONTAINS", "EQ", "GT", "NOT_NULL", "NE", "LE", "BEGINS_WITH", "GE", "CONTAINS"}

var legacyOps = map[string]Op{"EQ": OpEq, "NE": OpNe, "LE": OpLe, "LT": OpLt, "GE": OpGe, "GT": OpGt, "BETWEEN": OpBetween, "IN": OpIn}

func checkLegacy(operator string, values []*attr.Value) error {
	n, ok := len(values), false
	switch operator {
	case "NULL", "NOT_NULL":
		ok = n == 0
	case "IN":
		ok = n > 0
	case "BETWEEN":
		ok = n == 2
	default:
		ok = n == 1
	}
	if !ok {
		return attr.Invalid("One or more parameter values were invalid: Invalid number of argument(s) for the " + operator + " ComparisonOperator")
	}
	for _, v := range values {
		if v.Kind != values[0].Kind {
			return attr.Invalid("One or more parameter values were invalid: AttributeValues inside AttributeValueList must be of same type")
		}
		if !legacyAllows(operator, v.Kind) {
			return attr.Invalid("One or more parameter values were invalid: ComparisonOperator " + operator + " is not valid for " +
				v.Kind.String() + " AttributeValue type")
		}
	}
	if operator == "BETWEEN" {
		if c, ok := attr.Compare(values[0], values[1]); ok && c > 0 {
			return attr.Invalid("The BETWEEN condition was provided a range where the lower bound is greater than the upper bound")
		}
	}
	return nil
}

func legacyAllows(operator string, k attr.Kind) bool {
	switch operator {
	case "EQ", "NE":
		return true
	case "BEGINS_WITH":
		return k == attr.S || k == attr.B
	case "CONTAINS", "NOT_CONTAINS", "IN":
		return k == attr.S || k == attr.N || k == attr.B || k == attr.Bool || k == attr.Null
	}
	return k == attr.S || k == attr.N || k == attr.B
}

// LegacyAction makes the action of an element of AttributeUpdates; value nil means that none is given.
func LegacyAction(name, action string, value *attr.Value) (Action, error) {
	a := Action{Path: Path{{Name: name}}}
	if value != nil {
		a.Value = &Node{Op: OpValue, Value: value}
	}
	const prefix = "One or more parameter values were invalid: "
	switch {
	case action == "DELETE" && value == nil:
		a.Verb = Remove
	case value == nil:
		return a, attr.Invalid(prefix + "Only DELETE action is allowed when no attribute value is specified")
	case action == "DELETE":
		a.Verb = Delete
		if !value.Kind.IsSet() {
			return a, attr.Invalid(prefix + "DELETE action with value is not supported for the type " + value.Kind.String())
		}
	case action == "ADD":
		a.Verb = Add
		if !value.Kind.IsSet() && value.Kind != attr.N && value.Kind != attr.L {
			return a, attr.Invalid(prefix + "ADD action is not supported for the type " + value.Kind.String())
		}
	}
	return a, nil
}
