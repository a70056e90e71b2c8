package jsonata

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var isoTime = regexp.MustCompile(`^\d{4}(-[01]\d)*(-[0-3]\d)*(T[0-2]\d:[0-5]\d:[0-5]\d)*(\.\d+)?([+-][0-2]\d:?[0-5]\d|Z)?$`)

func toMillis(e *evaluation, s string, args []any) any {
	if picture, ok := args[1].(string); ok {
		return e.parseTime(s, picture)
	}
	if !isoTime.MatchString(s) {
		e.fail("D3110", detail{"value": s})
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999", "2006-01-02", "2006-01", "2006"} {
		if at, err := time.Parse(layout, s); err == nil {
			return float64(at.UnixMilli())
		}
	}
	return math.NaN()
}

// reader reads the text of one component.
type reader struct {
	name  byte
	regex string
	parse func(s string) float64
}

func (e *evaluation) reader(c component) reader {
	r := reader{name: c.name}
	switch {
	case c.name == 0:
		r.regex = regexp.QuoteMeta(c.literal)
	case c.name == 'Z' || c.name == 'z':
		r.regex, r.parse = zoneReader(c)
	case c.name == 'f' && c.integer != nil && c.integer.numbering == decimalNumbers:
		r.regex, r.parse = "[0-9]+", func(s string) float64 { return e.parseInteger(s[:min(3, len(s))], c.integer) }
	case c.integer != nil:
		r.regex = e.integerRegex(c)
		r.parse = func(s string) float64 { return e.parseInteger(s, c.integer) }
	default:
		r.regex = "[a-zA-Z]+"
		names := e.componentNames(c)
		r.parse = func(s string) float64 {
			if n, ok := names[s]; ok {
				return float64(n)
			}
			return math.NaN()
		}
	}
	return r
}

func (e *evaluation) componentNames(c component) map[string]int {
	names := map[string]int{}
	add := func(name string, n int) {
		if c.max > 0 && len(name) > c.max {
			name = name[:c.max]
		}
		names[name] = n
	}
	switch c.name {
	case 'M', 'x':
		for m := time.January; m <= time.December; m++ {
			add(m.String(), int(m))
		}
	case 'F':
		for d := 1; d <= 7; d++ {
			add(time.Weekday(d%7).String(), d)
		}
	case 'P':
		names = map[string]int{"am": 0, "AM": 0, "pm": 1, "PM": 1}
	default:
		e.fail("D3133", detail{"value": string(rune(c.name))})
	}
	return names
}

func (e *evaluation) integerRegex(c component) string {
	p := c.integer
	switch p.numbering {
	case letterNumbers:
		return p.letters.pick("[a-z]+", "[A-Z]+")
	case romanNumbers:
		return p.letters.pick("[mdclxvi]+", "[MDCLXVI]+")
	case wordNumbers:
		return wordRegex
	case otherNumbers:
		e.fail("D3130", detail{"value": p.token})
	}
	regex := "[0-9]+"
	if w := p.mandatory + p.optional; strings.IndexByte("Hhms", c.name) >= 0 && w >= 2 {
		c.digits = w
	}
	if c.digits > 0 && c.digits <= 1000 {
		regex = "[0-9]{" + strconv.Itoa(max(0, c.digits-p.optional)) + "," + strconv.Itoa(c.digits) + "}"
	}
	if p.ordinal {
		regex += "(?:th|st|nd|rd)"
	}
	return regex
}

func (c letterCase) pick(lower, upper string) string {
	if c == upperCase {
		return upper
	}
	return lower
}

// zoneReader reads an offset in minutes.
func zoneReader(c component) (string, func(s string) float64) {
	regex, skip := "[-+][0-9]+", 0
	separator := ""
	if c.integer != nil && c.integer.every > 0 {
		separator = string(c.integer.separators[0].char)
		regex += regexp.QuoteMeta(separator) + "[0-9]+"
	}
	if c.name == 'z' {
		regex, skip = "GMT"+regex, 3
	}
	return regex, func(s string) float64 {
		s = s[skip:]
		hours, minutes := s, "0"
		if separator != "" {
			hours, minutes, _ = strings.Cut(s, separator)
		} else if len(s) > 3 {
			hours, minutes = s[:3], s[3:]
		}
		h, _ := strconv.Atoi(strings.TrimPrefix(hours, "+"))
		m, _ := strconv.Atoi(minutes)
		return float64(h*60 + m)
	}
}

// parseTime reads a time by a picture. What is more significant than the given components is taken from now, what is
// less significant is zero; a gap between them is an error.
func (e *evaluation) parseTime(s, picture string) any {
	var readers []reader
	regex := "(?i)^"
	for _, c := range e.timePicture(picture) {
		r := e.reader(c)
		readers = append(readers, r)
		regex += "(" + r.regex + ")"
	}
	e.spend(64 * len(regex))
	re, err := regexp.Compile(regex + "$")
	if err != nil {
		e.fail("D3136", nil)
	}
	m := re.FindStringSubmatch(s)
	if m == nil {
		return undefined
	}
	got := map[byte]float64{}
	for i, r := range readers {
		if r.parse != nil {
			got[r.name] = r.parse(m[i+1])
		}
	}
	if len(got) == 0 {
		return undefined
	}
	return e.assemble(got)
}

// calendar is a way to name a day: the components that belong to it, from the most significant on.
type calendar struct {
	members string
	order   string
	weeks   bool // of which the reference implementation has not how to make a date
}

var (
	calendars = []calendar{{"YMD", "YMD", false}, {"Yd", "Yd", false}, {"Xxw", "XxwF", true}, {"XW", "XWF", true}}
	clocks    = []calendar{{members: "Hmsf", order: "Hmsf"}, {members: "Phmsf", order: "Phmsf"}}
)

// choose takes the first of some calendars that has all the components of a family that there are. A component that is
// zero does not count. Where there are none, or too many, it is the first one.
func choose(from []calendar, family string, got map[byte]float64) calendar {
	var there []byte
	for _, name := range []byte(family) {
		if v := got[name]; v != 0 && !math.IsNaN(v) {
			there = append(there, name)
		}
	}
	for _, c := range from {
		if len(there) > 0 && strings.Trim(string(there), c.members) == "" {
			return c
		}
	}
	return from[0]
}

func (e *evaluation) assemble(got map[byte]float64) any {
	day := choose(calendars, "YXMxWwdD", got)
	clock := choose(clocks, "PHhmsf", got)
	e.complete(got, day.order+clock.order)
	if day.weeks {
		e.fail("D3136", nil)
	}
	month, date, hour := max(1, got['M']), got['D'], got['H']
	if day.order == "Yd" {
		month, date = 1, got['d']
	}
	if clock.order[0] == 'P' {
		hour = math.Mod(got['h'], 12) + 12*got['P']
	}
	return utcMillis(got['Y'], month, date, hour, got['m'], got['s'], got['f'], got['Z']+got['z'])
}

// complete adds the components that are missing: before the first one those of now, after the last one the least. None
// may be missing between them.
func (e *evaluation) complete(got map[byte]float64, order string) {
	given := func(i int) bool {
		v, ok := got[order[i]]
		return ok && !math.IsNaN(v)
	}
	first := 0
	for first < len(order) && !given(first) {
		got[order[first]] = float64(fragment(time.UnixMilli(e.env.Now).UTC(), order[first]))
		first++
	}
	end := first
	for end < len(order) && given(end) {
		end++
	}
	for i := end; i < len(order); i++ {
		if given(i) {
			e.fail("D3136", nil)
		}
		got[order[i]] = 0
		if strings.IndexByte("MDd", order[i]) >= 0 {
			got[order[i]] = 1
		}
	}
}

// utcMillis is a time of the proleptic calendar; components may be beyond their usual range.
func utcMillis(year, month, day, hour, minute, second, milli, zone float64) any {
	if math.Abs(year) > 275760 || math.Abs(day) > 1e8 || math.Abs(month) > 1e6 {
		return math.NaN()
	}
	if year >= 0 && year <= 99 {
		year += 1900 // as JavaScript's Date.UTC has it
	}
	days := float64(time.Date(int(year), time.Month(int(month)), int(day), 0, 0, 0, 0, time.UTC).UnixMilli())
	return days + hour*3.6e6 + (minute-zone)*6e4 + second*1e3 + milli
}
