package schedule

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// cron holds which minutes, hours, months and years a time may have as sets of bits, and which days as rules, of which
// one must hold.
type cron struct {
	minutes, hours, months set
	years                  []int // ascending
	days                   []dayRule
}

// set is a set of numbers below 64.
type set uint64

func (s set) has(n int) bool { return s>>n&1 == 1 }

// dayRule says whether a day of a month fires.
type dayRule func(year int, month time.Month, day int) bool

var (
	monthNames = []string{"", "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}
	dayNames   = []string{"", "SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}
)

const firstYear, lastYear = 1970, 2199

func parseCron(text string) (*cron, error) {
	f := strings.Fields(text)
	if len(f) != 6 || (f[2] == "?") == (f[4] == "?") {
		return nil, ErrInvalid // exactly one of the two kinds of day is left open
	}
	c := &cron{}
	var err error
	if c.minutes, err = parseSet(f[0], 0, 59, nil); err != nil {
		return nil, err
	}
	if c.hours, err = parseSet(f[1], 0, 23, nil); err != nil {
		return nil, err
	}
	if c.months, err = parseSet(f[3], 1, 12, monthNames); err != nil {
		return nil, err
	}
	if f[2] != "?" {
		err = c.daysOfMonth(f[2])
	} else {
		err = c.daysOfWeek(f[4])
	}
	if err != nil {
		return nil, err
	}
	err = eachNumber(f[5], firstYear, lastYear, nil, func(n int) {
		c.years = append(c.years, n)
	})
	slices.Sort(c.years)
	return c, err
}

func parseSet(field string, low, high int, names []string) (s set, err error) {
	err = eachNumber(field, low, high, names, func(n int) { s |= 1 << n })
	return s, err
}

// eachNumber calls fn with the numbers of a field: "*", "5", "MON-FRI", "1,3", "0/15", "10-30/5".
func eachNumber(field string, low, high int, names []string, fn func(int)) error {
	for part := range strings.SplitSeq(field, ",") {
		span, stepText, stepped := strings.Cut(part, "/")
		from, to, step := low, high, 1
		var err error
		if span != "*" {
			first, last, ranged := strings.Cut(span, "-")
			if from, err = number(first, low, high, names); err != nil {
				return err
			}
			switch {
			case ranged:
				if to, err = number(last, low, high, names); err != nil {
					return err
				}
			case !stepped:
				to = from
			}
		}
		if stepped {
			if step, err = strconv.Atoi(stepText); err != nil || step < 1 {
				return ErrInvalid
			}
		}
		if from > to { // over the end: FRI-MON
			for n := from; n <= high; n += step {
				fn(n)
			}
			from = low
		}
		for n := from; n <= to; n += step {
			fn(n)
		}
	}
	return nil
}

func number(text string, low, high int, names []string) (int, error) {
	for n, name := range names {
		if name != "" && strings.EqualFold(name, text) {
			return n, nil
		}
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		return 0, ErrInvalid
	}
	return n, nil
}

func lastDay(year int, month time.Month) int {
	return time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// weekday is a day's number, 1 for Sunday.
func weekday(year int, month time.Month, day int) int {
	return int(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Weekday()) + 1
}

// daysOfMonth adds "L" (the last day), "15W" (the working day nearest to it) and numbers.
func (c *cron) daysOfMonth(field string) error {
	for part := range strings.SplitSeq(field, ",") {
		if part == "L" {
			c.days = append(c.days, func(y int, m time.Month, d int) bool { return d == lastDay(y, m) })
			continue
		}
		if text, ok := strings.CutSuffix(part, "W"); ok {
			n, err := number(text, 1, 31, nil)
			if err != nil {
				return err
			}
			c.days = append(c.days, func(y int, m time.Month, d int) bool { return n <= lastDay(y, m) && d == workday(y, m, n) })
			continue
		}
		s, err := parseSet(part, 1, 31, nil)
		if err != nil {
			return err
		}
		c.days = append(c.days, func(_ int, _ time.Month, d int) bool { return s.has(d) })
	}
	return nil
}

// workday is the day from Monday to Friday that is nearest to a day, in the same month.
func workday(y int, m time.Month, day int) int {
	switch weekday(y, m, day) {
	case 7:
		if day == 1 {
			return 3
		}
		return day - 1
	case 1:
		if day == lastDay(y, m) {
			return day - 2
		}
		return day + 1
	}
	return day
}

// daysOfWeek adds "L" (Saturday), "6L" (the last Friday), "3#2" (the second Tuesday) and numbers.
func (c *cron) daysOfWeek(field string) error {
	for part := range strings.SplitSeq(field, ",") {
		if name, nth, ok := strings.Cut(part, "#"); ok {
			n, err := number(name, 1, 7, dayNames)
			if err != nil {
				return err
			}
			k, err := number(nth, 1, 5, nil)
			if err != nil {
				return err
			}
			c.days = append(c.days, func(y int, m time.Month, d int) bool { return weekday(y, m, d) == n && (d+6)/7 == k })
			continue
		}
		if name, ok := strings.CutSuffix(part, "L"); ok && name != "" {
			n, err := number(name, 1, 7, dayNames)
			if err != nil {
				return err
			}
			c.days = append(c.days, func(y int, m time.Month, d int) bool { return weekday(y, m, d) == n && d+7 > lastDay(y, m) })
			continue
		}
		if part == "L" {
			part = "7"
		}
		s, err := parseSet(part, 1, 7, dayNames)
		if err != nil {
			return err
		}
		c.days = append(c.days, func(y int, m time.Month, d int) bool { return s.has(weekday(y, m, d)) })
	}
	return nil
}

func (c *cron) fires(year int, month time.Month, day int) bool {
	for _, rule := range c.days {
		if rule(year, month, day) {
			return true
		}
	}
	return false
}

func (c *cron) next(t time.Time) (time.Time, bool) {
	t = t.Truncate(time.Minute).Add(time.Minute)
	for _, year := range c.years {
		if year < t.Year() {
			continue
		}
		month := time.January
		if year == t.Year() {
			month = t.Month()
		}
		for ; month <= time.December; month++ {
			if !c.months.has(int(month)) {
				continue
			}
			first := time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
			for day := 1; day <= lastDay(year, month); day++ {
				if date := first.AddDate(0, 0, day-1); date.AddDate(0, 0, 1).After(t) && c.fires(year, month, day) {
					if at, ok := c.within(date, t); ok {
						return at, true
					}
				}
			}
		}
	}
	return time.Time{}, false
}

// within is the first time of a day that is not before t.
func (c *cron) within(date, t time.Time) (time.Time, bool) {
	for hour := range 24 {
		if !c.hours.has(hour) {
			continue
		}
		for minute := range 60 {
			if at := date.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute); c.minutes.has(minute) && !at.Before(t) {
				return at, true
			}
		}
	}
	return time.Time{}, false
}
