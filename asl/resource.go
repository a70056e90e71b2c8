package asl

import (
	"slices"
	"strings"
)

// resource reads a Task's Resource.
func (c *compiler) resource(p place, t *TaskFields) {
	text, ok := p.text()
	if !ok {
		return
	}
	t.Resource = text
	if !strings.HasPrefix(text, "arn:") {
		p.fail("Value is not a valid resource ARN")
		return
	}
	i, ok := ParseResource(text)
	if !ok || !i.inAWS() {
		p.fail("%s", NotRecognized(text))
		return
	}
	t.Integration = i
	if c.o.Express && !c.inExpress(p, i) {
		return
	}
	if c.o.Resource == nil {
		return
	}
	if why := c.o.Resource(i, text); strings.HasPrefix(why, "The resource provided ") {
		p.fail("%s", why)
	} else if why != "" {
		p.fail("%s", NotRecognized(text)+" "+why)
	}
}

// inExpress reports what Express machines cannot wait for.
func (c *compiler) inExpress(p place, i Integration) bool {
	switch {
	case i.Kind == Activity:
		p.fail("Express state machine does not support Activity ARN")
	case i.Pattern == Sync || i.Pattern == Sync2:
		p.fail("Express state machine does not support '.sync' service integration")
	case i.Pattern == WaitForTaskToken:
		p.fail("Express state machine does not support '.waitForTaskToken' service integration ")
	default:
		return true
	}
	return false
}

// ParseResource takes the ARN of a Task's Resource apart; ok is false if it is none of the known forms:
//
//	arn:P:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]
//	arn:P:states:REGION:ACCOUNT:activity:NAME
//	arn:P:states:[REGION]:[ACCOUNT]:SERVICE:ACTION[.sync|.sync:2|.waitForTaskToken]
//	arn:P:states:[REGION]:[ACCOUNT]:aws-sdk:SERVICE:ACTION[.waitForTaskToken]
func ParseResource(resource string) (i Integration, ok bool) {
	parts := strings.SplitN(resource, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" || parts[1] != "aws" && !strings.HasPrefix(parts[1], "aws-") {
		return i, false
	}
	switch tail := strings.Split(parts[5], ":"); {
	case parts[2] == "lambda":
		if parts[3] == "" || parts[4] == "" || tail[0] != "function" || len(tail) < 2 || len(tail) > 3 || slices.Contains(tail, "") {
			return i, false
		}
		return Integration{Kind: LambdaARN, Service: "lambda", Action: "invoke", Pattern: RequestResponse}, true
	case parts[2] != "states":
		return i, false
	case tail[0] == "activity":
		if parts[3] == "" || parts[4] == "" || len(tail) != 2 || tail[1] == "" {
			return i, false
		}
		return Integration{Kind: Activity, Pattern: WaitForTaskToken}, true
	case tail[0] == "aws-sdk":
		if len(tail) != 3 {
			return i, false
		}
		return serviceIntegration(tail[1], tail[2], true)
	default:
		service, action, _ := strings.Cut(parts[5], ":")
		return serviceIntegration(service, action, false)
	}
}

func serviceIntegration(service, name string, sdk bool) (Integration, bool) {
	i := Integration{Kind: Service, SDK: sdk, Service: service, Pattern: RequestResponse, ResourceType: service, ResourceName: name}
	if sdk {
		i.ResourceType = "aws-sdk:" + service
	}
	action, suffix, waits := strings.Cut(name, ".")
	i.Action = action
	switch {
	case waits && suffix == "sync" && !sdk:
		i.Pattern = Sync
	case waits && suffix == "sync:2" && !sdk:
		i.Pattern = Sync2
	case waits && suffix == "waitForTaskToken":
		i.Pattern = WaitForTaskToken
	case waits:
		return i, false
	}
	return i, isWord(service) && isWord(action)
}

func isWord(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return s != ""
}
