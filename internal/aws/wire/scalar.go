package wire

import (
	"fmt"
	"math/big"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/rawjson"
)

// Timestamp formats as the models name them.
const (
	unixTimestamp = "unixTimestamp"
	iso8601       = "iso8601"
	rfc822        = "rfc822"
)

// timestampFormat is the format of a timestamp member: its own, else its shape's, else the protocol's for the place.
func timestampFormat(m *aws.Member, place string) string {
	switch {
	case m.TimestampFormat != "":
		return m.TimestampFormat
	case m.Shape.TimestampFormat != "":
		return m.Shape.TimestampFormat
	}
	return place
}

// FormatTime writes a canonical timestamp (epoch seconds, possibly with a fraction) as ISO-8601 in UTC with as many
// milliseconds as it has.
func FormatTime(epoch []byte) (string, error) { return formatTime(epoch, iso8601) }

func formatTime(epoch []byte, format string) (string, error) {
	if rawjson.KindOf(epoch) == rawjson.String {
		return rawjson.Unquote(epoch), nil
	}
	if format == unixTimestamp {
		return string(epoch), nil
	}
	t, err := parseEpoch(string(epoch))
	if err != nil {
		return "", err
	}
	if format == rfc822 {
		return t.Format(http.TimeFormat), nil
	}
	if t.Nanosecond()/1e6 == 0 {
		return t.Format("2006-01-02T15:04:05Z"), nil
	}
	return t.Format("2006-01-02T15:04:05.000Z"), nil
}

func parseEpoch(s string) (time.Time, error) {
	if len(s) > 40 {
		return time.Time{}, fmt.Errorf("%q is not a timestamp", rawjson.Shorten([]byte(s)))
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok || strings.ContainsAny(s, "/_xX") || exponent(s) > 20 {
		return time.Time{}, fmt.Errorf("%q is not a timestamp", s)
	}
	ms := new(big.Int).Quo(r.Mul(r, big.NewRat(1000, 1)).Num(), r.Denom())
	if !ms.IsInt64() || ms.CmpAbs(big.NewInt(maxMillis)) > 0 {
		return time.Time{}, fmt.Errorf("%q is not a timestamp", s)
	}
	return time.UnixMilli(ms.Int64()).UTC(), nil
}

const maxMillis = 253402300799999 // the end of the year 9999

func exponent(s string) int {
	_, e, ok := strings.Cut(strings.ToLower(s), "e")
	if !ok {
		return 0
	}
	n, err := strconv.Atoi(e)
	if err != nil {
		return 1 << 20
	}
	return max(n, -n)
}

var timeLayouts = []string{time.RFC3339Nano, http.TimeFormat, time.RFC1123Z, "2006-01-02T15:04:05", "2006-01-02", "20060102T150405Z"}

// AppendMillis appends a canonical timestamp as whole milliseconds since the epoch.
func AppendMillis(dst, epoch []byte) ([]byte, error) {
	t, err := parseEpoch(string(epoch))
	if err != nil {
		return dst, err
	}
	return strconv.AppendInt(dst, t.UnixMilli(), 10), nil
}

// AppendTime appends the canonical form of a timestamp in any of AWS's formats.
func AppendTime(dst []byte, s string) ([]byte, error) { return appendTime(dst, s) }

func appendTime(dst []byte, s string) ([]byte, error) {
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return appendEpoch(dst, t), nil
		}
	}
	if _, err := parseEpoch(s); err == nil {
		return append(dst, canonicalNumber(s)...), nil
	}
	return dst, fmt.Errorf("%q is not a timestamp", s)
}

func appendEpoch(dst []byte, t time.Time) []byte {
	ms := t.UnixMilli()
	if ms%1000 == 0 {
		return strconv.AppendInt(dst, ms/1000, 10)
	}
	return strconv.AppendFloat(dst, float64(ms)/1000, 'f', -1, 64)
}

// canonicalNumber makes a number of a text that big.Rat accepted into a JSON literal.
func canonicalNumber(s string) string {
	if isNumber(s) {
		return s
	}
	r, _ := new(big.Rat).SetString(s)
	return strings.TrimRight(strings.TrimRight(r.FloatString(3), "0"), ".")
}

// appendScalar appends the canonical form of a scalar that a protocol carries as text (query, header, XML).
func appendScalar(dst []byte, m *aws.Member, s string) ([]byte, error) {
	switch m.Shape.Type {
	case "boolean":
		switch strings.ToLower(s) {
		case "true", "1":
			return append(dst, "true"...), nil
		case "false", "0":
			return append(dst, "false"...), nil
		}
		return dst, fmt.Errorf("%q is not a boolean", s)
	case "integer", "long", "short", "byte", "bigInteger", "biginteger":
		s = strings.TrimPrefix(strings.TrimSpace(s), "+")
		if !isNumber(s) || strings.ContainsAny(s, ".eE") {
			return dst, fmt.Errorf("%q is not an integer", s)
		}
		return append(dst, s...), nil
	case "float", "double", "bigDecimal", "bigdecimal":
		s = strings.TrimSpace(s)
		switch s {
		case "NaN", "Infinity", "-Infinity":
			return rawjson.AppendString(dst, s), nil
		}
		if !isNumber(s) {
			return dst, fmt.Errorf("%q is not a number", s)
		}
		return append(dst, s...), nil
	case "timestamp":
		return appendTime(dst, strings.TrimSpace(s))
	case "structure", "list", "map":
		return dst, fmt.Errorf("%q is not a %s", s, m.Shape.Type)
	}
	return rawjson.AppendString(dst, s), nil
}

// isNumber reports whether s is a JSON number literal.
func isNumber(s string) bool {
	digits := func() bool {
		n := 0
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		s = s[n:]
		return n > 0
	}
	s = strings.TrimPrefix(s, "-")
	if strings.HasPrefix(s, "0") && len(s) > 1 && s[1] >= '0' && s[1] <= '9' {
		return false
	}
	if !digits() {
		return false
	}
	if strings.HasPrefix(s, ".") {
		s = s[1:]
		if !digits() {
			return false
		}
	}
	if s != "" && (s[0] == 'e' || s[0] == 'E') {
		s = s[1:]
		if s != "" && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
		if !digits() {
			return false
		}
	}
	return s == ""
}

// scalarText is a canonical scalar as the text that a protocol carries.
func scalarText(m *aws.Member, raw []byte, place string) (string, error) {
	switch m.Shape.Type {
	case "timestamp":
		return formatTime(raw, timestampFormat(m, place))
	case "structure", "list", "map":
		return "", fmt.Errorf("%s: a %s cannot be written as text", m.Name, m.Shape.Type)
	}
	if k := rawjson.KindOf(raw); k == rawjson.Array || k == rawjson.Object {
		return "", fmt.Errorf("%s: a %s is needed, not %s", m.Name, m.Shape.Type, rawjson.Shorten(raw))
	}
	return rawjson.Text(raw), nil
}
