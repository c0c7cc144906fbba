package test

import (
	"log/slog"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
	"github.com/stretchr/testify/require"
)

const alertFile = "../grafana/alerts.yaml"

// parseRules reads rules as Prometheus does when it starts.
func parseRules(t *testing.T, text []byte) []rulefmt.Rule {
	t.Helper()
	groups, errs := rulefmt.Parse(text, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	require.Empty(t, errs)
	require.Len(t, groups.Groups, 1)
	return groups.Groups[0].Rules
}

func alertRules(t *testing.T) []rulefmt.Rule {
	t.Helper()
	text, err := os.ReadFile(alertFile)
	require.NoError(t, err)
	return parseRules(t, text)
}

// Each alert says what is wrong, how bad that is, and where to read what to do.
func TestAlertsHaveRunbooks(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	require.NoError(t, err)
	for _, r := range alertRules(t) {
		require.Contains(t, []string{"critical", "warning"}, r.Labels["severity"], r.Alert)
		require.NotEmpty(t, r.Annotations["summary"], r.Alert)
		require.Contains(t, string(page), "\n### "+r.Alert+"\n", "docs/operations.md has no entry")
		require.Equal(t, "https://github.com/spanlake/spanlake/blob/main/docs/operations.md#"+strings.ToLower(r.Alert), r.Annotations["runbook_url"])
	}
}

// alertCase is what an alert is to be silent about, and what it has to tell: series,
// with a sample a minute, in the form of Prometheus' own tests. Most are for five
// hours, which is 300.
type alertCase struct{ well, wrong string }

func alertCases() map[string]alertCase {
	const latency = `
spanlake_querier_query_duration_seconds_bucket{query="search",status="200",le="8.192",instance="a"} 0+%x600
spanlake_querier_query_duration_seconds_bucket{query="search",status="200",le="32.768",instance="a"} 0+10x600
spanlake_querier_query_duration_seconds_bucket{query="search",status="200",le="+Inf",instance="a"} 0+10x600`
	const lag = `
spanlake_builder_visible_lag_seconds_bucket{le="16",instance="a"} 0+%x600
spanlake_builder_visible_lag_seconds_bucket{le="64",instance="a"} 0+10x600
spanlake_builder_visible_lag_seconds_bucket{le="+Inf",instance="a"} 0+10x600`
	counter := func(name string) alertCase {
		return alertCase{name + `{instance="a"} 0x600`, name + `{instance="a"} 0 0 1x600`}
	}
	rejected := func(reason string) string {
		return `spanlake_receiver_rejected_spans_total{instance="a",project="shop",reason="` + reason + `"} 0+5x600`
	}
	return map[string]alertCase{
		"SpanlakeDown":          {`up{job="spanlake",instance="a"} 1x600`, `up{job="prod/spanlake-pods",instance="a"} 1 1 0x600`},
		"SpanlakeLogFull":       {rejected("invalid"), rejected("log_full")},
		"SpanlakeNotReceiving":  {rejected("log_full"), rejected("unavailable")},
		"SpanlakeLogAlarm":      {`spanlake_wal_alarms_total{kind="weak",instance="a"} 1x600`, `spanlake_wal_alarms_total{kind="hole",instance="a"} 0 1x600`},
		"SpanlakeLogGap":        counter("spanlake_builder_log_gaps_total"),
		"SpanlakeLostClaim":     counter("spanlake_builder_lost_claims_total"),
		"SpanlakeUndecodable":   counter("spanlake_builder_undecodable_messages_total"),
		"SpanlakeNotStoring":    {`spanlake_builder_store_failures_total{instance="a"} 0 1x600`, `spanlake_builder_store_failures_total{instance="a"} 0+1x600`},
		"SpanlakeBuildingStops": {`spanlake_builder_stopped_seconds_total{instance="a"} 0+5x600`, `spanlake_builder_stopped_seconds_total{instance="a"} 0+7x600`},
		"SpanlakeLateSpans":     {strings.ReplaceAll(lag, "%", "10"), strings.ReplaceAll(lag, "%", "5")},
		"SpanlakeQueriesFail": {`
spanlake_querier_query_duration_seconds_count{query="search",status="200",instance="a"} 0+96x600
spanlake_querier_query_duration_seconds_count{query="search",status="500",instance="a"} 0+4x600
spanlake_querier_query_duration_seconds_count{query="search",status="400",instance="a"} 0+50x600`, `
spanlake_querier_query_duration_seconds_count{query="search",status="200",instance="a"} 0+94x600
spanlake_querier_query_duration_seconds_count{query="search",status="503",instance="a"} 0+6x600`},
		"SpanlakeQueriesSlow":   {strings.ReplaceAll(latency, "%", "10"), strings.ReplaceAll(latency, "%", "8")},
		"SpanlakeProjectsStale": {`spanlake_project_directory_age_seconds{instance="a"} 59x600`, `spanlake_project_directory_age_seconds{instance="a"} 61x600`},
		"SpanlakeCompactorFails": {`
spanlake_compactor_last_success_timestamp_seconds{instance="a"} 0x600
spanlake_compactor_last_success_timestamp_seconds{instance="b"} 0+60x600`, `
spanlake_compactor_last_success_timestamp_seconds{instance="a"} 0x600
spanlake_compactor_last_success_timestamp_seconds{instance="b"} 60x600`},
		"SpanlakeMergesWait":   {`spanlake_compactor_pending_merges{instance="a"} 1x300 0 1x300`, `spanlake_compactor_pending_merges{instance="a"} 1x600`},
		"SpanlakeErasureWaits": {`spanlake_compactor_pending_erasures{instance="a"} 1x100 0x500`, `spanlake_compactor_pending_erasures{instance="a"} 0 1x600`},
		"SpanlakeLifecycleRules": {`
spanlake_compactor_lifecycle_differences{instance="a"} 0x600
spanlake_compactor_lifecycle_failures_total{instance="a"} 0x600`, `
spanlake_compactor_lifecycle_differences{instance="a"} 0x600
spanlake_compactor_lifecycle_failures_total{instance="a"} 0+1x600`},
	}
}

// Every alert fires on what it is for, after the time that it waits, and not before;
// and keeps quiet while all is well.
func TestAlertsFire(t *testing.T) {
	cases := alertCases()
	for _, r := range alertRules(t) {
		c, ok := cases[r.Alert]
		require.True(t, ok, "%s has no case", r.Alert)
		delete(cases, r.Alert)
		t.Run(r.Alert, func(t *testing.T) {
			require.Empty(t, firings(t, r, c.well))
			fired := firings(t, r, c.wrong)
			require.NotEmpty(t, fired)
			require.GreaterOrEqual(t, fired[0].after, time.Duration(r.For))
			require.NotContains(t, fired[0].summary, "error expanding template")
			require.NotContains(t, fired[0].summary, "<no value>")
			require.NotContains(t, fired[0].summary, "{{")
		})
	}
	require.Empty(t, cases, "of alerts that are not there")
}

type firing struct {
	after   time.Duration // since the series began
	summary string
}

// firings evaluates a rule every minute for ten hours and returns when it fired.
func firings(t *testing.T, r rulefmt.Rule, series string) (list []firing) {
	t.Helper()
	storage := promqltest.LoadedStorage(t, "load 1m\n  "+strings.ReplaceAll(strings.TrimSpace(series), "\n", "\n  "))
	t.Cleanup(func() { _ = storage.Close() })
	query := rules.EngineQueryFunc(prometheus(t), storage)
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(r.Expr)
	require.NoError(t, err)
	rule := rules.NewAlertingRule(r.Alert, expr, time.Duration(r.For), 0, labels.FromMap(r.Labels), labels.FromMap(r.Annotations),
		labels.EmptyLabels(), "", true, slog.New(slog.DiscardHandler))
	for at := time.Duration(0); at < 10*time.Hour; at += time.Minute {
		_, err := rule.Eval(t.Context(), 0, time.Unix(0, 0).Add(at), query, new(url.URL), 0)
		require.NoError(t, err)
		for _, a := range rule.ActiveAlerts() {
			if a.State == rules.StateFiring {
				list = append(list, firing{at, a.Annotations.Get("summary")})
			}
		}
	}
	return list
}

// prometheus is Prometheus' own engine.
func prometheus(t *testing.T) *promql.Engine {
	t.Helper()
	return promqltest.NewTestEngine(t, false, 5*time.Minute, 1_000_000)
}
