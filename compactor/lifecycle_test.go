package compactor_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/compactor"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/schema"
)

const days = 24 * time.Hour

// ruleText is a rule in a line.
func ruleText(r objstore.LifecycleRule) string {
	text := []string{r.ID, r.Prefix}
	for _, part := range []struct {
		name string
		days int
	}{{"expire", r.ExpireDays}, {"noncurrent", r.NoncurrentDays}, {"abort", r.AbortDays}} {
		if part.days > 0 {
			text = append(text, fmt.Sprintf("%s=%d", part.name, part.days))
		}
	}
	return strings.Join(text, " ")
}

func ruleTexts(rules []objstore.LifecycleRule) (texts []string) {
	for _, r := range rules {
		texts = append(texts, ruleText(r))
	}
	return texts
}

func TestLifecycleRules(t *testing.T) {
	const uploads, claims = "spanlake-e3b0c442-uploads blocks/ noncurrent=1 abort=1", "spanlake-e3b0c442-claims claims/ expire=14 noncurrent=1 abort=1"
	const media = "spanlake-e3b0c442-media media/ noncurrent=1 abort=1"
	for _, tc := range []struct {
		name     string
		policy   compactor.LifecyclePolicy
		projects []compactor.Kept
		want     []string
	}{
		{"everything is kept for ever", compactor.LifecyclePolicy{}, nil, []string{uploads, claims, media}},
		{
			"one project expires, the others do not",
			compactor.LifecyclePolicy{Grace: 3 * days},
			[]compactor.Kept{{"a", 0}, {"shop", 30 * days}},
			[]string{uploads, claims, media, "spanlake-e3b0c442-project-shop blocks/shop/ expire=33", "spanlake-e3b0c442-media-shop media/shop/ expire=33"},
		},
		{
			"all expire: what is not known does a day after the last",
			compactor.LifecyclePolicy{Default: 7 * days, Grace: 3 * days},
			[]compactor.Kept{{"long", 90 * days}, {"short", time.Minute}, {"a-week", 7 * days}},
			[]string{
				uploads, claims, "spanlake-e3b0c442-media media/ expire=94 noncurrent=1 abort=1", "spanlake-e3b0c442-all blocks/ expire=94", "spanlake-e3b0c442-project-short blocks/short/ expire=4",
				"spanlake-e3b0c442-project-a-week blocks/a-week/ expire=10", "spanlake-e3b0c442-project-long blocks/long/ expire=93",
				"spanlake-e3b0c442-media-short media/short/ expire=4", "spanlake-e3b0c442-media-a-week media/a-week/ expire=10", "spanlake-e3b0c442-media-long media/long/ expire=93",
			},
		},
		{
			"the default is the longest",
			compactor.LifecyclePolicy{Default: 36 * time.Hour, Grace: days},
			nil,
			[]string{uploads, claims, "spanlake-e3b0c442-media media/ expire=4 noncurrent=1 abort=1", "spanlake-e3b0c442-all blocks/ expire=4"},
		},
		{
			"one that is kept for ever keeps all",
			compactor.LifecyclePolicy{Default: days, Grace: days},
			[]compactor.Kept{{"a", 0}},
			[]string{uploads, claims, media},
		},
		{
			"below a prefix",
			compactor.LifecyclePolicy{Root: "some/prefix/", Grace: days},
			[]compactor.Kept{{"a", days}},
			[]string{
				"spanlake-eec2e6e3-uploads some/prefix/blocks/ noncurrent=1 abort=1", "spanlake-eec2e6e3-claims some/prefix/claims/ expire=14 noncurrent=1 abort=1",
				"spanlake-eec2e6e3-media some/prefix/media/ noncurrent=1 abort=1",
				"spanlake-eec2e6e3-project-a some/prefix/blocks/a/ expire=2", "spanlake-eec2e6e3-media-a some/prefix/media/a/ expire=2",
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rules, without := tc.policy.LifecycleRules(tc.projects, 0)
			require.Zero(t, without)
			require.Equal(t, tc.want, ruleTexts(rules))
			require.Empty(t, tc.policy.Early(rules, tc.projects))
			require.Empty(t, tc.policy.Late(rules, tc.projects))
		})
	}
}

// A bucket has 1,000 rules at most, those of others among them. The projects that
// keep least have rules of their own.
func TestLifecycleRulesOfManyProjects(t *testing.T) {
	policy := compactor.LifecyclePolicy{Default: days, Grace: days}
	for _, tc := range []struct{ projects, foreign, own, media, without int }{
		{990, 0, 990, 0, 0},
		{990, 6, 990, 0, 0},
		{990, 7, 989, 0, 1},
		{991, 0, 990, 0, 1},
		{5000, 600, 396, 0, 4604},
		{5, 1000, 0, 0, 5},
		{495, 0, 495, 495, 0},
		{495, 6, 495, 495, 0},
		{495, 7, 495, 494, 0},
		{496, 0, 496, 494, 0},
	} {
		var projects []compactor.Kept
		for i := range tc.projects {
			projects = append(projects, compactor.Kept{Project: schema.ProjectID(fmt.Sprintf("p%d", i)), Retention: time.Duration(tc.projects-i) * days})
		}
		rules, without := policy.LifecycleRules(projects, tc.foreign)
		require.Len(t, rules, 4+tc.own+tc.media, "%+v", tc)
		require.Equal(t, tc.without, without, "%+v", tc)
		for i, r := range rules[4 : 4+tc.own] {
			require.Equal(t, i+2, r.ExpireDays)
		}
		for i, r := range rules[4+tc.own:] {
			require.Equal(t, i+2, r.ExpireDays)
			require.True(t, strings.HasPrefix(r.Prefix, "media/p"), r.Prefix)
		}
		for _, r := range rules[2:4] {
			require.Equal(t, tc.projects+2, r.ExpireDays, "longer than every project")
		}
		require.Empty(t, policy.Early(rules, projects))
		late := tc.without
		if tc.projects <= 495 {
			late += tc.own - tc.media
		}
		if tc.foreign == 1000 {
			late += tc.projects
		}
		require.Len(t, policy.Late(rules, projects), late, "%+v", tc)
	}
}

func TestLifecycleFindings(t *testing.T) {
	policy := compactor.LifecyclePolicy{Root: "r/", Default: 90 * days, Grace: 3 * days}
	good, _ := policy.LifecycleRules([]compactor.Kept{{"shop", 30 * days}, {"ever", 0}}, 0)
	rule := func(prefix string, n int, change ...func(*objstore.LifecycleRule)) objstore.LifecycleRule {
		r := objstore.LifecycleRule{ID: "x", Enabled: true, Prefix: prefix, ExpireDays: n}
		for _, f := range change {
			f(&r)
		}
		return r
	}
	for _, tc := range []struct {
		name        string
		rules       []objstore.LifecycleRule
		early, late []string
	}{
		{"as they should be", good, nil, nil},
		{"as long as the retention", append(slices.Clone(good), rule("r/blocks/shop/", 30)), nil, nil},
		{"shorter than it", append(slices.Clone(good), rule("r/blocks/shop/", 29)), []string{`rule "x" deletes blocks of project shop after 29 days, which keeps them 30 days`}, nil},
		{"of a day only", append(slices.Clone(good), rule("r/blocks/ever/2026-", 10000)), []string{`rule "x" deletes blocks of project ever after 10000 days, which keeps them for ever`}, nil},
		{"of media only", append(slices.Clone(good), rule("r/media/", 29)), []string{`rule "x" deletes media of project shop after 29 days, which keeps them 30 days`, `rule "x" deletes media of project ever after 29 days, which keeps them for ever`}, nil},
		{"of everything", append(slices.Clone(good), rule("", 13)), []string{
			`rule "x" deletes settings and keys of projects after 13 days`,
			`rule "x" deletes erasures after 13 days: what is hidden would be shown again, and receipts would be gone`, `rule "x" deletes large values after 13 days, which may not be in a block yet`,
			`rule "x" deletes blocks of project shop after 13 days, which keeps them 30 days`, `rule "x" deletes media of project shop after 13 days, which keeps them 30 days`,
			`rule "x" deletes blocks of project ever after 13 days, which keeps them for ever`, `rule "x" deletes media of project ever after 13 days, which keeps them for ever`,
		}, nil},
		{"on a date", append(slices.Clone(good), rule("r/claims/", 0, func(r *objstore.LifecycleRule) { r.Dated = true })), []string{`rule "x" deletes large values on a date, which may not be in a block yet`}, nil},
		{"of other keys", append(slices.Clone(good), rule("other/", 1), rule("r/undecodable/", 1)), nil, nil},
		{"of objects with tags", append(slices.Clone(good), rule("", 1, func(r *objstore.LifecycleRule) { r.Tagged = true })), nil, nil},
		{"not enabled", append(slices.Clone(good), rule("", 1, func(r *objstore.LifecycleRule) { r.Enabled = false })), nil, nil},
		{"none", nil, nil, []string{
			"no rule deletes blocks of project shop: want one of 33 days for r/blocks/shop/", "no rule deletes media of project shop: want one of 33 days for r/media/shop/",
			"no rule removes uploads that were not completed: want one of 1 day for r/blocks/",
		}},
		{"late", []objstore.LifecycleRule{rule("r/blocks/shop/", 34), rule("r/media/shop/", 33), {ID: "u", Enabled: true, AbortDays: 7}}, nil, []string{
			`rule "x" deletes blocks of project shop after 34 days only: want 33`,
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			kept := []compactor.Kept{{"shop", 30 * days}, {"ever", 0}}
			require.Equal(t, tc.early, policy.Early(tc.rules, kept))
			require.Equal(t, tc.late, policy.Late(tc.rules, kept))
		})
	}
}

// rules are those of a bucket in memory.
type rules struct {
	list   []objstore.LifecycleRule
	reads  int
	writes int
	err    error
}

func (r *rules) Lifecycle(context.Context) ([]objstore.LifecycleRule, error) {
	r.reads++
	return slices.Clone(r.list), r.err
}

func (r *rules) SetLifecycle(_ context.Context, prefix string, own []objstore.LifecycleRule) error {
	r.writes++
	r.list = slices.DeleteFunc(r.list, func(l objstore.LifecycleRule) bool { return strings.HasPrefix(l.ID, prefix) })
	r.list = append(slices.Clone(own), r.list...)
	return r.err
}

// lifecycleWorld is a compactor with rules, for one project, and what it logs.
func lifecycleWorld(t *testing.T, owner compactor.LifecycleOwner, retention *hours) (*rules, *bytes.Buffer, func()) {
	t.Helper()
	w, r, log := newWorld(t), &rules{}, &bytes.Buffer{}
	w.batch(1)
	cfg := config()
	cfg.Lifecycle = owner
	c := compactor.New(cfg, w.log, w.bucket, retention, slog.New(slog.NewTextHandler(log, nil)), prometheus.NewRegistry())
	c.WithLifecycle(r, "", 0)
	return r, log, func() {
		t.Helper()
		log.Reset()
		w.cycle(c)
	}
}

func TestLifecycleIsKeptInStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		retention := hours(48)
		r, log, cycle := lifecycleWorld(t, compactor.LifecycleCompactor, &retention)
		foreign := objstore.LifecycleRule{ID: "theirs", Enabled: true, Prefix: "logs/", ExpireDays: 3, More: true}
		r.list = []objstore.LifecycleRule{foreign}
		cycle()
		require.Equal(t, 1, r.writes)
		require.Contains(t, r.list, foreign)
		require.Contains(t, ruleTexts(r.list), "spanlake-e3b0c442-project-shop blocks/shop/ expire=5")
		require.Contains(t, log.String(), "lifecycle rules of the bucket written")
		slices.Reverse(r.list)
		reads := r.reads
		cycle()
		require.Equal(t, reads, r.reads, "nothing has changed")
		time.Sleep(time.Hour)
		cycle()
		require.Equal(t, reads+1, r.reads)
		require.Equal(t, 1, r.writes, "they are right, in whatever order")

		retention = 96
		cycle()
		require.Equal(t, 2, r.writes, "at once")
		require.Contains(t, ruleTexts(r.list), "spanlake-e3b0c442-project-shop blocks/shop/ expire=7")
		retention = 0
		cycle()
		require.Len(t, r.list, 4, "nothing expires any more")

		r.list[slices.IndexFunc(r.list, func(l objstore.LifecycleRule) bool { return strings.HasSuffix(l.ID, "-uploads") })].Enabled = false
		time.Sleep(time.Hour)
		cycle()
		require.Equal(t, 4, r.writes, "somebody else had changed one")

		r.list = append(r.list, objstore.LifecycleRule{ID: "rash", Enabled: true, ExpireDays: 20})
		time.Sleep(time.Hour)
		cycle()
		require.Contains(t, log.String(), `rule \"rash\" deletes blocks of project shop after 20 days, which keeps them for ever`)
		require.Equal(t, 4, r.writes, "it is not ours to mend")
	})
}

func TestLifecycleOfOthersIsVerified(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		retention := hours(48)
		r, log, cycle := lifecycleWorld(t, compactor.LifecycleTerraform, &retention)
		cycle()
		require.Contains(t, log.String(), "no rule deletes blocks of project shop: want one of 5 days for blocks/shop/")
		time.Sleep(time.Hour)
		cycle()
		require.NotContains(t, log.String(), "lifecycle", "it was said")
		r.list = []objstore.LifecycleRule{{ID: "tf", Enabled: true, Prefix: "blocks/shop/", ExpireDays: 5}, {ID: "tf-media", Enabled: true, Prefix: "media/shop/", ExpireDays: 5}, {ID: "up", Enabled: true, AbortDays: 3}}
		time.Sleep(time.Hour)
		cycle()
		require.NotContains(t, log.String(), "lifecycle", "all is well")
		retention = 24 * 6
		cycle()
		require.Contains(t, log.String(), `rule \"tf\" deletes blocks of project shop after 5 days, which keeps them 6 days`)
		require.Zero(t, r.writes)
	})
}

func TestLifecycleCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		retention := hours(48)
		r, log, cycle := lifecycleWorld(t, compactor.LifecycleCompactor, &retention)
		r.err = errors.New("denied")
		cycle()
		require.Contains(t, log.String(), "denied")
		cycle()
		require.NotContains(t, log.String(), "denied", "it was said")
		require.Equal(t, 2, r.reads, "and tried again")
		r.err = errors.ErrUnsupported
		cycle()
		cycle()
		require.Equal(t, 3, r.reads, "there is no use in asking often")
		require.Zero(t, r.writes)
	})
}

func TestLifecycleOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		retention := hours(48)
		r, _, cycle := lifecycleWorld(t, compactor.LifecycleOff, &retention)
		cycle()
		require.Zero(t, r.reads)
	})
}
