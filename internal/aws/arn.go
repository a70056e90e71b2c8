package aws

import (
	"bytes"
	"io"
	"strings"
)

func bytesReader(b []byte) io.Reader { return bytes.NewReader(b) }

// ARN is a parsed Amazon Resource Name, arn:Partition:Service:Region:Account:Resource.
type ARN struct {
	Partition, Service, Region, Account, Resource string
}

// ParseARN splits an ARN; ok is false if s has not the six parts of one.
func ParseARN(s string) (a ARN, ok bool) {
	rest, isARN := strings.CutPrefix(s, "arn:")
	for _, part := range []*string{&a.Partition, &a.Service, &a.Region, &a.Account} {
		if *part, rest, ok = strings.Cut(rest, ":"); !ok {
			return ARN{}, false
		}
	}
	if !isARN {
		return ARN{}, false
	}
	a.Resource = rest
	return a, true
}

func (a ARN) String() string {
	part := a.Partition
	if part == "" {
		part = PartitionOf(a.Region)
	}
	return "arn:" + part + ":" + a.Service + ":" + a.Region + ":" + a.Account + ":" + a.Resource
}

// PartitionOf is the AWS partition that a region belongs to.
func PartitionOf(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// IsAccount reports whether a text is an account's number: twelve digits.
func IsAccount(s string) bool {
	return len(s) == 12 && allOf(s, digit)
}

// IsRegion reports whether a text has the form of a region's name: us-east-1, us-gov-west-1.
func IsRegion(s string) bool {
	parts := 0
	for rest, more := s, true; more; parts++ {
		var part string
		part, rest, more = strings.Cut(rest, "-")
		switch {
		case parts > 4:
			return false
		case !more && parts >= 2:
			if len(part) < 1 || len(part) > 2 || !allOf(part, digit) {
				return false
			}
		case part == "" || parts == 0 && (len(part) < 2 || len(part) > 4) || !allOf(part, lower):
			return false
		}
	}
	return parts >= 3
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func lower(c byte) bool { return c >= 'a' && c <= 'z' }

func allOf(s string, is func(byte) bool) bool {
	for i := range len(s) {
		if !is(s[i]) {
			return false
		}
	}
	return true
}
