package e2e_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/compactor"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/s3/s3test"
)

// What terraform/modules/plan renders for an example, with Terraform or without.
const (
	renderedPlan   = "../../terraform/modules/plan/tests/rendered.json"
	renderedBucket = "arn:aws:s3:::traces"
	renderedPrefix = "spans/"
)

// policy is an IAM policy of Allow statements.
type policy struct {
	Statement []struct {
		Effect    string
		Action    []string
		Resource  []string
		Condition map[string]map[string][]string
	}
}

// renderedRule is a lifecycle rule. A number that is absent is 0.
type renderedRule struct {
	ID, Prefix     string
	ExpireDays     int `json:"expire_days"`
	AbortDays      int `json:"abort_days"`
	NoncurrentDays int `json:"noncurrent_days"`
}

func rendered(t *testing.T) (policies map[string]policy, rules []renderedRule) {
	t.Helper()
	data, err := os.ReadFile(renderedPlan)
	require.NoError(t, err)
	var plan struct {
		Policies map[string]policy `json:"policies"`
		Rules    []renderedRule    `json:"lifecycle_rules"`
	}
	require.NoError(t, json.Unmarshal(data, &plan))
	require.NotEmpty(t, plan.Policies)
	require.NotEmpty(t, plan.Rules)
	return plan.Policies, plan.Rules
}

// TestTerraformRules: a compactor finds nothing to warn of in the rules that Terraform
// writes, and something when a project is kept for longer or shorter.
func TestTerraformRules(t *testing.T) {
	const days = 24 * time.Hour
	_, written := rendered(t)
	rules := make([]objstore.LifecycleRule, 0, len(written))
	for _, r := range written {
		rules = append(rules, objstore.LifecycleRule{
			ID: r.ID, Enabled: true, Prefix: r.Prefix, ExpireDays: r.ExpireDays, AbortDays: r.AbortDays, NoncurrentDays: r.NoncurrentDays,
		})
	}
	policy := compactor.LifecyclePolicy{Root: renderedPrefix, Default: 30 * days, Grace: 3 * days}
	kept := []compactor.Kept{{Project: "shop", Retention: 90 * days}, {Project: "web", Retention: 30 * days}, {Project: "rest", Retention: 30 * days}}
	require.Empty(t, policy.Early(rules, kept))
	require.Empty(t, policy.Late(rules, kept))

	kept[0].Retention = 94 * days
	require.Len(t, policy.Early(rules, kept), 2, "blocks and media")
	kept[0].Retention = 89 * days
	require.Len(t, policy.Late(rules, kept), 2)
}

// like matches as IAM does: * stands for any text, also one with slashes.
func like(pattern, text string) bool {
	return regexp.MustCompile("^(?s:" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + ")$").MatchString(text)
}

// allows evaluates the policy for a call, whose key has the prefix of the example.
func (p policy) allows(c s3test.Call) bool {
	resource := renderedBucket
	onBucket := strings.HasPrefix(c.Operation, "List") || strings.Contains(c.Operation, "Bucket")
	if !onBucket {
		resource += "/" + c.Key
	}
	for _, s := range p.Statement {
		matches := func(pattern string) bool { return like(pattern, resource) }
		if s.Effect == "Allow" && slices.Contains(s.Action, c.Action()) && slices.ContainsFunc(s.Resource, matches) && holds(s.Condition, c) {
			return true
		}
	}
	return false
}

// holds evaluates conditions on the prefix of a listing. A call that is none, or lists
// all, has no s3:prefix; a condition of another kind does not hold.
func holds(conditions map[string]map[string][]string, c s3test.Call) bool {
	for operator, keys := range conditions {
		for key, patterns := range keys {
			missing := c.Key == "" || !strings.HasPrefix(c.Operation, "List")
			switch {
			case key != "s3:prefix", operator != "StringLike" && operator != "StringLikeIfExists":
				return false
			case missing && operator == "StringLikeIfExists":
			case missing, !slices.ContainsFunc(patterns, func(p string) bool { return like(p, c.Key) }):
				return false
			}
		}
	}
	return true
}

// requireWithinRoles fails if a function has asked the bucket for anything that its
// role does not allow.
func (w *cloud) requireWithinRoles() {
	w.t.Helper()
	policies, _ := rendered(w.t)
	for function, recorder := range w.recorders {
		role, there := policies[function]
		require.True(w.t, there, function)
		for _, c := range recorder.Calls() {
			require.NotEmpty(w.t, c.Operation, "%s: a call that is not known: %v", function, c)
			if rest, below := strings.CutPrefix(c.Key, bucketPrefix+"/"); below {
				c.Key = renderedPrefix + rest
			}
			require.True(w.t, role.allows(c), "%s: %s of %q", function, c.Action(), c.Key)
		}
	}
}

// Roles are as narrow as they are wide: what a function has no business with is
// refused.
func TestRoles(t *testing.T) {
	policies, _ := rendered(t)
	for _, test := range []struct {
		role, operation, key string
		want                 bool
	}{
		{"ingest", "PutObject", "spans/claims/shop/a", true},
		{"ingest", "AbortMultipartUpload", "spans/claims/shop/a", true},
		{"ingest", "PutObject", "spans/blocks/shop/a", false},
		{"ingest", "PutObject", "spans/projects/shop/settings.json", false},
		{"ingest", "PutObject", "claims/shop/a", false},
		{"ingest", "GetObject", "spans/projects/shop/settings.json", true},
		{"ingest", "GetObject", "spans/blocks/shop/a", false},
		{"ingest", "GetObject", "spans/claims/shop/a", false},
		{"ingest", "DeleteObject", "spans/claims/shop/a", false},
		{"ingest", "ListObjectsV2", "spans/blocks/", true},
		{"ingest", "ListObjectsV2", "spans/projects/shop/", true},
		{"ingest", "ListObjectsV2", "spans/erasures/", false},
		{"ingest", "ListObjectsV2", "spans/", false},
		{"ingest", "ListObjectsV2", "", true}, // as S3 asks for objects that are not there
		{"ingest", "PutObject", "spans/media/shop/a", true},
		{"ingest", "GetObject", "spans/media/shop/a", true},
		{"ingest", "DeleteObject", "spans/media/shop/a", false},
		{"flush", "PutObject", "spans/blocks/shop/a", true},
		{"flush", "PutObject", "spans/undecodable/a", true},
		{"flush", "GetObject", "spans/claims/shop/a", true},
		{"flush", "DeleteObject", "spans/claims/shop/a", true},
		{"flush", "GetObject", "spans/blocks/shop/a", false},
		{"flush", "DeleteObject", "spans/blocks/shop/a", false},
		{"flush", "PutObject", "spans/projects/shop/settings.json", false},
		{"compact", "GetObject", "spans/blocks/shop/a", true},
		{"compact", "DeleteObject", "spans/blocks/shop/a", true},
		{"compact", "DeleteObjectVersion", "spans/erasures/shop/a.json", true},
		{"compact", "ListObjectVersions", "spans/claims/shop/", true},
		{"compact", "ListObjectVersions", "", false},
		{"compact", "PutObject", "spans/projects/shop/settings.json", false},
		{"compact", "DeleteObject", "spans/projects/shop/settings.json", false},
		{"compact", "GetBucketLifecycleConfiguration", "", true},
		{"compact", "PutBucketLifecycleConfiguration", "", false},
		{"query", "GetObject", "spans/blocks/shop/a", true},
		{"query", "GetObject", "spans/claims/shop/a", true},
		{"query", "ListObjectsV2", "spans/erasures/", true},
		{"query", "PutObject", "spans/blocks/shop/a", false},
		{"query", "PutObject", "spans/erasures/shop/a.json", false},
		{"query", "DeleteObject", "spans/blocks/shop/a", false},
		{"schedule-flush", "GetObject", "spans/blocks/shop/a", false},
		{"operator", "PutObject", "spans/projects/shop/keys/a.json", true},
		{"operator", "DeleteObject", "spans/blocks/shop/a", false},
	} {
		call := s3test.Call{Operation: test.operation, Bucket: "traces", Key: test.key}
		require.Equal(t, test.want, policies[test.role].allows(call), "%s: %v", test.role, call)
	}
}
