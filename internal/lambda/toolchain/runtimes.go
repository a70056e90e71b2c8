// Package toolchain knows AWS's runtimes by name, finds the interpreters of this machine that stand for them, and finds or
// installs what AWS's runtimes carry: boto3 for Python, the AWS SDK for JavaScript for Node.js.
//
// Any installed version of a language stands for all versions of AWS's runtime for it; the exact one is preferred. Names
// are those that AWS has ever had: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
package toolchain

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Family is a kind of runtime.
type Family string

const (
	Python   Family = "python"
	Node     Family = "nodejs"
	Provided Family = "provided"
	Go       Family = "go"
	Java     Family = "java"
	Ruby     Family = "ruby"
	Dotnet   Family = "dotnet"
)

var names = []string{
	"nodejs", "nodejs4.3", "nodejs4.3-edge", "nodejs6.10", "nodejs8.10", "nodejs10.x", "nodejs12.x", "nodejs14.x", "nodejs16.x",
	"nodejs18.x", "nodejs20.x", "nodejs22.x", "nodejs24.x",
	"java8", "java8.al2", "java11", "java17", "java21", "java25",
	"python2.7", "python3.6", "python3.7", "python3.8", "python3.9", "python3.10", "python3.11", "python3.12", "python3.13", "python3.14",
	"dotnetcore1.0", "dotnetcore2.0", "dotnetcore2.1", "dotnetcore3.1", "dotnet6", "dotnet8", "dotnet10",
	"go1.x", "ruby2.5", "ruby2.7", "ruby3.2", "ruby3.3", "ruby3.4", "provided", "provided.al2", "provided.al2023",
}

// Names lists AWS's runtime names.
func Names() []string { return names }

// FamilyOf is the family of a runtime's name; ok is false for a name that AWS never had.
func FamilyOf(name string) (f Family, ok bool) {
	if !slices.Contains(names, name) {
		return "", false
	}
	for _, f := range []Family{Python, Node, Provided, Go, Java, Ruby, Dotnet} {
		if strings.HasPrefix(name, string(f)) {
			return f, true
		}
	}
	return "", false
}

// Supported says whether Newel can run a family, and if not, why.
func (f Family) Supported() error {
	switch f {
	case Java, Ruby, Dotnet:
		return fmt.Errorf("Newel has no runtime for %s yet: it runs python*, nodejs*, provided* and go1.x. "+
			"Build the function for provided.al2023 (a program named bootstrap that uses the Lambda Runtime API) to run it here", f)
	}
	return nil
}

// LegacyTimeout says whether a runtime answers a timeout without an error type, as those older than Amazon Linux 2 and
// their contemporaries do.
func LegacyTimeout(name string) bool {
	switch f, _ := FamilyOf(name); f {
	case Python:
		return name == "python2.7" || minorOf(name) < 9
	case Node:
		return majorOf(name) < 18
	case Go:
		return true
	}
	return name == "provided"
}

func majorOf(name string) int {
	v, _, _ := strings.Cut(strings.TrimPrefix(name, "nodejs"), ".")
	n, _ := strconv.Atoi(v)
	return n
}

func minorOf(name string) int {
	_, v, _ := strings.Cut(name, ".")
	n, _ := strconv.Atoi(v)
	return n
}
