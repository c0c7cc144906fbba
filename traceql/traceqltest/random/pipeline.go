package random

import (
	"math/rand/v2"
	"strconv"
	"strings"
)

// pipeline is a chain of stages. depth bounds pipelines within pipelines.
func pipeline(rng *rand.Rand, stages, depth int) string {
	if depth > 1 && oneIn(rng, 8) {
		return operands(rng, depth-1)
	}
	list := []string{spansets(rng, depth)}
	if oneIn(rng, 20) {
		list[0] = scalarFilter(rng)
	}
	for range stages - 1 {
		list = append(list, stage(rng))
	}
	return strings.Join(list, " | ")
}

func stage(rng *rand.Rand) string {
	switch rng.IntN(8) {
	case 0, 1:
		return filter(rng)
	case 2, 3:
		return scalarFilter(rng)
	case 4:
		return "by(" + pick(rng, []string{anyField(rng), numbered(rng, 1), "kind", "status", "name", "resource.service.name", condition(rng, 0)}) + ")"
	case 5:
		return "select(" + selected(rng) + ", " + selected(rng) + ")"
	case 6:
		return "coalesce()"
	default:
		return spansets(rng, 1)
	}
}

// selected is a field.
func selected(rng *rand.Rand) string {
	if oneIn(rng, 3) {
		return pick(rng, []string{
			"name", "status", "kind", "duration", "statusMessage", "span:childCount", "event:name", "rootName",
			"nestedSetLeft", "nestedSetParent", "span:parentID", "instrumentation:name", "resource.service.name",
		})
	}
	return anyField(rng)
}

func scalarFilter(rng *rand.Rand) string {
	if oneIn(rng, 2) {
		return "count()" + comparer(rng) + strconv.Itoa(rng.IntN(5))
	}
	over := pick(rng, []string{"span.n", "span.f", ".both.n", ".n", "resource.n", "duration", "span.mixed"})
	if oneIn(rng, 3) {
		over = numbered(rng, 1)
	}
	return pick(rng, []string{"min", "max", "sum", "avg"}) + "(" + over + ")" + pick(rng, []string{comparer(rng), " != "}) + literalNumber(rng)
}

// spansets is an expression of span filters, each operation in parentheses of
// its own, so that it is read as it was made.
func spansets(rng *rand.Rand, depth int) string {
	if depth == 0 || oneIn(rng, 3) {
		return filter(rng)
	}
	op := operator(rng)
	a, b := filter(rng), filter(rng)
	if oneIn(rng, 3) {
		a = "(" + spansets(rng, depth-1) + ")"
	}
	if oneIn(rng, 3) {
		b = "(" + spansets(rng, depth-1) + ")"
	}
	return a + " " + op + " " + b
}

func operator(rng *rand.Rand) string {
	return pick(rng, []string{
		"&&", "||", ">", ">>", "<", "<<", "~", "!>", "!>>", "!<", "!<<", "!~", "&>", "&>>", "&<", "&<<", "&~",
	})
}

// operands is an operation on pipelines, which nothing may follow.
func operands(rng *rand.Rand, depth int) string {
	one := func() string {
		if depth > 0 && oneIn(rng, 4) {
			return "(" + operands(rng, depth-1) + ")"
		}
		text := pipeline(rng, 2, 0)
		if strings.Contains(text, "by(") {
			text += " | coalesce()"
		}
		return "(" + text + ")"
	}
	return one() + " " + operator(rng) + " " + one()
}
