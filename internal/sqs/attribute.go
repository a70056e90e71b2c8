package sqs

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/newel-run/newel/internal/aws"
)

// attribute is a message attribute's value.
type attribute struct {
	DataType    string
	StringValue *string `json:",omitempty"`
	BinaryValue []byte  `json:",omitempty"`
}

func hexMD5(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// attributesMD5 is AWS's digest over message attributes: sorted by name; of each the name, the type, one byte for the
// kind of value (1 text, 2 binary) and the value, everything but that byte with its length (4 bytes, big-endian) before it.
// It is "" for no attributes.
func attributesMD5(attributes map[string]attribute) string {
	if len(attributes) == 0 {
		return ""
	}
	sum := md5.New()
	write := func(s string) {
		sum.Write(binary.BigEndian.AppendUint32(nil, uint32(len(s))))
		sum.Write([]byte(s))
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		a := attributes[name]
		write(name)
		write(a.DataType)
		if a.isBinary() {
			sum.Write([]byte{2})
			write(string(a.BinaryValue))
		} else {
			sum.Write([]byte{1})
			write(*a.StringValue)
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func (a *attribute) kind() string {
	kind, _, _ := strings.Cut(a.DataType, ".")
	return kind
}

func (a *attribute) isBinary() bool { return a.kind() == "Binary" }

// size is what an attribute adds to its message's size, without its name.
func (a *attribute) size() int {
	n := len(a.DataType) + len(a.BinaryValue)
	if a.StringValue != nil {
		n += len(*a.StringValue)
	}
	return n
}

const attributesMax = 10

var attributeName = aws.Lazy(`^[A-Za-z0-9_\-.]{1,256}$`)

// checkMessageAttributes validates message attributes; what is the word in AWS's texts: "user" or "system".
func checkMessageAttributes(attributes map[string]attribute, what string) error {
	if len(attributes) > attributesMax {
		return invalidParameter("Number of message attributes [%d] exceeds the allowed maximum [%d].", len(attributes), attributesMax)
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		a := attributes[name]
		lower := strings.ToLower(name)
		switch {
		case name == "":
			return invalidParameter("The message attribute name cannot be empty.")
		case !attributeName.MatchString(name) || strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") || strings.Contains(name, ".."):
			return invalidParameter("Message (%s) attribute name '%s' is invalid. It can only include alphanumeric characters, hyphens, underscores and periods, must not start or end with a period, and must not have periods in succession.", what, name)
		case strings.HasPrefix(lower, "aws.") || strings.HasPrefix(lower, "amazon."):
			return invalidParameter("You can't use message attribute names beginning with 'AWS.' or 'Amazon.'. These strings are reserved for internal use.")
		case a.DataType == "":
			return invalidParameter("The message (%s) attribute '%s' must contain a non-empty message attribute type.", what, name)
		}
		if err := checkValue(name, &a, what); err != nil {
			return err
		}
	}
	return nil
}

func checkValue(name string, a *attribute, what string) error {
	kind := a.kind()
	switch kind {
	case "String", "Number":
		switch {
		case a.StringValue == nil && a.BinaryValue != nil:
			return invalidParameter("The message (%s) attribute '%s' with type '%s' must use field 'String'.", what, name, a.DataType)
		case a.StringValue == nil || *a.StringValue == "":
			return invalidParameter("Message (%s) attribute '%s' must contain a non-empty value of type '%s'.", what, name, "String")
		}
		if bad, ok := invalidRune(*a.StringValue); ok {
			return invalidContents("message (%s) attribute '%s'", bad, what, name)
		}
		if _, err := strconv.ParseFloat(*a.StringValue, 64); kind == "Number" && err != nil && !strings.Contains(err.Error(), "out of range") {
			return invalidParameter("Can't cast the value of message (%s) attribute '%s' to a number.", what, name)
		}
	case "Binary":
		switch {
		case a.BinaryValue == nil && a.StringValue != nil:
			return invalidParameter("The message (%s) attribute '%s' with type '%s' must use field 'Binary'.", what, name, a.DataType)
		case len(a.BinaryValue) == 0:
			return invalidParameter("Message (%s) attribute '%s' must contain a non-empty value of type '%s'.", what, name, "Binary")
		}
	default:
		return invalidParameter("The type of message (%s) attribute '%s' is invalid. You must use only the following supported type prefixes: Binary, Number, String.", what, name)
	}
	return nil
}

// invalidRune finds a character that a message must not have (XML 1.0's set is allowed).
func invalidRune(s string) (rune, bool) {
	for _, r := range s {
		switch {
		case r == '\t', r == '\n', r == '\r', r >= 0x20 && r <= 0xd7ff, r >= 0xe000 && r <= 0xfffd, r >= 0x10000:
		default:
			return r, true
		}
	}
	return 0, false
}

func invalidContents(where string, bad rune, args ...any) error {
	args = append([]any{bad}, args...)
	return wire("", "InvalidMessageContents", "Invalid binary character '#x%X' was found in the "+where+
		", the set of allowed characters is #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF", args...)
}

// wanted selects the attributes that a receiver asked for: by name, by prefix ("foo.*"), or all ("All", ".*").
func wanted(attributes map[string]attribute, names []string) map[string]attribute {
	out := map[string]attribute{}
	for name, a := range attributes {
		for _, n := range names {
			prefix, isPrefix := strings.CutSuffix(n, ".*")
			if n == "All" || n == name || isPrefix && (prefix == "" || strings.HasPrefix(name, prefix)) {
				out[name] = a
				break
			}
		}
	}
	return out
}
