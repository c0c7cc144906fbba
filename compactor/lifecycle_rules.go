package compactor

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spanlake/spanlake/internal/erasure"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/schema"
)

const (
	day = 24 * time.Hour
	// maxProjectRules is how many rules are for single projects, of the 1,000 that a
	// bucket can have; maxRules leaves those to others that they have.
	maxProjectRules = 990
	maxRules        = 1000
	// orphanDays is when a value is deleted whose message was never acknowledged.
	// No message stays in the log for as long.
	orphanDays = 14
	// abortDays and noncurrentDays are as short as S3 permits.
	abortDays, noncurrentDays = 1, 1
)

// Kept is how long the blocks of a project are kept, 0 for ever.
type Kept struct {
	Project   schema.ProjectID
	Retention time.Duration
}

// LifecyclePolicy is what the lifecycle rules of a bucket follow.
type LifecyclePolicy struct {
	Root string // of the bucket's keys: empty, or a prefix that ends in a slash
	// Default is the retention of projects that are not known yet, 0 for ever.
	Default time.Duration
	// Grace is how much later than the retention a rule deletes. The compactor
	// has done so by then.
	Grace time.Duration
}

// owned is how the ids of the rules begin that are the compactor's own: those for
// other roots of one bucket begin otherwise.
func (p LifecyclePolicy) owned() string {
	sum := sha256.Sum256([]byte(p.Root))
	return "spanlake-" + hex.EncodeToString(sum[:4]) + "-"
}

// days is when a rule deletes: whole days, later than the retention.
func (p LifecyclePolicy) days(retention time.Duration) int {
	return int(max((retention+p.Grace+day-1)/day, 1))
}

func (p LifecyclePolicy) blocks() string { return p.Root + schema.BlocksPrefix }

func (p LifecyclePolicy) project(id schema.ProjectID) string {
	return p.Root + schema.ProjectPrefix(id)
}

func (p LifecyclePolicy) media() string { return p.Root + schema.MediaPrefix }

func (p LifecyclePolicy) projectMedia(id schema.ProjectID) string {
	return p.Root + schema.ProjectMedia(id)
}

// LifecycleRules are the rules for a bucket with these projects, beside so many of
// others. S3 counts from when an object was put, which for a merged block is later
// than its spans: nothing is deleted early. Of projects the shortest retentions
// have rules of their own while there is room; the rest are one class, that of the
// rule for all blocks, which is longer than every retention. There is none if
// anything is kept for ever. A finer class would need a mark on the objects, and
// objects that were marked before a retention was raised would be lost. Media have
// the same rules in the room that blocks leave: without reports blocks alone.
func (p LifecyclePolicy) LifecycleRules(projects []Kept, foreign int) (rules []objstore.LifecycleRule, without int) {
	owned := p.owned()
	rules = []objstore.LifecycleRule{
		{ID: owned + "uploads", Enabled: true, Prefix: p.blocks(), AbortDays: abortDays, NoncurrentDays: noncurrentDays},
		{
			ID: owned + "claims", Enabled: true, Prefix: p.Root + schema.ClaimsPrefix,
			ExpireDays: orphanDays, AbortDays: abortDays, NoncurrentDays: noncurrentDays,
		},
	}
	media := objstore.LifecycleRule{ID: owned + "media", Enabled: true, Prefix: p.media(), AbortDays: abortDays, NoncurrentDays: noncurrentDays}
	longest, forever := p.days(p.Default), p.Default == 0
	var kept []Kept
	for _, k := range projects {
		if k.Retention == 0 {
			forever = true
			continue
		}
		longest = max(longest, p.days(k.Retention))
		kept = append(kept, k)
	}
	if !forever {
		media.ExpireDays = longest + 1
	}
	rules = append(rules, media)
	if !forever {
		rules = append(rules, objstore.LifecycleRule{ID: owned + "all", Enabled: true, Prefix: p.blocks(), ExpireDays: longest + 1})
	}
	slices.SortFunc(kept, func(a, b Kept) int {
		return cmp.Or(cmp.Compare(a.Retention, b.Retention), cmp.Compare(a.Project, b.Project))
	})
	room := max(min(maxProjectRules, maxRules-foreign-len(rules)), 0)
	own := min(len(kept), room)
	for _, k := range kept[:own] {
		rules = append(rules, objstore.LifecycleRule{
			ID: owned + "project-" + string(k.Project), Enabled: true, Prefix: p.project(k.Project), ExpireDays: p.days(k.Retention),
		})
	}
	for _, k := range kept[:min(own, room-own)] {
		rules = append(rules, objstore.LifecycleRule{
			ID: owned + "media-" + string(k.Project), Enabled: true, Prefix: p.projectMedia(k.Project), ExpireDays: p.days(k.Retention),
		})
	}
	return rules, len(kept) - own
}

// deletes reports whether a rule deletes objects of this program some day. They
// have no tags.
func deletes(r *objstore.LifecycleRule) bool {
	return r.Enabled && !r.Tagged && (r.ExpireDays > 0 || r.Dated)
}

// overlap reports whether a key may begin with both.
func overlap(a, b string) bool { return strings.HasPrefix(a, b) || strings.HasPrefix(b, a) }

// Early says which rules delete what is still kept, whoever they belong to.
func (p LifecyclePolicy) Early(rules []objstore.LifecycleRule, projects []Kept) (findings []string) {
	for i := range rules {
		r := &rules[i]
		if !deletes(r) {
			continue
		}
		when := fmt.Sprintf("after %d days", r.ExpireDays)
		if r.Dated {
			when = "on a date"
		}
		if overlap(r.Prefix, p.Root+"projects/") {
			findings = append(findings, fmt.Sprintf("rule %q deletes settings and keys of projects %s", r.ID, when))
		}
		if overlap(r.Prefix, p.Root+erasure.Prefix) {
			findings = append(findings, fmt.Sprintf("rule %q deletes erasures %s: what is hidden would be shown again, and receipts would be gone", r.ID, when))
		}
		if overlap(r.Prefix, p.Root+schema.ClaimsPrefix) && (r.Dated || r.ExpireDays < orphanDays) {
			findings = append(findings, fmt.Sprintf("rule %q deletes large values %s, which may not be in a block yet", r.ID, when))
		}
		for _, k := range projects {
			if !r.Dated && k.Retention > 0 && time.Duration(r.ExpireDays)*day >= k.Retention {
				continue
			}
			for _, of := range p.expiring(k.Project) {
				if overlap(r.Prefix, of.prefix) {
					findings = append(findings, fmt.Sprintf("rule %q deletes %s of project %s %s, which keeps them %s", r.ID, of.what, k.Project, when, keptText(k.Retention)))
				}
			}
		}
	}
	return findings
}

// expiring is what a project has that goes with time.
type expiring struct{ what, prefix string }

func (p LifecyclePolicy) expiring(id schema.ProjectID) [2]expiring {
	return [2]expiring{{"blocks", p.project(id)}, {"media", p.projectMedia(id)}}
}

func keptText(retention time.Duration) string {
	switch {
	case retention == 0:
		return "for ever"
	case retention%day == 0:
		return fmt.Sprintf("%d days", retention/day)
	}
	return retention.String()
}

// Late says what no rule deletes in time, that is, what would stay if there were
// no compactor.
func (p LifecyclePolicy) Late(rules []objstore.LifecycleRule, projects []Kept) (findings []string) {
	for _, k := range projects {
		if k.Retention == 0 {
			continue
		}
		want := p.days(k.Retention)
		for _, of := range p.expiring(k.Project) {
			if of.prefix == p.projectMedia(k.Project) && 2*len(projects) > maxProjectRules {
				continue // there is no room for all
			}
			switch rule, ok := firstRule(rules, of.prefix); {
			case !ok:
				findings = append(findings, fmt.Sprintf("no rule deletes %s of project %s: want one of %d days for %s", of.what, k.Project, want, of.prefix))
			case rule.ExpireDays > want:
				findings = append(findings, fmt.Sprintf("rule %q deletes %s of project %s after %d days only: want %d", rule.ID, of.what, k.Project, rule.ExpireDays, want))
			}
		}
	}
	uploads := func(r objstore.LifecycleRule) bool {
		return r.Enabled && !r.Tagged && !r.Sized && r.AbortDays > 0 && strings.HasPrefix(p.blocks(), r.Prefix)
	}
	if !slices.ContainsFunc(rules, uploads) {
		findings = append(findings, fmt.Sprintf("no rule removes uploads that were not completed: want one of %d day for %s", abortDays, p.blocks()))
	}
	return findings
}

// First is the rule that deletes the blocks of a project first.
func (p LifecyclePolicy) First(rules []objstore.LifecycleRule, id schema.ProjectID) (first objstore.LifecycleRule, ok bool) {
	return firstRule(rules, p.project(id))
}

func firstRule(rules []objstore.LifecycleRule, prefix string) (first objstore.LifecycleRule, ok bool) {
	for _, r := range rules {
		if deletes(&r) && r.ExpireDays > 0 && !r.Sized && strings.HasPrefix(prefix, r.Prefix) && (!ok || r.ExpireDays < first.ExpireDays) {
			first, ok = r, true
		}
	}
	return first, ok
}
