package traceql_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/traceql"
)

func TestFields(t *testing.T) {
	for _, tt := range []struct{ query, want string }{
		{"{ }", ""},
		{"{ .a = 1 && !(name = span.b) || -duration < 1s }", ".a name span.b duration"},
		{"{ .a } >> ({ .b } && { .a })", ".a .b .a"},
		{"({ .a } | { .b }) && ({ .c } | count() > 1)", ".a .b .c"},
		{"{ .a } | by(.b + .c) | avg(.d) > 1 | select(name, .e) | coalesce()", ".a .b .c .d name .e"},
		{"{ .a } | quantile_over_time(duration, .5) by (.b, kind) | topk(3)", ".a duration .b kind"},
		{"{ .a } | compare({ .b })", ".a .b"},
		{"({ .a } | rate()) / ({ .b } | rate() by (.c)) > 2", ".a .b .c"},
		{`{ .a } with(order_by="duration")`, ".a"},
	} {
		q, err := traceql.Parse(tt.query)
		require.NoError(t, err, tt.query)
		var names []string
		for f := range q.Fields() {
			names = append(names, f.String())
		}
		require.Equal(t, tt.want, strings.Join(names, " "), tt.query)
	}
}

func TestFieldsStops(t *testing.T) {
	q, err := traceql.Parse("{ .a + .b = .c } | by(.d) | rate() by (.e)")
	require.NoError(t, err)
	for stop := range 5 {
		seen := 0
		for range q.Fields() {
			if seen++; seen > stop {
				break
			}
		}
		require.Equal(t, stop+1, seen)
	}
}
