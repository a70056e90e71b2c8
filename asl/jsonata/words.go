package jsonata

import (
	"math"
	"slices"
	"strings"
)

var (
	units = strings.Fields("Zero One Two Three Four Five Six Seven Eight Nine Ten Eleven Twelve Thirteen Fourteen Fifteen Sixteen Seventeen Eighteen Nineteen")
	tens  = strings.Fields("Zero Ten Twenty Thirty Forty Fifty Sixty Seventy Eighty Ninety")

	// irregularOrdinals are the words that do not just get a th.
	irregularOrdinals = map[string]string{"One": "First", "Two": "Second", "Three": "Third", "Five": "Fifth", "Eight": "Eighth", "Nine": "Ninth", "Twelve": "Twelfth"}

	// magnitudes are counted from the largest on; what is beyond the trillions are many trillions.
	magnitudes = []magnitude{{1e12, "Trillion"}, {1e9, "Billion"}, {1e6, "Million"}, {1e3, "Thousand"}, {100, "Hundred"}}

	wordValues = valuesOfWords()
	wordRegex  = regexOfWords()
)

type magnitude struct {
	value float64
	name  string
}

// toWords writes a whole number in English words.
func toWords(n float64, ordinal bool) string {
	var b strings.Builder
	for _, m := range magnitudes {
		if n < m.value {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		count := math.Floor(n / m.value)
		n -= count * m.value
		b.WriteString(toWords(count, false) + " " + m.name)
	}
	if small := int(n); small > 0 || b.Len() == 0 {
		if b.Len() > 0 {
			b.WriteString(" and ")
		}
		b.WriteString(belowHundred(small))
	}
	if ordinal {
		return toOrdinal(b.String())
	}
	return b.String()
}

func belowHundred(n int) string {
	switch {
	case n < 20:
		return units[n]
	case n%10 == 0:
		return tens[n/10]
	}
	return tens[n/10] + "-" + units[n%10]
}

// toOrdinal makes the last word of a number an ordinal.
func toOrdinal(text string) string {
	i := strings.LastIndexAny(text, " -") + 1
	word := text[i:]
	if irregular, ok := irregularOrdinals[word]; ok {
		return text[:i] + irregular
	}
	if stem, ok := strings.CutSuffix(word, "y"); ok {
		return text[:i] + stem + "ieth"
	}
	return text + "th"
}

// valuesOfWords are the values of all words, cardinal and ordinal, in small letters.
func valuesOfWords() map[string]float64 {
	values := map[string]float64{}
	add := func(word string, value float64) {
		values[strings.ToLower(word)] = value
		values[strings.ToLower(toOrdinal(word))] = value
	}
	for i, word := range units {
		add(word, float64(i))
	}
	for i, word := range tens[2:] {
		add(word, float64(10*(i+2)))
	}
	for _, m := range magnitudes {
		add(m.name, m.value)
	}
	return values
}

// regexOfWords matches a number in words; longer words come first, so that they are not taken for shorter ones.
func regexOfWords() string {
	all := []string{"and", `[\-, ]`}
	for word := range wordValues {
		all = append(all, word)
	}
	slices.SortFunc(all, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return "(?:" + strings.Join(all, "|") + ")+"
}

// fromWords reads a number in small English words; a word that is none gives NaN.
func fromWords(text string) float64 {
	words := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '-' || r == ',' })
	total, part := 0.0, 0.0
	for _, word := range words {
		v, ok := wordValues[word]
		switch {
		case word == "and":
		case !ok:
			return math.NaN()
		case v < 100:
			part += v
		case v == 100:
			part *= v
		case v == 1e12: // trillions of all that has come before
			total, part = (total+part)*v, 0
		default:
			total, part = total+part*v, 0
		}
	}
	if len(words) == 0 {
		return math.NaN()
	}
	return total + part
}
