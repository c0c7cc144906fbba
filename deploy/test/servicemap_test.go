package test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	remoteapi "github.com/prometheus/client_golang/exp/api/remote"
	clientprometheus "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/storage/remote"
	"github.com/prometheus/prometheus/util/teststorage"
	"github.com/stretchr/testify/require"
)

// Prometheus' own receiver of remote writes takes what the server pushes, and then
// every query of Grafana's service map and of the table below it gives data.
func TestServiceMap(t *testing.T) {
	stored := teststorage.New(t)
	defer func() { require.NoError(t, stored.Close()) }()
	handler := remote.NewWriteHandler(slog.New(slog.NewTextHandler(t.Output(), nil)), clientprometheus.NewRegistry(), stored,
		remoteapi.MessageTypes{remoteapi.WriteV1MessageType}, false, true)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if user, password, _ := req.BasicAuth(); user != "u" || password != "p" || req.URL.Path != "/api/v1/write" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		handler.ServeHTTP(w, req)
	}))
	defer receiver.Close()
	s := startLoaded(t, "-spanmetrics.enabled", "-spanmetrics.wait=1s", "-spanmetrics.remote-write-interval=1s",
		"-spanmetrics.remote-write-url="+strings.Replace(receiver.URL, "http://", "http://u:p@", 1)+"/api/v1/write")
	sum := func(expr string) float64 {
		found := askAt(t, stored, expr, time.Now())
		if len(found) == 0 {
			return 0
		}
		return found[0].F
	}
	const spans, total = "sum(traces_spanmetrics_calls_total)", `sum(traces_service_graph_request_total{connection_type="virtual_node"})`
	require.Eventually(t, func() bool {
		return sum(total) > 0 && sum("min(count_over_time(traces_service_graph_request_total[1m]))") >= 3 &&
			sum(fmt.Sprintf("min_over_time(%s[3s:1s])", spans)) == sum(spans)
	}, time.Minute, 100*time.Millisecond, "pushed, several times, and all is counted")

	for _, metric := range []string{
		"traces_service_graph_request_server_seconds_sum", "traces_service_graph_request_total",
		"traces_service_graph_request_failed_total", "traces_service_graph_request_server_seconds_bucket",
	} {
		require.NotEmpty(t, askAt(t, stored, fmt.Sprintf("sum by (client, server) (rate(%s[1m]))", metric), time.Now()), metric)
		require.NotEmpty(t, askAt(t, stored, fmt.Sprintf(`group by (client, connection_type, server) (%s{client="gateway"})`, metric), time.Now()), metric)
	}
	require.Len(t, askAt(t, stored, `topk(5, sum(rate(traces_spanmetrics_calls_total{span_kind="SPAN_KIND_SERVER"}[1m])) by (span_name))`, time.Now()), 5)
	require.NotEmpty(t, askAt(t, stored, `topk(5, sum(rate(traces_spanmetrics_calls_total{status_code="STATUS_CODE_ERROR"}[1m])) by (span_name))`, time.Now()))
	require.NotEmpty(t, askAt(t, stored, `histogram_quantile(.9, sum(rate(traces_spanmetrics_latency_bucket{span_name=~".+"}[1m])) by (le))`, time.Now()))

	scraped := s.scrape()
	counted := 0.0
	for series, value := range scraped {
		if strings.HasPrefix(series, "traces_service_graph_request_total{") {
			counted += value
		}
	}
	require.InDelta(t, sum("sum(traces_service_graph_request_total)"), counted, 0, "a scrape says the same")
	require.Positive(t, counted)
}
