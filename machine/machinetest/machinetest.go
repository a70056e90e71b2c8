// Package machinetest makes random state machines and answers their tasks, for simulations. A definition comes from a
// random source alone, and what a task answers is a function of what it is asked, so that an execution's outcome can be
// compared between worlds.
//
// A calm definition's failures are all handled where they happen, so that its outcome does not depend on the order in which
// things happen. A wild one has failures that end Parallels and Maps, timeouts and missed heartbeats. Only tests import it.
package machinetest

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/newel-run/newel/asl/value"
)

// Generator makes random definitions. Every task's input says how often it was tried.
type Generator struct {
	Random *rand.Rand
	Wild   bool
	// Resources are the tasks' resources; nil: Resources().
	Resources []string
	// Depth is how deep Parallels and Maps may lie in each other, 0 for 3.
	Depth int

	states int
}

// Resources are those of a function in both notations, of a callback and of an activity.
func Resources() []string {
	return []string{
		"arn:aws:states:::lambda:invoke", "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
		"arn:aws:states:us-east-1:000000000000:activity:a", "arn:aws:lambda:us-east-1:000000000000:function:f",
	}
}

// Input is an input for a generated definition.
func (g *Generator) Input() string {
	return fmt.Sprintf(`{"n":%d,"a":[1,2,3,4],"s":"%s"}`, g.Random.IntN(10), strings.Repeat("x", g.Random.IntN(1500)))
}

// Machine is a definition.
func (g *Generator) Machine() string {
	timeout := ""
	if g.Wild && g.Random.IntN(4) == 0 {
		timeout = `"TimeoutSeconds":20,`
	}
	if g.Depth == 0 {
		g.Depth = 3
	}
	return "{" + timeout + g.scope(g.Depth) + "}"
}

// scope is the inside of a States block's owner: a chain of states, some behind a Choice.
func (g *Generator) scope(depth int) string {
	n := 1 + g.Random.IntN(4)
	names := make([]string, n)
	for i := range names {
		g.states++
		names[i] = fmt.Sprint("S", g.states)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `"StartAt":%q,"States":{`, names[0])
	for i, name := range names {
		next := `"End":true`
		if i+1 < n {
			next = fmt.Sprintf(`"Next":%q`, names[i+1])
		}
		if i > 0 {
			b.WriteString(",\n")
		}
		fmt.Fprintf(&b, `%q:{%s}`, name, g.state(depth, next, names[n-1], i == n-1))
	}
	b.WriteString("}")
	return b.String()
}

func (g *Generator) state(depth int, next, last string, end bool) string {
	k := g.Random.IntN(14)
	if depth == 0 && k >= 8 && k < 11 {
		k -= 3
	}
	switch k {
	case 0, 1:
		return `"Type":"Pass","ResultPath":"$.p","Parameters":{"u.$":"States.UUID()"},` + next
	case 2:
		return fmt.Sprintf(`"Type":"Wait","Seconds":%d,%s`, g.Random.IntN(5), next)
	case 3:
		if !end {
			target := strings.TrimPrefix(next, `"Next":`)
			return fmt.Sprintf(`"Type":"Choice","Choices":[{"Variable":"$.n","NumericLessThan":5,"Next":%q}],"Default":%s`, last, target)
		}
		return `"Type":"Succeed"`
	case 4, 5, 6, 7:
		if g.Wild && end && g.Random.IntN(6) == 0 {
			return `"Type":"Fail","Error":"E1"`
		}
		return g.task(depth, next, last, end)
	case 8:
		var branches []string
		for range 1 + g.Random.IntN(3) {
			branches = append(branches, "{"+g.scope(depth-1)+"}")
		}
		return `"Type":"Parallel","ResultPath":"$.r",` + g.handlers(false, last, end) + `"Branches":[` + strings.Join(branches, ",\n") + "]," + next
	case 11, 12, 13:
		return g.variables(depth, next)
	default:
		return fmt.Sprintf(`"Type":"Map","ItemsPath":"$.a","MaxConcurrency":%d,"ResultPath":"$.r","ItemSelector":{"n.$":"$$.Map.Item.Value","a.$":"$.a","s.$":"$.s"},%s"ItemProcessor":{%s},%s`,
			g.Random.IntN(4), g.handlers(false, last, end), g.scope(depth-1), next)
	}
}

// variables sets the variable of the scope's depth and reads those of this scope and the ones around it, in JSONata.
func (g *Generator) variables(depth int, next string) string {
	of := depth + g.Random.IntN(g.Depth+1-depth)
	return fmt.Sprintf(`"Type":"Pass","QueryLanguage":"JSONata","Assign":{"d%d":"{%% {'n':$states.input.n,'was':$exists($d%d.n) ? $d%d.n : 'none','s':$states.input.s} %%}"},`+
		`"Output":"{%% $merge([$states.input,{'v%d':$exists($d%d) ? $d%d : 'none'}]) %%}",%s`, depth, depth, depth, of, of, of, next)
}

func (g *Generator) task(depth int, next, last string, end bool) string {
	timers := ""
	resources := g.Resources
	if resources == nil {
		resources = Resources()
	}
	r := resources[g.Random.IntN(len(resources))]
	if g.Wild && g.Random.IntN(3) == 0 {
		timers = `"TimeoutSeconds":7,`
		if strings.Contains(r, "Token") {
			timers += `"HeartbeatSeconds":3,`
		}
	}
	if g.Random.IntN(3) == 0 {
		timers += fmt.Sprintf(`"Assign":{"t%d.$":"$","n%d.$":"$$.State.Name"},`, depth, depth)
	}
	return fmt.Sprintf(`"Type":"Task","Resource":%q,%s"ResultPath":"$.t%d","Parameters":{"try.$":"$$.State.RetryCount","state.$":"$$.State.Name","n.$":"$.n"},%s%s`,
		r, timers, g.Random.IntN(2), g.handlers(true, last, end), next)
}

// handlers are what a calm definition always has where failures happen, and a wild one now and then.
func (g *Generator) handlers(task bool, last string, end bool) string {
	if !task && !g.Wild {
		return ""
	}
	catch := ""
	if g.Wild && !end && g.Random.IntN(2) == 0 {
		catch = fmt.Sprintf(`"Catch":[{"ErrorEquals":["States.ALL"],"ResultPath":"$.e","Next":%q}],`, last)
	}
	if g.Wild && g.Random.IntN(2) == 0 {
		return catch
	}
	return catch + fmt.Sprintf(`"Retry":[{"ErrorEquals":["E1"],"MaxAttempts":3,"BackoffRate":1.5},{"ErrorEquals":["States.ALL"],"MaxAttempts":%d,"JitterStrategy":"FULL","IntervalSeconds":2}],`,
		2+g.Random.IntN(2))
}

// Answer is what the world says to a task.
type Answer struct {
	Failed bool
	Error  string // of a failure
	Output string // of a success
	// Sum is a number that the request alone decides.
	Sum uint64
}

// AnswerTo is a function of a task's arguments: the first tries of some tasks fail, in a wild world of more of them and more
// often than their retriers allow.
func AnswerTo(arguments *value.Doc, wild bool) Answer {
	args := arguments.Value().(*value.Object)
	state, _ := args.Get("state")
	n, _ := args.Get("n")
	try, _ := args.Get("try")
	h := fnv.New64a()
	fmt.Fprint(h, state, n)
	a := Answer{Sum: h.Sum64() >> 7}
	tries, _ := strconv.Atoi(string(try.(value.Number)))
	fails := int(a.Sum % 3) // 0, 1 or 2 failures first
	if wild {
		fails = int(a.Sum % 6)
	}
	if tries < fails {
		a.Failed, a.Error = true, fmt.Sprint("E", (a.Sum>>8+uint64(tries))%3)
	} else {
		a.Output = fmt.Sprintf(`{"v":%d,"s":"%s"}`, a.Sum%1000, strings.Repeat("y", int(a.Sum%5)*400))
	}
	return a
}
