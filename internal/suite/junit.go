package suite

import (
	"encoding/xml"
	"fmt"
	"strings"
	"time"
)

// Run is a suite that was run.
type Run struct {
	Suite   *Suite
	Results []*Result
}

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Time     string      `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	File    string        `xml:"file,attr"`
	Line    int           `xml:"line,attr,omitempty"`
	Time    string        `xml:"time,attr"`
	Failure *junitFailure `xml:"failure"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

// JUnit writes the results in the XML format that continuous integration reads.
func JUnit(runs []*Run) ([]byte, error) {
	var all junitSuites
	var total time.Duration
	for _, r := range runs {
		s := junitSuite{Name: r.Suite.File, Tests: len(r.Results)}
		var took time.Duration
		for _, x := range r.Results {
			c := junitCase{Name: x.Case.Name, Class: r.Suite.Machine, File: r.Suite.File, Line: x.Case.Line, Time: seconds(x.Real)}
			if len(x.Wrong) > 0 {
				s.Failures++
				c.Failure = &junitFailure{Message: x.Wrong[0], Type: "assertion", Text: strings.Join(x.Wrong, "\n")}
			}
			took += x.Real
			s.Cases = append(s.Cases, c)
		}
		s.Time = seconds(took)
		total += took
		all.Tests, all.Failures, all.Suites = all.Tests+s.Tests, all.Failures+s.Failures, append(all.Suites, s)
	}
	all.Time = seconds(total)
	b, err := xml.MarshalIndent(all, "", "  ")
	return append([]byte(xml.Header), append(b, '\n')...), err
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
