package aws

import (
	"regexp"
	"testing"
)

// IsRegion and IsAccount say what regular expressions would.
func TestForms(t *testing.T) {
	region, account := regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+){1,3}-[0-9]{1,2}$`), regexp.MustCompile(`^[0-9]{12}$`)
	for _, s := range []string{"", "us-east-1", "us-gov-west-1", "ap-southeast-12", "a-b-1", "abcde-f-1", "us-1", "us-east", "us--1", "us-east-", "us-east-123", "us-east-1-", "-us-east-1",
		"us-a-b-c-1", "us-a-b-c-d-1", "us-east-1a", "US-east-1", "us-ea5t-1", "123456789012", "12345678901", "1234567890123", "12345678901x", "us-east-1\n", "us", "1", "us-2-1"} {
		if IsRegion(s) != region.MatchString(s) {
			t.Errorf("IsRegion(%q) is %v", s, IsRegion(s))
		}
		if IsAccount(s) != account.MatchString(s) {
			t.Errorf("IsAccount(%q) is %v", s, IsAccount(s))
		}
	}
}
