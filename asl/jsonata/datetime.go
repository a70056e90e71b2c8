package jsonata

import (
	"math"
	"strings"
	"time"
)

var pictureFunctions = map[string]builtin{
	"formatNumber": {3, "<n-so?:s>", onNumber(formatNumber)},
	"formatInteger": {2, "<n-s:s>", onNumber(func(e *evaluation, n float64, args []any) any {
		picture, _ := args[1].(string)
		e.spend(8 * len(picture))
		return e.formatInteger(math.Floor(n), e.integerPicture(picture))
	})},
	"parseInteger": {2, "<s-s:n>", onText(func(e *evaluation, s string, args []any) any {
		picture, _ := args[1].(string)
		return e.parseInteger(s, e.integerPicture(picture))
	})},
	"fromMillis": {3, "<x-s?s?:s>", fromMillis},
	"toMillis":   {2, "<s-s?:n>", onText(toMillis)},
}

// fromMillis gives nothing for what is no number, as AWS has it.
func fromMillis(e *evaluation, args []any) any {
	if n, ok := isNumber(args[0]); ok {
		return e.formatTime(n, args[1], args[2])
	}
	return undefined
}

// component is a literal or a variable of a date/time picture (XPath F&O 9.8.4).
type component struct {
	literal string
	name    byte // Y M D d F W w X x H h P m s f Z z C E, 0 for a literal
	second  byte // second presentation modifier: a t c o
	names   byte // u, l or t when a name is wanted, in that case
	integer *integerPicture
	max     int // widest text, 0 without a bound
	digits  int // of Y, M and D: how many are shown, 0 without a bound
}

var defaultPresentation = map[byte]string{'Y': "1", 'M': "1", 'D': "1", 'd': "1", 'F': "n", 'W': "1", 'w': "1", 'X': "1", 'x': "1", 'H': "1", 'h': "1",
	'P': "n", 'm': "01", 's': "01", 'f': "1", 'Z': "01:01", 'z': "01:01", 'C': "n", 'E': "n"}

const isoPicture = "[Y0001]-[M01]-[D01]T[H01]:[m01]:[s01].[f001][Z01:01t]"

func (e *evaluation) timePicture(picture string) []component {
	e.spend(16 * len(picture))
	var parts []component
	for picture != "" {
		literal, rest, found := strings.Cut(picture, "[")
		if literal != "" {
			parts = append(parts, component{literal: strings.ReplaceAll(literal, "]]", "]")})
		}
		if !found {
			break
		}
		if strings.HasPrefix(rest, "[") {
			parts = append(parts, component{literal: "["})
			picture = rest[1:]
			continue
		}
		marker, after, closed := strings.Cut(rest, "]")
		if !closed {
			e.fail("D3135", nil)
		}
		parts = append(parts, e.component(strings.Join(strings.Fields(marker), "")))
		picture = after
	}
	return parts
}

func (e *evaluation) component(marker string) component {
	var c component
	if marker != "" {
		c.name = marker[0]
		marker = marker[1:]
	}
	least := 0
	presentation := marker
	if i := strings.LastIndexByte(marker, ','); i >= 0 {
		presentation = marker[:i]
		low, high, _ := strings.Cut(marker[i+1:], "-")
		least, c.max = width(low), width(high)
	}
	if n := len(presentation); n > 1 && strings.IndexByte("atco", presentation[n-1]) >= 0 {
		c.second = presentation[n-1]
		presentation = presentation[:n-1]
	}
	if presentation == "" {
		presentation = defaultPresentation[c.name]
	}
	if presentation == "" || defaultPresentation[c.name] == "" {
		e.fail("D3132", detail{"value": string(rune(c.name))})
	}
	switch {
	case presentation[0] == 'n':
		c.names = 'l'
	case strings.HasPrefix(presentation, "Nn"):
		c.names = 't'
	case presentation[0] == 'N':
		c.names = 'u'
	case strings.IndexByte("YMDdFWwXxHhmsf", c.name) >= 0:
		if c.second != 0 {
			presentation += ";" + string(rune(c.second))
		}
		c.integer = e.integerPicture(presentation)
		c.integer.mandatory = max(c.integer.mandatory, least)
		if strings.IndexByte("YMD", c.name) >= 0 {
			if c.max > 0 {
				c.digits = c.max
				c.integer.mandatory = c.max
			} else if w := c.integer.mandatory + c.integer.optional; w >= 2 {
				c.digits = w
			}
		}
	}
	if c.name == 'Z' || c.name == 'z' {
		c.integer = e.integerPicture(presentation)
	}
	return c
}

// width is a bound of a width modifier; 0 stands for none.
func width(s string) int {
	n, _ := leadingInt(s, 4)
	return n
}

// maxMillis is the range of JavaScript's dates.
const maxMillis = 8.64e15

func (e *evaluation) formatTime(millis float64, picture, timezone any) any {
	hours, minutes := 0, 0
	if zone, ok := timezone.(string); ok {
		sign := 1
		digits := strings.TrimPrefix(zone, "+")
		if strings.HasPrefix(zone, "-") {
			sign, digits = -1, zone[1:]
		}
		n, _ := leadingInt(digits, 6)
		offset := sign * n
		hours, minutes = int(math.Floor(float64(offset)/100)), offset%100
	}
	text, ok := picture.(string)
	if !ok {
		text = isoPicture
	}
	local := millis + float64((60*hours+minutes)*60*1000)
	if !(math.Abs(local) <= maxMillis) {
		e.fail(own, detail{"message": "The time is out of range"})
	}
	at := time.UnixMilli(int64(local)).UTC()
	var b strings.Builder
	for _, c := range e.timePicture(text) {
		if c.name == 0 {
			b.WriteString(c.literal)
		} else {
			b.WriteString(e.formatComponent(c, at, hours, minutes))
		}
	}
	return b.String()
}

func (e *evaluation) formatComponent(c component, at time.Time, hours, minutes int) string {
	switch c.name {
	case 'Z', 'z':
		return e.formatZone(c, hours, minutes)
	case 'C', 'E':
		return "ISO"
	case 'P':
		text := at.Format("pm")
		if c.names == 'u' {
			text = at.Format("PM")
		}
		return text
	}
	n := fragment(at, c.name)
	if c.name == 'Y' && c.digits > 0 && c.names == 0 {
		n = int(math.Mod(float64(n), math.Pow10(c.digits)))
	}
	if c.names == 0 {
		return e.formatInteger(float64(n), c.integer)
	}
	text := ""
	switch c.name {
	case 'M', 'x':
		text = time.Month(n).String()
	case 'F':
		text = time.Weekday(n % 7).String()
	default:
		e.fail("D3133", detail{"value": string(rune(c.name))})
	}
	switch c.names {
	case 'u':
		text = strings.ToUpper(text)
	case 'l':
		text = strings.ToLower(text)
	}
	if c.max > 0 && len(text) > c.max {
		text = text[:c.max]
	}
	return text
}

func (e *evaluation) formatZone(c component, hours, minutes int) string {
	if c.integer == nil {
		e.fail("D3134", nil)
	}
	offset := hours*100 + minutes
	text := ""
	switch n := c.integer.mandatory; {
	case c.integer.every > 0, n == 3, n == 4:
		text = e.formatInteger(float64(offset), c.integer)
	case n == 1, n == 2:
		text = e.formatInteger(float64(hours), c.integer)
		if minutes != 0 {
			text += ":" + e.formatInteger(float64(minutes), e.integerPicture("00"))
		}
	default:
		e.fail("D3134", detail{"value": float64(n)})
	}
	if offset >= 0 {
		text = "+" + text
	}
	if c.name == 'z' {
		text = "GMT" + text
	}
	if offset == 0 && c.second == 't' {
		text = "Z"
	}
	return text
}

// fragment is the number that a component of a time is.
func fragment(at time.Time, name byte) int {
	switch name {
	case 'Y':
		return at.Year()
	case 'M':
		return int(at.Month())
	case 'D':
		return at.Day()
	case 'd':
		return at.YearDay()
	case 'F':
		return (int(at.Weekday())+6)%7 + 1
	case 'W':
		_, week := at.ISOWeek()
		return week
	case 'X':
		year, _ := at.ISOWeek()
		return year
	case 'w':
		return (thursday(at).Day()-1)/7 + 1
	case 'x':
		return int(thursday(at).Month())
	case 'H':
		return at.Hour()
	case 'h':
		return (at.Hour()+11)%12 + 1
	case 'm':
		return at.Minute()
	case 's':
		return at.Second()
	case 'f':
		return at.Nanosecond() / 1e6
	}
	return 0
}

// thursday is the Thursday of a day's week: a week belongs to the month that its Thursday is in.
func thursday(at time.Time) time.Time { return at.AddDate(0, 0, 4-fragment(at, 'F')) }
