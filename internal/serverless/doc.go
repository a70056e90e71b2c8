// Package serverless makes a CloudFormation template of a serverless.yml (frameworkVersion 2 and 3, provider aws), with
// the plugin serverless-step-functions.
//
// It is pure: files and environment come through Input. Load reads the file, resolves its variables (variables.go) and
// says which packages of code are needed; Template then makes the template, given where each package lies and its hash,
// on which the ids of Lambda versions depend. Logical ids, names, defaults and outputs are those of the framework and
// of the plugin, so that Ref and Fn::GetAtt in resources, and the tools that read the stack's outputs, find what they
// look for.
//
// What is not supported (property, event, plugin, variable source) is an error with file and line. Plugins that change
// nothing that is deployed are let pass (plugins.go); of the others only serverless-step-functions is known.
package serverless
