package jsonata

import (
	"math"
	"regexp"
	"slices"
	"strings"
)

var (
	smallWords = strings.Fields("Zero One Two Three Four Five Six Seven Eight Nine Ten Eleven Twelve Thirteen Fourteen Fifteen Sixteen Seventeen Eighteen Nineteen")
	ordinals   = strings.Fields("Zeroth First Second Third Fourth Fifth Sixth Seventh Eighth Ninth Tenth Eleventh Twelfth Thirteenth Fourteenth Fifteenth Sixteenth Seventeenth Eighteenth Nineteenth")
	decades    = strings.Fields("Twenty Thirty Forty Fifty Sixty Seventy Eighty Ninety Hundred")
	magnitudes = strings.Fields("Thousand Million Billion Trillion")
	wordValues = valuesOfWords()
	wordRegex  = regexOfWords()
)

// toWords writes a number in English words.
func toWords(n float64, ordinal bool) string { return words(n, false, ordinal) }

// words writes a part of a number; follows says that a larger part stands before it.
func words(n float64, follows, ordinal bool) string {
	and, comma := "", ""
	if follows {
		and, comma = " and ", ", "
	}
	tail := func(rest float64) string {
		switch {
		case rest > 0:
			return words(rest, true, ordinal)
		case ordinal:
			return "th"
		}
		return ""
	}
	switch {
	case n < 20 && ordinal:
		return and + ordinals[int(n)]
	case n < 20:
		return and + smallWords[int(n)]
	case n < 100:
		text := and + decades[int(n)/10-2]
		if rest := math.Mod(n, 10); rest >= 1 {
			return text + "-" + words(rest, false, ordinal)
		}
		if ordinal {
			return text[:len(text)-1] + "ieth"
		}
		return text
	case n < 1000:
		return comma + smallWords[int(n)/100] + " Hundred" + tail(math.Mod(n, 100))
	}
	m := min(int(math.Log10(n)/3), len(magnitudes))
	factor := math.Pow(10, float64(3*m))
	for m > 1 && n < factor {
		m--
		factor /= 1000
	}
	count := math.Floor(n / factor)
	return comma + words(count, false, false) + " " + magnitudes[m-1] + tail(n-count*factor)
}

func valuesOfWords() map[string]float64 {
	values := map[string]float64{"hundredth": 100}
	for i := range smallWords {
		values[strings.ToLower(smallWords[i])] = float64(i)
		values[strings.ToLower(ordinals[i])] = float64(i)
	}
	for i, word := range decades {
		word = strings.ToLower(word)
		values[word] = float64(10 * (i + 2))
		values[word[:len(word)-1]+"ieth"] = values[word]
	}
	for i, word := range magnitudes {
		word = strings.ToLower(word)
		values[word] = math.Pow(1000, float64(i+1))
		values[word+"th"] = values[word]
	}
	return values
}

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

var betweenWords = regexp.MustCompile(`,\s|\sand\s|[\s\\-]`)

func fromWords(s string) float64 {
	segments := []float64{0}
	for _, word := range betweenWords.Split(s, -1) {
		v, ok := wordValues[word]
		last := &segments[len(segments)-1]
		switch {
		case !ok:
			*last *= math.NaN()
		case v >= 100:
			*last *= v
		case *last >= 1000:
			segments = append(segments, v)
		default:
			*last += v
		}
	}
	total := 0.0
	for _, s := range segments {
		total += s
	}
	return total
}
