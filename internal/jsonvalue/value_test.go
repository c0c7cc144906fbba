package jsonvalue_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/jsonvalue"
	"github.com/spanlake/spanlake/schema"
)

func TestNanos(t *testing.T) {
	at := func(s string) uint64 {
		parsed, err := time.Parse(time.RFC3339Nano, s)
		require.NoError(t, err)
		return uint64(parsed.UnixNano()) //nolint:gosec // after 1970
	}
	for _, test := range []struct {
		name, sent string
		want       uint64
	}{
		{"with microseconds", `"2026-11-21T07:11:47.010001Z"`, at("2026-11-21T07:11:47.010001Z")},
		{"with an offset", `"2026-11-21T07:11:47.01+02:00"`, at("2026-11-21T05:11:47.01Z")},
		{"without an offset", `"2026-11-21T07:11:47.010001"`, at("2026-11-21T07:11:47.010001Z")},
		{"with a blank", `"2026-11-21 07:11:47.5"`, at("2026-11-21T07:11:47.5Z")},
		{"quoted twice", `"\"2026-11-21T07:11:47.010Z\""`, at("2026-11-21T07:11:47.01Z")},
		{"milliseconds", `1795245107244`, at("2026-11-21T07:11:47.244Z")},
		{"milliseconds with a fraction", `1795245107244.5`, at("2026-11-21T07:11:47.2445Z")},
		{"milliseconds in a string", `"1795245107244"`, at("2026-11-21T07:11:47.244Z")},
		{"the last that fits", `"2261-12-31T23:59:59Z"`, at("2261-12-31T23:59:59Z")},
		{"too late", `"2262-01-01T00:00:00Z"`, 0},
		{"too early", `"1969-12-31T23:59:59Z"`, 0},
		{"too many milliseconds", `1e300`, 0},
		{"negative", `-5`, 0},
		{"null", `null`, 0},
		{"nothing", ``, 0},
		{"an object", `{}`, 0},
		{"true", `true`, 0},
		{"half quoted", `"\"2026"`, 0},
		{"not a number", `"NaN"`, 0},
		{"words", `"yesterday"`, 0},
	} {
		t.Run(test.name, func(t *testing.T) { require.Equal(t, test.want, jsonvalue.Nanos(jsonvalue.Value(test.sent))) })
	}
}

func TestNumbers(t *testing.T) {
	for _, test := range []struct {
		sent   string
		number float64
		isNum  bool
		count  int64
		isCnt  bool
	}{
		{`42`, 42, true, 42, true},
		{`42.0`, 42, true, 42, true},
		{`"42"`, 42, true, 42, true},
		{`4.5`, 4.5, true, 0, false},
		{`-1`, -1, true, 0, false},
		{`9007199254740991`, 9007199254740991, true, 9007199254740991, true},
		{`9007199254740992`, 9007199254740992, true, 0, false},
		{`"NaN"`, 0, false, 0, false},
		{`"Infinity"`, 0, false, 0, false},
		{`1e999`, 0, false, 0, false},
		{`null`, 0, false, 0, false},
		{``, 0, false, 0, false},
		{`{}`, 0, false, 0, false},
		{`true`, 0, false, 0, false},
	} {
		t.Run(test.sent, func(t *testing.T) {
			number, isNumber := jsonvalue.Number(jsonvalue.Value(test.sent))
			require.Equal(t, test.isNum, isNumber)
			if isNumber {
				require.InDelta(t, test.number, number, 0)
			}
			count, isCount := jsonvalue.Count(jsonvalue.Value(test.sent))
			require.Equal(t, test.isCnt, isCount)
			require.Equal(t, test.count, count)
		})
	}
}

func TestAttribute(t *testing.T) {
	for sent, want := range map[string]schema.Value{
		`true`:                 {Kind: schema.KindBool, Bool: true},
		`false`:                {Kind: schema.KindBool},
		`7`:                    {Kind: schema.KindInt, Int: 7},
		`-7`:                   {Kind: schema.KindInt, Int: -7},
		`0.5`:                  {Kind: schema.KindDouble, Double: 0.5},
		`18446744073709551615`: {Kind: schema.KindDouble, Double: 18446744073709551615},
		`1e999`:                {Kind: schema.KindString, Str: "1e999"},
		`"a\u00e9"`:            {Kind: schema.KindString, Str: "aé"},
		`{ "a" : [ 1 ] }`:      {Kind: schema.KindString, Str: `{"a":[1]}`},
		`[ 1, "b" ]`:           {Kind: schema.KindString, Str: `[1,"b"]`},
		`null`:                 {},
		``:                     {},
	} {
		require.Equal(t, want, jsonvalue.Attribute(jsonvalue.Value(sent)), sent)
	}
}

func TestMembers(t *testing.T) {
	var keys []string
	for key, v := range jsonvalue.Members(jsonvalue.Value(`{"b":1,"__proto__":{"x":2},"b":null,"":[3]}`)) {
		keys = append(keys, key+"="+string(v))
	}
	require.Equal(t, []string{"b=1", `__proto__={"x":2}`, "b=null", "=[3]"}, keys)
	for _, other := range []string{``, `null`, `[1]`, `"{}"`, `7`} {
		for range jsonvalue.Members(jsonvalue.Value(other)) {
			require.Fail(t, "a member", other)
		}
	}
	require.Equal(t, `2`, string(jsonvalue.At(jsonvalue.Value(`{"a":{"b":1},"a":{"b":2}}`), "a", "b")), "the last one counts, as in most parsers")
	require.Nil(t, jsonvalue.At(jsonvalue.Value(`{"a":[{"b":1}]}`), "a", "b"))
	require.Equal(t, `1`, string(jsonvalue.Head(jsonvalue.Value(`[1,2]`))))
	require.Nil(t, jsonvalue.Head(jsonvalue.Value(`{"a":1}`)))
	picked := jsonvalue.Pick(jsonvalue.Value(`{"a":null,"b":1,"c":2}`), "a", "c", "b")
	require.Equal(t, `2`, string(picked.First("a", "c", "b")))
	require.Nil(t, picked.First("a"))
}

func TestFew(t *testing.T) {
	object := func(keys int, last string) jsonvalue.Value {
		var b strings.Builder
		for n := range keys - 1 {
			fmt.Fprintf(&b, `"%d":%d,`, n, n)
		}
		return jsonvalue.Value(`{"gone":null,` + b.String() + `"` + last + `":1,"0":"again"}`)
	}
	members, more := jsonvalue.Few(object(jsonvalue.MaxMembers, strings.Repeat("k", jsonvalue.MaxKeyBytes)))
	require.Len(t, members, jsonvalue.MaxMembers)
	require.Equal(t, jsonvalue.Member{Key: "0", Value: jsonvalue.Value(`0`)}, members[0])
	require.False(t, more)
	members, more = jsonvalue.Few(object(jsonvalue.MaxMembers+1, "k"))
	require.Len(t, members, jsonvalue.MaxMembers)
	require.True(t, more)
	members, more = jsonvalue.Few(object(2, strings.Repeat("k", jsonvalue.MaxKeyBytes+1)))
	require.Len(t, members, 1)
	require.True(t, more)
	members, more = jsonvalue.Few(jsonvalue.Value(`[1]`))
	require.Empty(t, members)
	require.False(t, more)
}

// FuzzValue: whatever a client sends is read without a panic, and what is an
// attribute is written as JSON that is one again.
func FuzzValue(f *testing.F) {
	for _, seed := range []string{`{"a":[1,{"b":"c"}],"d":null}`, `"\"2026-11-21T07:11:47Z\""`, `[[],{}]`, `1e400`, strings.Repeat(`[`, 100) + strings.Repeat(`]`, 100)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		if !json.Valid(sent) {
			return
		}
		var v jsonvalue.Value
		require.NoError(t, json.Unmarshal(sent, &v))
		jsonvalue.Nanos(v)
		jsonvalue.Count(v)
		jsonvalue.At(v, "a", "b")
		jsonvalue.Head(v)
		members := 0
		for range jsonvalue.Members(v) {
			members++
		}
		var object map[string]json.RawMessage
		if v[0] == '{' && json.Unmarshal(v, &object) == nil {
			require.GreaterOrEqual(t, members, len(object))
		}
		few, more := jsonvalue.Few(v)
		require.LessOrEqual(t, len(few), members)
		require.LessOrEqual(t, len(few), jsonvalue.MaxMembers)
		require.True(t, !more || members > 0)
		if a := jsonvalue.Attribute(v); a.Kind == schema.KindString && (v[0] == '{' || v[0] == '[') {
			require.True(t, json.Valid([]byte(a.Str)))
		}
	})
}
