package dynamodb

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/dynamodb/attr"
)

// constraints collects what is wrong with the members of a request in the wording of AWS's framework, which reports up
// to ten at once. Paths are member names with a lower-case first letter ("keySchema.1.member.keyType").
type constraints struct{ found []string }

func (c *constraints) add(value, path, rule string) {
	if len(c.found) < 10 {
		c.found = append(c.found, "Value "+value+" at '"+path+"' failed to satisfy constraint: "+rule)
	}
}

func (c *constraints) required(present bool, path string) {
	if !present {
		c.add("null", path, "Member must not be null")
	}
}

func (c *constraints) enum(value *string, path string, allowed ...string) {
	if value != nil && !slices.Contains(allowed, *value) {
		c.add("'"+*value+"'", path, "Member must satisfy enum value set: ["+strings.Join(allowed, ", ")+"]")
	}
}

func (c *constraints) atLeast(value *int64, least int64, path string) {
	if value != nil && *value < least {
		c.add(fmt.Sprintf("'%d'", *value), path, "Member must have value greater than or equal to "+strconv.FormatInt(least, 10))
	}
}

func (c *constraints) atMost(value *int64, most int64, path string) {
	if value != nil && *value > most {
		c.add(fmt.Sprintf("'%d'", *value), path, "Member must have value less than or equal to "+strconv.FormatInt(most, 10))
	}
}

func (c *constraints) length(n, least, most int, shown, path string) {
	if n < least {
		c.add(shown, path, "Member must have length greater than or equal to "+strconv.Itoa(least))
	}
	if n > most {
		c.add(shown, path, "Member must have length less than or equal to "+strconv.Itoa(most))
	}
}

// name checks the name of a table or index.
func (c *constraints) name(value *string, least int, path string) {
	c.required(value != nil, path)
	if value == nil {
		return
	}
	c.length(len(*value), least, 255, "'"+*value+"'", path)
	if *value != "" && strings.Trim(*value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") != "" {
		c.add("'"+*value+"'", path, "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+")
	}
}

func (c *constraints) err() error {
	switch n := len(c.found); n {
	case 0:
		return nil
	case 1:
		return attr.Invalid("1 validation error detected: " + c.found[0])
	default:
		return attr.Invalid(strconv.Itoa(n) + " validation errors detected: " + strings.Join(c.found, "; "))
	}
}

// checkTableName checks the TableName of a request, which AWS does before everything else, and gives the table's name:
// an ARN stands for the table it names.
func checkTableName(value *string, path string) (string, error) {
	if value != nil {
		if a, ok := aws.ParseARN(*value); ok && a.Service == "dynamodb" && strings.HasPrefix(a.Resource, "table/") {
			name, _, _ := strings.Cut(strings.TrimPrefix(a.Resource, "table/"), "/")
			value = &name
		}
	}
	var c constraints
	c.name(value, 1, path)
	if err := c.err(); err != nil {
		return "", err
	}
	return *value, nil
}
