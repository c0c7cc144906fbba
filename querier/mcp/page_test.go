package mcp

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func FuzzToken(f *testing.F) {
	f.Add("")
	f.Add("e30")
	f.Add(continuation{Offset: 1, Call: 7}.String())
	f.Add(continuation{Offset: 20, Start: "1", End: "2", Call: 1 << 51}.String())
	f.Add(continuation{Offset: -1}.String())
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseToken(text)
		if err != nil {
			require.ErrorIs(t, err, errToken)
			require.Zero(t, c)
			return
		}
		require.Positive(t, c.Offset)
		require.LessOrEqual(t, len(c.Start), maxTime)
		require.Equal(t, text, c.String(), "one token for each place")
	})
}

func TestToken(t *testing.T) {
	most := continuation{Offset: 1 << 40, Start: strings.Repeat("9", maxTime), End: strings.Repeat("9", maxTime), Call: 1<<52 - 1}
	require.LessOrEqual(t, len(most.String()), maxToken)
	got, err := parseToken(most.String())
	require.NoError(t, err)
	require.Equal(t, most, got)
	most.Start += "9"
	for _, bad := range []string{"x", "AAAA", most.String(), strings.Repeat("A", maxToken+1), continuation{}.String(), continuation{Offset: -3}.String()} {
		_, err := parseToken(bad)
		require.ErrorIs(t, err, errToken, bad)
	}
}

// Whatever texts there are, every part is JSON within its bound, and together they
// are the list.
func TestParts(t *testing.T) {
	texts := []string{"plain", "\"quoted\" \\ back", "\x00\x01\x02", "größer 漢字 🙂", "<b>&amp;</b>", "a\xff\xfe", "\u2028"}
	for _, limit := range []int{minReply, defaultReply} {
		for _, unit := range texts {
			list := make([]string, 300)
			for i := range list {
				list[i] = fmt.Sprint(i, " ", cut(strings.Repeat(unit, i*3), 900))
			}
			in := DocsInput{Paging{MaxBytes: limit}}
			var got []string
			parts := 0
			for {
				p, err := newPage("tool", in)
				require.NoError(t, err)
				require.NoError(t, p.write(map[string]any{"name": unit}, "list", len(list), func(i int) any { return list[i] }))
				onWire, err := json.Marshal(string(p.body))
				require.NoError(t, err)
				require.LessOrEqual(t, len(onWire), limit-512)
				require.True(t, utf8.Valid(p.body))
				var reply struct {
					Name string
					List []string
					Next string
					N    int `json:"total_list"`
				}
				require.NoError(t, json.Unmarshal(p.body, &reply))
				require.Equal(t, len(list), reply.N)
				require.NotEmpty(t, reply.List)
				got = append(got, reply.List...)
				parts++
				if reply.Next == "" {
					break
				}
				in.Next = reply.Next
			}
			require.Equal(t, list, got)
			require.Greater(t, parts, 1, "%q", unit)
		}
	}
}

// What does not fit at all is left out, and the list goes on.
func TestTooLargeForAnyPart(t *testing.T) {
	p, err := newPage("tool", DocsInput{})
	require.NoError(t, err)
	require.NoError(t, p.write(map[string]any{}, "list", 2, func(i int) any { return strings.Repeat("x", (1-i)*defaultReply) }))
	require.JSONEq(t, fmt.Sprintf(`{"total_list":2,"list":[{"left_out":"%d bytes: raise max_bytes"},""]}`, defaultReply+5), string(p.body))
}

func TestPageRefuses(t *testing.T) {
	for _, size := range []int{minReply, maxReply} {
		_, err := newPage("tool", DocsInput{Paging{MaxBytes: size}})
		require.NoError(t, err)
	}
	for _, size := range []int{-1, 1, minReply - 1, maxReply + 1} {
		_, err := newPage("tool", DocsInput{Paging{MaxBytes: size}})
		require.ErrorContains(t, err, "want 8192 to 262144")
	}
	p, err := newPage("tool", TraceInput{TraceID: "1"})
	require.NoError(t, err)
	p.at.Offset = 3
	next := p.at.String()
	_, err = newPage("tool", TraceInput{TraceID: "1", Paging: Paging{Next: next, MaxBytes: minReply}})
	require.NoError(t, err)
	_, err = newPage("tool", TraceInput{TraceID: "2", Paging: Paging{Next: next}})
	require.ErrorIs(t, err, errOtherCall)
	_, err = newPage("other", TraceInput{TraceID: "1", Paging: Paging{Next: next}})
	require.ErrorIs(t, err, errOtherCall)
	_, err = newPage("tool", TraceInput{TraceID: "1", Paging: Paging{Next: "x"}})
	require.ErrorIs(t, err, errToken)
}

func TestCut(t *testing.T) {
	for _, tt := range []struct {
		text, want string
		limit      int
	}{
		{"", "", 3},
		{"abc", "abc", 3},
		{"abcd", "abc… (1 more bytes)", 3},
		{"漢字", "漢… (3 more bytes)", 5},
		{"漢字", "漢字", 6},
		{"漢字", "漢… (3 more bytes)", 1}, // never nothing
		{"a\xffb", "a\uFFFDb", 20},
		{`""`, `"… (1 more bytes)`, 5},
	} {
		require.Equal(t, tt.want, cut(tt.text, tt.limit), "%q %d", tt.text, tt.limit)
	}
}
