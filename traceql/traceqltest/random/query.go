package random

import (
	"encoding/hex"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/spanlake/spanlake/schema"
)

// Filter returns a query of one span filter.
func Filter(rng *rand.Rand) string { return filter(rng) }

// Search returns a query of a pipeline.
func Search(rng *rand.Rand) string {
	text := pipeline(rng, 1+rng.IntN(3), 2)
	if oneIn(rng, 8) {
		text += " with(order_by=" + strconv.Quote(selected(rng)+pick(rng, []string{"", " asc", " desc"})) + ")"
	}
	return text
}

func filter(rng *rand.Rand) string {
	switch rng.IntN(8) {
	case 0, 1:
		return "{ }"
	case 2:
		return "{ " + pick(rng, []string{
			"nestedSetParent < 0", "false", `name = "a"`, `name != "x"`, "kind != server", "span.mixed != nil", "duration > 1us",
		}) + " }"
	}
	return "{ " + condition(rng, rng.IntN(4)) + " }"
}

// condition is a boolean expression.
func condition(rng *rand.Rand, depth int) string {
	if oneIn(rng, 6) {
		return chain(rng)
	}
	if depth > 0 && !oneIn(rng, 3) {
		a, b := condition(rng, depth-1), condition(rng, depth-1)
		switch rng.IntN(7) {
		case 0:
			return "(" + a + " && " + b + ")"
		case 1, 2, 3:
			return "(" + a + " || " + b + ")"
		case 4:
			return "!(" + a + ")"
		case 5:
			return a + pick(rng, []string{" && ", " || "}) + b
		default:
			return "(" + a + ")" + pick(rng, []string{" = ", " != "}) + pick(rng, []string{"true", "false", "(" + b + ")", field(rng, boolKeys())})
		}
	}
	return comparison(rng)
}

// chain compares one field several times, which engines like to do at once.
func chain(rng *rand.Rand) string {
	one := anyField(rng)
	if oneIn(rng, 4) {
		one = pick(rng, []string{"name", "resource.service.name", "duration", "kind", "statusMessage", "event:name"})
	}
	op := pick(rng, []string{" && ", " || "})
	var links []string
	for range 2 + rng.IntN(3) {
		var link string
		switch {
		case one == "duration":
			link = one + comparer(rng) + pick(rng, []string{"1s", "1ms", "0s", "1000", "5e9", "2us"})
		case one == "kind":
			link = one + pick(rng, []string{" = ", " != "}) + pick(rng, []string{"server", "client", "internal", "consumer"})
		case oneIn(rng, 4):
			link = one + pick(rng, []string{" =~ ", " !~ "}) + `"` + pick(rng, patterns()) + `"`
		case strings.ContainsAny(one, ".") && oneIn(rng, 2):
			link = one + comparer(rng) + literalNumber(rng)
		case strings.ContainsAny(one, ".") && oneIn(rng, 6):
			link = one + pick(rng, []string{" = nil", " != nil", " = true"})
		default:
			link = one + pick(rng, []string{" = ", " != ", " != ", " > ", " <= "}) + strconv.Quote(pick(rng, texts()))
		}
		if oneIn(rng, 8) {
			link = "!(" + link + ")"
		}
		links = append(links, link)
	}
	return "(" + strings.Join(links, op) + ")"
}

func comparison(rng *rand.Rand) string {
	switch rng.IntN(16) {
	case 0, 1:
		return field(rng, stringKeys()) + pick(rng, []string{" = ", " != ", " < ", " >= "}) + literal(rng)
	case 2, 3:
		return texted(rng) + pick(rng, []string{" = ", " != ", " != ", " < ", " >= "}) + literalText(rng)
	case 4:
		return texted(rng) + pick(rng, []string{" =~ ", " !~ "}) + `"` + pick(rng, patterns()) + `"`
	case 5, 6, 7:
		return numbered(rng, 1) + comparer(rng) + literalNumber(rng)
	case 8:
		return literalNumber(rng) + comparer(rng) + numbered(rng, 1)
	case 9:
		return numbered(rng, 1) + comparer(rng) + numbered(rng, 1)
	case 10:
		return anyField(rng) + pick(rng, []string{" = nil", " != nil"})
	case 11:
		return "status" + pick(rng, []string{" = ", " != "}) + pick(rng, []string{"ok", "error", "unset"})
	case 12:
		return "kind" + pick(rng, []string{" = ", " != "}) + pick(rng, []string{"server", "client", "internal", "unspecified"})
	case 13:
		if oneIn(rng, 2) {
			return pick(rng, []string{"span.", "."}) + schema.UsageCounted + pick(rng, []string{"", "", " = true", " != true", " = false", " = nil", " != nil"})
		}
		return field(rng, boolKeys()) + pick(rng, []string{" = true", " != true", " = false", ""})
	case 14:
		return identified(rng)
	default:
		return anyField(rng) + pick(rng, []string{" = ", " != ", " > "}) + anyField(rng)
	}
}

func comparer(rng *rand.Rand) string {
	return pick(rng, []string{" = ", " != ", " < ", " <= ", " > ", " >= "})
}

// scopes are of attributes; those of spans are the most common.
func field(rng *rand.Rand, keys []string) string {
	scope := pick(rng, []string{"span.", "span.", ".", ".", "resource.", "event.", "link.", "instrumentation."})
	return quoted(scope, pick(rng, keys))
}

func quoted(scope, key string) string {
	if strings.ContainsRune(key, ' ') {
		return scope + strconv.Quote(key)
	}
	return scope + key
}

// anyField is any attribute.
func anyField(rng *rand.Rand) string {
	return field(rng, pick(rng, [][]string{stringKeys(), numberKeys(), boolKeys(), listKeys(), {"absent"}}))
}

// texted is an expression that may be a string.
func texted(rng *rand.Rand) string {
	switch rng.IntN(10) {
	case 0:
		return "resource.service.name"
	case 1:
		return pick(rng, []string{"name", "statusMessage", "rootName", "rootServiceName", "event:name", "instrumentation:name", "instrumentation:version"})
	case 2:
		return field(rng, listKeys())
	case 3:
		return pick(rng, []string{".service.name", "name"})
	}
	return field(rng, stringKeys())
}

func literalText(rng *rand.Rand) string {
	switch rng.IntN(12) {
	case 0:
		return `"\xff\xfe\x80!!"`
	case 1:
		return strconv.Quote(pick(rng, services()))
	}
	return strconv.Quote(pick(rng, texts()))
}

// literal is of any type that attributes have.
func literal(rng *rand.Rand) string {
	switch rng.IntN(4) {
	case 0:
		return literalNumber(rng)
	case 1:
		return pick(rng, []string{"true", "false"})
	}
	return literalText(rng)
}

// numbered is an expression that may be a number.
func numbered(rng *rand.Rand, depth int) string {
	if depth > 0 && oneIn(rng, 4) {
		a, b := numbered(rng, depth-1), numbered(rng, depth-1)
		if oneIn(rng, 2) {
			b = literalNumber(rng)
		}
		if oneIn(rng, 6) {
			return "-" + a
		}
		return "(" + a + pick(rng, []string{" + ", " - ", " * ", " / ", " % ", " ^ "}) + b + ")"
	}
	switch rng.IntN(12) {
	case 0, 1:
		return "duration"
	case 2:
		return "traceDuration"
	case 3:
		return "span:childCount"
	case 4:
		return pick(rng, []string{"nestedSetLeft", "nestedSetRight", "nestedSetParent"})
	case 5:
		return "event:timeSinceStart"
	case 6:
		return field(rng, listKeys())
	}
	return field(rng, numberKeys())
}

func literalNumber(rng *rand.Rand) string {
	switch rng.IntN(8) {
	case 0:
		return pick(rng, []string{"1s", "5s", "0s", "1ns", "1ms", "1024ms", "2us"})
	case 1, 2:
		f := strconv.FormatFloat(pick(rng, floats()), 'f', -1, 64)
		if !strings.Contains(f, ".") {
			f += ".0"
		}
		return f
	case 3:
		return pick(rng, []string{"minInt", "maxInt", "9007199254740993"})
	}
	return strconv.FormatInt(pick(rng, ints()), 10)
}

// identified compares ids.
func identified(rng *rand.Rand) string {
	op := pick(rng, []string{" = ", " != ", " = ", " > "})
	id := hex.EncodeToString(spanID(1 + rng.IntN(5)))
	switch rng.IntN(4) {
	case 0:
		id = strings.ToUpper(id)
	case 1:
		id = strings.TrimLeft(id, "0")
	case 2:
		id = pick(rng, []string{"", "0", "xyz", id})
	}
	switch rng.IntN(6) {
	case 0:
		return pick(rng, []string{"trace:id", "link:traceID"}) + op + pick(rng, []string{`"1"`, `"03"`, `""`, `"000000000000000000000000000000000002"`})
	case 1:
		return "link:spanID" + op + strconv.Quote(id)
	case 2:
		return "span:id" + pick(rng, []string{" =~ ", " !~ "}) + pick(rng, []string{`"0.*"`, `"a.*3"`, `".*[12]"`})
	case 3:
		return "span:parentID" + op + strconv.Quote(id)
	}
	return "span:id" + op + strconv.Quote(id)
}
