package project_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/project"
)

func TestParseRetention(t *testing.T) {
	const day = 24 * time.Hour
	for _, test := range []struct {
		text string
		want time.Duration
		form string // as it is written; "" if it is an error
	}{
		{"unlimited", 0, "unlimited"},
		{"0", 0, "unlimited"},
		{"1m", time.Minute, "1m"},
		{"60s", time.Minute, "1m"},
		{"59s", 0, ""},
		{"36h", 36 * time.Hour, "36h"},
		{"48h", 2 * day, "2d"},
		{"90d", 90 * day, "90d"},
		{"2w", 14 * day, "14d"},
		{"1y", 365 * day, "1y"},
		{"1h30m1s", time.Hour + 30*time.Minute + time.Second, "1h30m1s"},
		{"200y", 200 * 365 * day, "200y"},
		{"201y", 0, ""},
		{"4294967295y", 0, ""},
		{"-1h", 0, ""},
		{"1.5d", 0, ""},
		{"d", 0, ""},
		{"", 0, ""},
		{"forever", 0, ""},
	} {
		got, err := project.ParseRetention(test.text)
		if test.form == "" {
			require.Error(t, err, test.text)
			continue
		}
		require.NoError(t, err, test.text)
		require.Equal(t, test.want, time.Duration(got), test.text)
		require.Equal(t, test.form, got.String())
		again, err := project.ParseRetention(got.String())
		require.NoError(t, err)
		require.Equal(t, got, again)
	}
}

func TestOldest(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	require.Zero(t, project.Retention(0).Oldest(now))
	require.Equal(t, uint64(now.Add(-time.Hour).UnixNano()), project.Retention(time.Hour).Oldest(now))
	require.Zero(t, project.MaxRetention.Oldest(now), "before 1970")
}

func TestParseSettings(t *testing.T) {
	for _, test := range []struct {
		name, text, err, unknown string
	}{
		{"all", `{"managed_by":"api","retention":"30d","limits":{"query_bytes":5,"ingest_bytes_per_second":-1},"aliases":["Team A"]}`, "", ""},
		{"the least", `{"managed_by":"terraform"}`, "", ""},
		{"of a newer version", `{"managed_by":"api","colour":"red"}`, "", `unknown field "colour"`},
		{"nobody's", `{}`, "managed_by", ""},
		{"somebody else's", `{"managed_by":"pulumi"}`, "want terraform or api", ""},
		{"retention that is none", `{"managed_by":"api","retention":"soon"}`, "not a retention", ""},
		{"retention that is a number", `{"managed_by":"api","retention":30}`, "cannot unmarshal", ""},
		{"limit below none", `{"managed_by":"api","limits":{"query_bytes":-2}}`, "query_bytes -2", ""},
		{"alias of a project's name", `{"managed_by":"api","aliases":["other"]}`, "itself a project's name", ""},
		{"alias with a separator", `{"managed_by":"api","aliases":["A|B"]}`, "without |", ""},
		{"alias with a line end", `{"managed_by":"api","aliases":["A\nB"]}`, "printable", ""},
		{"alias with blanks around", `{"managed_by":"api","aliases":[" A"]}`, "blanks", ""},
		{"longest alias", `{"managed_by":"api","aliases":["` + strings.Repeat("A", 128) + `"]}`, "", ""},
		{"too long an alias", `{"managed_by":"api","aliases":["` + strings.Repeat("A", 129) + `"]}`, "128 bytes", ""},
		{"as many aliases as there may be", `{"managed_by":"api","aliases":["A"` + strings.Repeat(`,"A"`, 99) + `]}`, "", ""},
		{"too many aliases", `{"managed_by":"api","aliases":["A"` + strings.Repeat(`,"A"`, 100) + `]}`, "want 100 at most", ""},
		{"two values", `{"managed_by":"api"}{}`, "more than one", ""},
		{"no JSON", `managed_by: api`, "invalid character", ""},
		{"nothing", ``, "EOF", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := project.ParseSettings([]byte(test.text))
			if test.err == "" {
				require.NoError(t, err)
				require.Equal(t, test.unknown, s.Unknown())
				return
			}
			require.ErrorIs(t, err, project.ErrSettings)
			require.ErrorContains(t, err, test.err)
		})
	}
}

func TestLimits(t *testing.T) {
	var l project.Limits
	require.NoError(t, l.Set(project.LimitQueryBytes, 7))
	require.Equal(t, project.Limits{QueryBytes: 7}, l)
	require.NoError(t, l.Set(project.LimitQueryBytes, project.Unlimited))
	require.ErrorContains(t, l.Set(project.LimitQueryBytes, -2), "positive")
	require.ErrorContains(t, l.Set("bytes", 1), "ingest_spans_per_second")
	names := 0
	for name, value := range (&project.Limits{IngestBytesPerSecond: 1, IngestSpansPerSecond: 1, LiveTraces: 1, AttributeBytes: 1, ConcurrentQueries: 1, QueryBytes: 1}).All() {
		require.NotEmpty(t, name)
		require.EqualValues(t, 1, value)
		names++
	}
	require.Equal(t, 6, names)
}

func FuzzParseSettings(f *testing.F) {
	f.Add([]byte(`{"managed_by":"api","retention":"30d","limits":{"query_bytes":5},"aliases":["Team A"],"deleted_at":"2026-01-02T03:04:05Z"}`))
	f.Add([]byte(`{"managed_by":"terraform","x":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := project.ParseSettings(data)
		if err != nil {
			require.ErrorIs(t, err, project.ErrSettings)
			return
		}
		require.NoError(t, s.Validate())
		if s.Retention != nil {
			require.True(t, *s.Retention == 0 || *s.Retention >= project.MinRetention && *s.Retention <= project.MaxRetention)
		}
	})
}
