// Package naming is how task integrations spell things: operations, members and errors of AWS's APIs as Step Functions
// shows them to a state machine.
//
// Step Functions calls services through the AWS SDK for Java 2, and its names are that SDK's: a member is the SDK's
// getter with a capital first letter (DBInstanceIdentifier is DbInstanceIdentifier, BOOL is Bool, equals is
// EqualsValue), an action the SDK's method (createDBCluster), an error the SDK's exception with the service's name
// before it (DynamoDb.ResourceNotFoundException). That is Style SDK. The optimised integrations are older and write the
// API's own name with a capital first letter: MD5OfMessageBody, StateMachineArn. That is Style Optimized.
package naming

import (
	"regexp"
	"strings"
	"unicode"

	"github.com/newel-run/newel/internal/aws"
)

// Style is one of the two ways in which Step Functions spells members.
type Style int

// The styles.
const (
	SDK       Style = iota // aws-sdk integrations
	Optimized              // optimised integrations
)

// renamed are members that the SDK calls something else, by shape and member.
var renamed = map[string]map[string]string{
	"AttributeValue": {"NULL": "nul"},
}

// Member is a member's name in a state machine.
func Member(style Style, shape *aws.Shape, member string) string {
	if style == Optimized {
		return capital(member)
	}
	if n, ok := renamed[shape.Name][member]; ok {
		return capital(n)
	}
	n := uncapital(member)
	if reserved[n] {
		n += "Value"
	}
	return capital(n)
}

// reserved are the words that cannot be a method in Java.
var reserved = set(`abstract assert boolean break byte case catch char class const continue default do double else enum
	extends false final finally float for goto if implements import instanceof int interface long native new null package
	private protected public return short static strictfp super switch synchronized this throw throws transient true try
	void volatile while equals hashCode toString getClass notify notifyAll wait clone finalize`)

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// uncapital lowers the capitals that a name begins with, but for the one that begins its second word: ETag is eTag,
// DBCluster is dbCluster, BOOL is bool.
func uncapital(s string) string {
	i := 0
	for i < len(s) {
		i++
		if i >= len(s) || !upper(s[i]) || i+1 < len(s) && lower(s[i+1]) {
			break
		}
	}
	return strings.ToLower(s[:i]) + s[i:]
}

func upper(c byte) bool { return c >= 'A' && c <= 'Z' }
func lower(c byte) bool { return c >= 'a' && c <= 'z' }

// Operation finds the operation that an aws-sdk action names ("startExecution", "createDBCluster").
func Operation(s *aws.Service, action string) (*aws.Operation, bool) {
	if action == "" || upper(action[0]) {
		return nil, false
	}
	if op := s.Operations[capital(action)]; op != nil {
		return op, true
	}
	for name, op := range s.Operations {
		if uncapital(name) == action {
			return op, true
		}
	}
	return nil, false
}

// Action is the action of an operation in an aws-sdk resource.
func Action(operation string) string { return uncapital(operation) }

// ErrorName is the error of an aws-sdk integration for a service's error code: the modelled exception, or for a code
// that is not in the model the service's general exception (DynamoDb.DynamoDbException).
func ErrorName(s *aws.Service, code string) string {
	prefix := Prefix(s.ID)
	if shape := exception(s, code); shape != nil {
		return prefix + "." + exceptionName(shape.Name)
	}
	return prefix + "." + prefix + "Exception"
}

func exception(s *aws.Service, code string) *aws.Shape {
	if shape := s.Shapes[code]; shape != nil && shape.Exception {
		return shape
	}
	for _, shape := range s.Shapes {
		if shape.Exception && (shape.ErrorCode == code || shape.QueryErrorCode == code) {
			return shape
		}
	}
	return nil
}

func exceptionName(shape string) string {
	shape = pascal(shape)
	if base, ok := strings.CutSuffix(shape, "Fault"); ok {
		return base + "Exception"
	}
	if strings.HasSuffix(shape, "Exception") {
		return shape
	}
	return shape + "Exception"
}

// wordRules split a service id or a shape name into words, in this order.
var wordRules = []struct {
	re *regexp.Regexp
	by string
}{
	{regexp.MustCompile(`[^A-Za-z0-9]+`), " "},
	{regexp.MustCompile(`([^a-z]{2,})v([0-9]+)`), "$1 v$2 "},
	{regexp.MustCompile(`([^A-Z]{2,})V([0-9]+)`), "$1 V$2 "},
	{regexp.MustCompile(`([a-z])([A-Z][a-zA-Z])`), "$1 $2"},
	{regexp.MustCompile(`([A-Z]+)([A-Z][a-z])`), "$1 $2"},
	{regexp.MustCompile(`([0-9])([a-zA-Z])`), "$1 $2"},
}

// Prefix is the name of a service in errors of aws-sdk integrations: "DynamoDb" for the id "DynamoDB", "Sfn" for "SFN",
// "CloudWatchLogs" for "CloudWatch Logs".
func Prefix(serviceID string) string {
	name := pascal(serviceID)
	for _, lead := range []string{"Amazon", "Aws"} {
		name = strings.TrimPrefix(name, lead)
	}
	return strings.TrimSuffix(name, "Service")
}

// pascal writes the words of a name with one capital each.
func pascal(s string) string {
	for _, r := range wordRules {
		s = r.re.ReplaceAllString(s, r.by)
	}
	var b strings.Builder
	for _, w := range strings.Fields(s) {
		r := []rune(strings.ToLower(w))
		r[0] = unicode.ToUpper(r[0])
		b.WriteString(string(r))
	}
	return b.String()
}
