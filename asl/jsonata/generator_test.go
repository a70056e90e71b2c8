package jsonata_test

import "math/rand/v2"

// generator makes random expressions.
type generator struct{ *rand.Rand }

func (g *generator) pick(s ...string) string { return s[g.IntN(len(s))] }

func (g *generator) leaf() string {
	return g.pick("a", "b", "c", "d", "e", "f", "g", "h", "i", "$", "$$", "*", "**", "0", "1", "2.5", "-1", "'x'", "\"two\"", "true", "false", "null", "[]", "{}", "zz", "'12'")
}

func (g *generator) expression(depth int) string {
	if depth == 0 {
		return g.leaf()
	}
	x := func() string { return g.expression(depth - 1) }
	switch g.IntN(16) {
	case 0, 1:
		return g.pick("a", "b", "c", "d", "h", "*", "**", "$", "$$", "("+x()+")") + "." + x()
	case 2:
		return g.pick("c", "d", "d.a", "h", "("+x()+")") + "[" + x() + "]"
	case 3:
		return "(" + x() + " " + g.pick("+", "-", "*", "/", "%") + " " + x() + ")"
	case 4:
		return "(" + x() + " " + g.pick("=", "!=", "<", "<=", ">", ">=", "in", "and", "or", "&") + " " + x() + ")"
	case 5:
		return "[" + x() + ", " + x() + "]"
	case 6:
		return "{'k': " + x() + ", " + g.pick("'l'", "b", "('m' & a)") + ": " + x() + "}"
	case 7:
		return "(" + x() + " ? " + x() + " : " + x() + ")"
	case 8:
		return "($v := " + x() + "; [$v, " + x() + "])"
	case 9, 10:
		return g.pick("$sum", "$count", "$string", "$length", "$not", "$boolean", "$keys", "$spread", "$merge", "$reverse", "$distinct", "$max", "$average", "$number", "$type", "$exists",
			"$uppercase", "$floor", "$round", "$abs", "$sort", "$zip", "$trim", "$base64encode", "$sqrt") + "(" + x() + ")"
	case 11:
		return g.pick("$append", "$lookup", "$substring", "$join", "$split", "$contains", "$formatBase", "$pad", "$substringBefore", "$zip", "$formatNumber") + "(" + x() + ", " + x() + ")"
	case 12:
		return g.pick("$map", "$filter", "$each", "$sift", "$single") + "(" + x() + ", function($x, $y){" + g.pick("$x", "$y", "$x = 1", x()) + "})"
	case 13:
		return "(" + x() + ")" + g.pick("^(a)", "^(>$)", "[]", "#$j.[$j]", "@$w.{'w': $w}", "[0]", "[-1]", "[[0,1]]", ".%", ".**", ".*")
	case 14:
		return "(" + x() + " ~> " + g.pick("$string", "$count", "|$|{'n': 1}|", "|*|{}, 'a'|", "$map(function($q){$q})", "$sum") + ")"
	}
	return g.pick("c", "d.a", "**", "d", "d.*") + "." + g.pick("{'p': %.a}", "b.%.a", "a.%", "[%.%.a]", "a#$i.{'i': $i}", "$@$m.{'m': $m.a}")
}

// library makes calls of the functions that have languages of their own.
func (g *generator) library() string {
	n := g.pick("0", "1", "-1", "12", "19", "21", "100", "101", "111", "999", "1234", "12345.678", "-0.5", "0.005", "1e6", "1234567", "2.5", "1e-3", "1999")
	millis := g.pick("0", "1521801216617", "1104537600000", "1230768000000", "951782400000", "1709164800000", "-86400000", "1419984000000", "1483228799999")
	text := g.pick("'abracadabra'", "'one two  three'", "'aXbXc'", "''", "'éz é'", "'John Smith'", "'265USD'")
	regex := g.pick("/a/", "/(a)(b)?/", "/\\s+/", "/X/i", "/x/i", "/[a-c]+/", "/(\\d+)([A-Z]*)/", "/^./", "/.$/", "/(\\w+)\\s(\\w+)/", "/a|b/", "/[^a]/", "/\\W/", "/.z/")
	switch g.IntN(9) {
	case 0:
		return "$formatNumber(" + n + ", '" + g.pick("#,##0.00", "0", "00.000", "#.##", "#,###", "#0%", "0.00‰", "(0);[0]", "#,##,#0.0", "000,000.00", "a0b", "#", ".00", "##.##;-0", "#0,0") + "')"
	case 1:
		return "$formatInteger(" + n + ", '" + g.pick("0", "00", "#,##0", "A", "a", "I", "i", "w", "W", "Ww", "w;o", "Ww;o", "0;o", "000", "#", "0,00", "0,0,0", "##:00", "٠") + "')"
	case 2:
		p := g.pick("w", "Ww", "w;o", "A", "a", "I", "i", "0", "#,##0", "0;o")
		return "$parseInteger($formatInteger($abs($floor(" + n + ")), '" + p + "'), '" + p + "')"
	case 3:
		part := func() string {
			return g.pick("[Y]", "[Y,2]", "[Y0001]", "[Y,2-2]", "[M]", "[M01]", "[MNn]", "[MN,3-3]", "[Mn]", "[D]", "[D1o]", "[D01]", "[d]", "[d001]", "[F]", "[FNn]", "[FN,2-2]", "[F0]", "[W]", "[w]", "[X]", "[x]", "[xNn]", "[H]", "[H01]", "[h]", "[h#1]", "[P]", "[PN]",
				"[m]", "[s]", "[f]", "[f001]", "[Z]", "[Z0]", "[Z0101]", "[Z01:01t]", "[z]", "[Yw]", "[YI]", "[Da]", "[C]", "[E]", "[[", "]]", "[Q]", "[HNn]", "[Z00000]", "[Dwo]")
		}
		return "$fromMillis(" + millis + ", '" + part() + " " + part() + "-" + part() + "'" + g.pick("", ", '+0100'", ", '-0530'", ", '0000'", ", '+1245'") + ")"
	case 4:
		p := g.pick("[Y0001]-[M01]-[D01]", "[Y]-[M]-[D] [H]:[m]:[s]", "[D1o] [MNn] [Y]", "[FNn], [D] [MNn,3-3] [Y]", "[Y]-[d]", "[h]:[m][P] [D]/[M]/[Y]", "[YI] [MI] [D]", "[Yw], [MNn], [Dwo]", "[Y]-[M]-[D]T[H]:[m]:[s].[f001][Z]", "[Y] [H]", "[M]-[D] [Y]", "[X]-[W]", "[Y0001] [M01] [D01] [z]")
		return "$toMillis($fromMillis(" + millis + ", '" + p + "'), '" + p + "')"
	case 5:
		return "$match(" + text + ", " + regex + g.pick("", ", 1", ", 0", ", -1") + ")"
	case 6:
		return "$replace(" + text + ", " + g.pick(regex, "'a'", "' '") + ", " + g.pick("'-'", "'$0$1'", "'$2$$1'", "'$12'", "'$'", "function($m){$m.match & '!'}", "function($m){1}") + g.pick("", ", 1", ", 2") + ")"
	case 7:
		return "$split(" + text + ", " + g.pick(regex, "'a'", "''", "'  '") + g.pick("", ", 1", ", 2") + ")"
	}
	if g.IntN(8) == 0 {
		return "$base64encode(" + g.pick("'a'", "'one two'", "''", "'ab?'") + ")"
	}
	return g.pick("$encodeUrl", "$encodeUrlComponent", "$uppercase", "$length", "$trim", "$lowercase", "$decodeUrl") + "(" + g.pick(text, "'a b&c=d/?'", "'%41%2F'", "'B'") + ")"
}

// program makes a longer expression of the parts of the language that depend on one another: paths with predicates,
// bindings, parents, orders and groupings, functions of functions, transforms.
func (g *generator) program() string {
	switch g.IntN(6) {
	case 0:
		return "(" + g.definitions() + g.pathText(3) + ")"
	case 1:
		return g.pathText(4) + g.group()
	case 2:
		return "$ ~> |" + g.pathText(2) + "|" + g.object(1) + g.pick("", ", 'a'", ", ['a', 'b']") + "|"
	case 3:
		return g.chained()
	case 4:
		return "[" + g.pathText(3) + ", " + g.pathText(2) + "]" + g.pick("", ".$", "[0]", "[-1]", "^($string())")
	}
	return g.pathText(4)
}

func (g *generator) name() string { return g.pick("a", "b", "c", "d", "e", "f", "g", "h", "i", "zz") }

// pathText is a path with so many steps at most.
func (g *generator) pathText(steps int) string {
	text := g.pick("$", "$$", "a", "b", "c", "d", "h", "d.a", "(d.a)", "(c)", "(d; c)", "*", "**", "$v")
	for range g.IntN(steps) + 1 {
		text += g.follow() + "." + g.stepText()
	}
	return text + g.follow()
}

func (g *generator) stepText() string {
	switch g.IntN(12) {
	case 0:
		return "*"
	case 1:
		return "%"
	case 2:
		return "(" + g.pathText(1) + ")"
	case 3:
		return "[" + g.name() + ", " + g.pick("%.", "", "$.") + g.name() + "]"
	case 4:
		return g.object(1)
	case 5:
		return g.pick("$string()", "$count($)", "$type($)", "$keys($)", "$sum($[$type($) = 'number'])", "$exists(%)", "$v", "$i", "$reverse($)")
	}
	return g.name()
}

// follow is what may come after a step.
func (g *generator) follow() string {
	switch g.IntN(24) {
	case 0:
		return "[" + g.pick("0", "-1", "1", "[0, 1]", "[0..1]", "true", "a", "a = 4", "a > 1", "$ = 2", "b", "$type($) = 'object'", "%.a", "$i = 0", "$count($) > 0", "%.%.a") + "]"
	case 1:
		return "[]"
	case 2:
		return "#$i"
	case 3:
		return "@$v"
	case 4:
		return "^(" + g.pick("<", ">", "") + g.pick("a", "b", "$string($)", "$type($)", "%.a", "$i") + g.pick("", ", >$string($)", ", b") + ")"
	case 5:
		return "[" + g.pick("a", "$", "b") + g.pick(" = ", " != ", " in ") + g.pick("a", "%.a", "$v", "4", "[1, 7]", "$v.a") + "]"
	case 6:
		return g.pick("#$i[$i < 2]", "@$v[$v.a > 1]", "@$v#$i")
	}
	return ""
}

func (g *generator) group() string {
	return "{" + g.pick("$string(a)", "$type($)", "'all'", "b", "$string($)", "$string($i)") + ": " + g.pick("$", "a", "$count($)", "$sum(a)", "[$]", "$v", "$i", "$string($)", "%") + "}"
}

func (g *generator) object(depth int) string {
	v := g.pick("a", "b", "$", "%.a", "%", "$v", "$i", "$count($)", "c[0]", "1")
	if depth > 0 && g.IntN(4) == 0 {
		v = g.object(depth - 1)
	}
	return "{" + g.pick("'n'", "'a'", "'b'", "$string(b)") + ": " + v + "}"
}

// definitions bind variables and functions.
func (g *generator) definitions() string {
	return g.pick("$v := d.a; ", "$v := c; ", "$i := 0; ", "$v := $$.a; ", "$add := function($x, $y){$x + $y}; $v := $add(?, 1)(a); ",
		"$f := function($n){$n <= 0 ? [] : $append($f($n - 1), $n)}; $v := $f(3); ", "$k := λ($x)<x:b>{$x = 1}; $v := c[$k($)]; ", "$v := $map(c, $type) ~> $distinct(); ", "$two := $string ~> $length; $v := $two(123); ")
}

// chained is a pipeline of functions over a path.
func (g *generator) chained() string {
	text := g.pathText(2)
	for range g.IntN(3) + 1 {
		text += " ~> " + g.pick("$count()", "$string()", "$map(function($x){$x})", "$map(function($x, $n, $all){[$n, $count($all)]})", "$filter(function($x){$type($x) = 'number'})", "$sort(function($l, $r){$string($l) > $string($r)})",
			"$reverse()", "$distinct()", "$append(1)", "$zip([1, 2])", "$reduce(function($p, $q){$string($p) & $string($q)})", "$reduce(function($p, $q, $n){$n}, 0)", "$spread()", "$merge()", "$keys()", "$each(function($x, $k){$k})",
			"$sift(function($x, $k){$k = 'a'})", "$lookup('a')", "$type()", "$not()", "$exists()", "$join('-')", "$split('')", "($uppercase ~> $length)", "function($x){$x.a}", "$single(function($x){$x = 1})", "$map($string)", "$shuffle() ~> $count()", "$sum()", "$max()", "$boolean()",
			"|*|{'z': 1}|", "|**[a]|{}, 'b'|", "|d|{'e': a.b}, ['c']|")
	}
	return text
}
