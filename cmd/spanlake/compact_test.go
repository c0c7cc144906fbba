package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/compactor"
)

func TestCompactRefuses(t *testing.T) {
	for _, tc := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"without -once", []string{"compact"}, exitUsage, "want -once"},
		{"a wrong flag", []string{"compact", "-once", "-compactor.min-inputs=1"}, exitUsage, "compactor.min-inputs must be at least 2"},
		{"no log", []string{"compact", "-once", "-data-dir=" + t.TempDir()}, exitFailed, "there is no log"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			require.Equal(t, tc.code, run(t.Context(), tc.args, env{&out, &errs, func(string) (string, bool) { return "", false }}))
			require.Contains(t, errs.String(), tc.want)
		})
	}
}

func TestCompactSummary(t *testing.T) {
	for _, tc := range []struct {
		name string
		sum  compactor.Summary
		want string
	}{
		{"nothing", compactor.Summary{Projects: 3}, "Nothing to do.\n"},
		{"merges", compactor.Summary{Merges: 2, Inputs: 40, Read: 4 << 20, Written: 3 << 20, Folded: 1}, "40 blocks of 4.0 MiB merged into 2 of 3.0 MiB\n1 span left out that had been delivered twice\n"},
		{"priced anew", compactor.Summary{Repriced: 3}, "3 blocks written anew with what follows from their spans today\n"},
		{"erasures", compactor.Summary{Rewrites: 2, Dropped: 30, Erased: 1, Pending: 2}, "2 blocks written anew without what is to be gone\n30 spans left out that are erased, or that no rule keeps\n1 erasure done: nothing of it is left\n2 erasures not done\n"},
		{"deletions", compactor.Summary{Covered: 40, Expired: 1}, "40 blocks deleted that others cover\n1 block deleted that had expired\n"},
		{"what is left", compactor.Summary{Void: 1, TooLarge: 2, Strangers: 1}, "1 merge left to another process\n2 windows not merged: too large together (-compactor.max-bytes)\n1 window not merged: the log's clock was put back meanwhile\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out bytes.Buffer
			printSummary(&out, &tc.sum)
			require.Equal(t, tc.want, out.String())
		})
	}
}
