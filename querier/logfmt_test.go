package querier_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/querier"
)

func TestParseTags(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       []engine.Tag
	}{
		{"nothing", " ", nil},
		{"one", "a=b", []engine.Tag{{Key: "a", Value: "b"}}},
		{"two", "  a=b\tservice.name=shop ", []engine.Tag{{Key: "a", Value: "b"}, {Key: "service.name", Value: "shop"}}},
		{"quotes", `a="b c" d="\"é\""`, []engine.Tag{{Key: "a", Value: "b c"}, {Key: "d", Value: `"é"`}}},
		{"an empty value", `a= b="" c=`, []engine.Tag{{Key: "a"}, {Key: "b"}, {Key: "c"}}},
		{"= in a value", `url=http://x?a=b`, []engine.Tag{{Key: "url", Value: "http://x?a=b"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tags, err := querier.ParseTags(tc.text)
			require.NoError(t, err)
			require.Equal(t, tc.want, tags)
		})
	}
	for _, tc := range []struct{ name, text, want string }{
		{"no value", "a", `"a" has no value`},
		{"no value among others", "a b=c", `"a" has no value`},
		{"no key", "=b", `"" is no key`},
		{"a quoted key", `"a"=b`, "is no key"},
		{"twice", "a=1 b=2 a=1", `"a" stands twice`},
		{"an open quote", `a="b`, "does not end"},
		{"a bad escape", `a="\q"`, "unknown escape"},
		{"a quote inside", `a=b"c`, "has quotes inside"},
		{"no space", `a="b"c=d`, "want a space"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := querier.ParseTags(tc.text)
			require.ErrorContains(t, err, tc.want)
		})
	}
}

// What was read can be written down again.
func FuzzParseTags(f *testing.F) {
	for _, seed := range []string{"", "a=b", `a="b c" d="\"é\""`, "a= b=", "=x", `a="`, "a=1 a=2", "a=\"\\xff\"", "k=v\u00a0l=w"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tags, err := querier.ParseTags(text)
		if err != nil {
			return
		}
		var again []string
		for _, tag := range tags {
			again = append(again, tag.Key+"="+strconv.Quote(tag.Value))
		}
		got, err := querier.ParseTags(strings.Join(again, " "))
		require.NoError(t, err, text)
		require.Equal(t, tags, got)
	})
}
