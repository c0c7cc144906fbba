package random

import (
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/spanlake/spanlake/schema"
)

// Metrics returns a metrics query.
func Metrics(rng *rand.Rand) string {
	switch rng.IntN(6) {
	case 0:
		by := grouping(rng)
		text := "(" + series(rng, by) + ") " + pick(rng, []string{"+", "-", "*", "/"}) + " (" + series(rng, pick(rng, []string{by, by, ""})) + ")"
		if oneIn(rng, 3) {
			return "(" + text + ")" + secondStages(rng)
		}
		return text
	case 1:
		number := pick(rng, []string{"2", "0.5", "100", "0"})
		if oneIn(rng, 2) {
			return number + pick(rng, []string{" + ", " * ", " / "}) + "(" + series(rng, grouping(rng)) + ")"
		}
		return "(" + series(rng, grouping(rng)) + ")" + pick(rng, []string{" + ", " - ", " * ", " / "}) + number
	}
	return series(rng, grouping(rng)) + secondStages(rng)
}

// series is a query of one function.
func series(rng *rand.Rand, by string) string {
	text := pipeline(rng, 1+rng.IntN(2), 1) + " | "
	field := pick(rng, []string{"duration", "duration", "traceDuration", "event:timeSinceStart", "span.n", "span.f", ".both.n", "span.nums", "span.s"})
	switch rng.IntN(9) {
	case 0, 1:
		return text + "rate()" + by
	case 2, 3:
		return text + "count_over_time()" + by
	case 4:
		return text + "quantile_over_time(" + field + ", " + pick(rng, []string{".5", ".9, .99", "0, 1"}) + ")" + by
	case 5:
		return text + "histogram_over_time(" + field + ")" + by
	default:
		return text + pick(rng, []string{"min", "max", "avg", "sum"}) + "_over_time(" + field + ")" + by
	}
}

func grouping(rng *rand.Rand) string {
	if oneIn(rng, 2) {
		return ""
	}
	var fields []string
	for range 1 + rng.IntN(3) {
		fields = append(fields, pick(rng, []string{
			"name", "kind", "status", "resource.service.name", "span.s", ".both", "span.n", "span.ok", "span.absent", "span." + schema.UsageCounted, "span:childCount", "rootName", "span.tags",
		}))
	}
	return " by (" + strings.Join(fields, ", ") + ")"
}

func secondStages(rng *rand.Rand) (text string) {
	for oneIn(rng, 3) {
		switch rng.IntN(3) {
		case 0:
			text += " | topk(" + strconv.Itoa(1+rng.IntN(3)) + ")"
		case 1:
			text += " | bottomk(" + strconv.Itoa(1+rng.IntN(3)) + ")"
		default:
			text += comparer(rng) + pick(rng, []string{"0", "1", "0.1", "1s", "2"})
		}
	}
	return text
}

// Compare returns a query of compare().
func Compare(rng *rand.Rand) string {
	text := pipeline(rng, 1, 1) + " | compare(" + filter(rng)
	if oneIn(rng, 2) {
		text += ", " + strconv.Itoa(1+rng.IntN(3))
		if oneIn(rng, 2) {
			text += ", " + strconv.FormatUint(Origin, 10) + ", " + strconv.FormatUint(Origin+Extent/4, 10)
		}
	}
	return text + ")"
}
