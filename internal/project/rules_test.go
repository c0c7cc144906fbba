package project_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/objstore/mem"
	"github.com/spanlake/spanlake/internal/project"
)

func TestParseRules(t *testing.T) {
	rule := `{"filter":"{ status = error }","retention":"90d"}`
	for _, test := range []struct{ name, rules, err string }{
		{"one", rule, ""},
		{"of any pipeline", `{"filter":"{} | count() > 2","retention":"unlimited"}`, ""},
		{"as many as there may be", rule + strings.Repeat(","+rule, 9), ""},
		{"too many", rule + strings.Repeat(","+rule, 10), "want 10 at most, have 11"},
		{"longest filter", `{"filter":"{ name = ` + "`" + strings.Repeat("a", 4096-13) + "`" + ` }","retention":"1d"}`, ""},
		{"too long a filter", `{"filter":"{ name = ` + "`" + strings.Repeat("a", 4096-12) + "`" + ` }","retention":"1d"}`, "4096 bytes at most, have 4097"},
		{"shortest", `{"filter":"{}","retention":"1m"}`, ""},
		{"too short", `{"filter":"{}","retention":"59s"}`, "want 1m to 200y"},
		{"no filter", `{"filter":"{ status = ","retention":"1d"}`, "{ status ="},
		{"without one", `{"retention":"1d"}`, "rule"},
		{"of metrics", `{"filter":"{} | rate()","retention":"1d"}`, "finds spans"},
	} {
		s, err := project.ParseSettings([]byte(`{"managed_by":"terraform","rules":[` + test.rules + `]}`))
		if test.err == "" {
			require.NoError(t, err, test.name)
			require.NotEmpty(t, s.Rules, test.name)
			continue
		}
		require.ErrorIs(t, err, project.ErrSettings, test.name)
		require.ErrorContains(t, err, test.err, test.name)
	}
}

func TestRulesAt(t *testing.T) {
	const hour = project.Retention(time.Hour)
	rules := project.Rules{Rest: 3 * hour, Each: []project.Rule{{"errors", 90 * hour}, {"slow", 9 * hour}, {"health", hour}, {"also health", hour}}}
	at := func(age project.Retention) *project.Sifting {
		s, some := rules.At(func(r project.Retention) bool { return r > 0 && r <= age })
		if !some {
			return nil
		}
		return &s
	}
	require.Equal(t, 90*hour, rules.Longest())
	require.Nil(t, at(hour-1))
	require.Equal(t, &project.Sifting{Rest: true, Keep: []string{"errors", "slow"}, Drop: []string{"also health", "health"}}, at(hour))
	require.Equal(t, at(hour), at(3*hour-1))
	require.Equal(t, &project.Sifting{Keep: []string{"errors", "slow"}}, at(3*hour))
	require.Equal(t, &project.Sifting{Keep: []string{"errors"}}, at(9*hour))
	require.Equal(t, at(9*hour), at(90*hour-1))

	rules.Each[0].Retention = 0
	require.Zero(t, rules.Longest(), "for ever")
	require.Equal(t, &project.Sifting{Keep: []string{"errors"}}, at(1000*hour))
	rules = project.Rules{Each: rules.Each[1:]}
	require.Zero(t, rules.Longest(), "the rest for ever")
	require.Equal(t, &project.Sifting{Rest: true, Drop: []string{"also health", "health", "slow"}}, at(1000*hour))
	rules = project.Rules{Rest: hour}
	require.Nil(t, at(2*hour), "no rules")
}

// TestDirectoryRules: what expires by its age is what no rule keeps longer.
func TestDirectoryRules(t *testing.T) {
	ctx, bucket := t.Context(), mem.New()
	d := directory(bucket)
	put(t, bucket, "projects/shop/settings.json", `{"managed_by":"api","retention":"3d","rules":[{"filter":"{ status = error }","retention":"90d"}]}`)
	put(t, bucket, "projects/brief/settings.json", `{"managed_by":"api","rules":[{"filter":"{ name = \"health\" }","retention":"1h"}]}`)
	put(t, bucket, "projects/gone/settings.json", `{"managed_by":"api","rules":[{"filter":"{}","retention":"1h"}],"deleted_at":"2026-01-01T00:00:00Z"}`)
	put(t, bucket, "projects/bad/settings.json", `{"managed_by":"api","rules":[{"filter":"{","retention":"1h"}]}`)
	kept, err := d.Retention(ctx, "shop")
	require.NoError(t, err)
	require.Equal(t, 90*24*time.Hour, kept)
	rules, err := d.Rules(ctx, "shop")
	require.NoError(t, err)
	require.Equal(t, project.Retention(72*time.Hour), rules.Rest)
	require.Len(t, rules.Each, 1)

	kept, err = d.Retention(ctx, "brief")
	require.NoError(t, err)
	require.Equal(t, 48*time.Hour, kept, "the default")
	rules, err = d.Rules(ctx, "gone")
	require.NoError(t, err)
	require.Empty(t, rules)
	_, err = d.Rules(ctx, "bad")
	require.ErrorIs(t, err, project.ErrSettings)
}
