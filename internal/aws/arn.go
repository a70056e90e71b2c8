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
