package main

import "strings"

// sdkName is a service's name in an aws-sdk integration, which is its module's name in the SDK for Java 2: the service
// id in lower case without blanks and hyphens, without a leading "amazon" or "aws" and without a trailing "service". No
// service is known to deviate.
func sdkName(id string) string {
	s := strings.ToLower(strings.NewReplacer(" ", "", "-", "", "_", "").Replace(id))
	for _, lead := range []string{"amazon", "aws"} {
		s = strings.TrimPrefix(s, lead)
	}
	return strings.TrimSuffix(s, "service")
}

func signingName(m metadata) string {
	if m.SigningName != "" {
		return m.SigningName
	}
	return m.EndpointPrefix
}

// assignKeys gives every service the name by which Newel calls it: the name that it is signed under, if it is the only
// one or the one that gave the name; else its endpoint prefix under the same conditions; else its aws-sdk name.
func assignKeys(sources []*source) {
	signing, endpoint, taken := map[string]int{}, map[string]int{}, map[string]bool{}
	for _, s := range sources {
		s.SDK = sdkName(s.Model.Metadata.ServiceID)
		signing[signingName(s.Model.Metadata)]++
		endpoint[s.Model.Metadata.EndpointPrefix]++
	}
	claim := func(s *source, name string, users int) {
		owner := users == 1 || s.SDK == strings.ReplaceAll(name, "-", "") || s.Folder == name
		if s.Key == "" && owner && !taken[name] && !strings.Contains(name, ".") {
			s.Key, taken[name] = name, true
		}
	}
	for _, s := range sources {
		n := signingName(s.Model.Metadata)
		claim(s, n, signing[n])
	}
	for _, s := range sources {
		n := s.Model.Metadata.EndpointPrefix
		claim(s, n, endpoint[n])
	}
	for _, s := range sources {
		claim(s, s.SDK, 1)
		if s.Key == "" {
			panic("no free key for " + s.Folder)
		}
	}
}
