package spanmetrics

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/exp/api/remote"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/prometheus/prompb"
)

// push sends all series every interval until ctx ends. What a receiver does not take
// within one is left out: the next has newer counts of the same.
func (g *Generator) push(ctx context.Context) {
	api, err := newAPI(g.cfg.RemoteWriteURL, g.logger)
	if err != nil {
		g.logger.ErrorContext(ctx, "counts are not pushed", slog.Any("err", err))
		return
	}
	ticker := time.NewTicker(g.cfg.RemoteWriteInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		request, err := g.store.writeRequest()
		if err == nil && len(request.Timeseries) > 0 {
			within, cancel := context.WithTimeout(ctx, g.cfg.RemoteWriteInterval)
			_, err = api.Write(within, remote.WriteV1MessageType, request)
			cancel()
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			g.metrics.pushes.WithLabelValues("failed").Inc()
			g.logger.WarnContext(ctx, "a remote write failed, the next one has all counts", slog.Any("err", err))
		default:
			g.metrics.pushes.WithLabelValues("done").Inc()
		}
	}
}

// newAPI is a client of the URL as it is, with its user as Basic authentication.
func newAPI(address string, logger *slog.Logger) (*remote.API, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("remote write: %w", err)
	}
	user := u.User
	u.User = nil
	path := u.Path
	u.Path = ""
	client := &http.Client{Transport: withUser{user, http.DefaultTransport}}
	return remote.NewAPI(u.String(), remote.WithAPIPath(path), remote.WithAPIHTTPClient(client), remote.WithAPILogger(logger))
}

// withUser adds credentials to requests.
type withUser struct {
	user *url.Userinfo
	next http.RoundTripper
}

func (t withUser) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.user != nil {
		req = req.Clone(req.Context())
		password, _ := t.user.Password()
		req.SetBasicAuth(t.user.Username(), password)
	}
	return t.next.RoundTrip(req)
}

// writeRequest is what a scrape of the store would give, as a remote write.
func (s *store) writeRequest() (*prompb.WriteRequest, error) {
	registry := prometheus.NewRegistry()
	if err := registry.Register(s); err != nil {
		return nil, err
	}
	families, err := registry.Gather()
	if err != nil {
		return nil, err
	}
	request, now := new(prompb.WriteRequest), s.now().UnixMilli()
	for _, f := range families {
		request.Metadata = append(request.Metadata, prompb.MetricMetadata{
			Type: metadataType(f.GetType()), MetricFamilyName: f.GetName(), Help: f.GetHelp(),
		})
		for _, m := range f.GetMetric() {
			sample := func(suffix string, value float64, more ...prompb.Label) {
				request.Timeseries = append(request.Timeseries, prompb.TimeSeries{
					Labels:  labelsOf(f.GetName()+suffix, m.GetLabel(), more),
					Samples: []prompb.Sample{{Value: value, Timestamp: now}},
				})
			}
			h := m.GetHistogram()
			if h == nil {
				sample("", m.GetCounter().GetValue())
				continue
			}
			for _, b := range h.GetBucket() {
				sample("_bucket", float64(b.GetCumulativeCount()), le(b.GetUpperBound()))
			}
			sample("_bucket", float64(h.GetSampleCount()), le(math.Inf(1)))
			sample("_sum", h.GetSampleSum())
			sample("_count", float64(h.GetSampleCount()))
		}
	}
	return request, nil
}

func metadataType(t dto.MetricType) prompb.MetricMetadata_MetricType {
	if t == dto.MetricType_HISTOGRAM {
		return prompb.MetricMetadata_HISTOGRAM
	}
	return prompb.MetricMetadata_COUNTER
}

func le(bound float64) prompb.Label {
	text := strconv.FormatFloat(bound, 'g', -1, 64)
	if math.IsInf(bound, 1) {
		text = "+Inf"
	}
	return prompb.Label{Name: "le", Value: text}
}

// labelsOf are the labels of a series, in the order of their names, which is what
// receivers demand. Labels of no text are left out: they are the same as none.
func labelsOf(name string, pairs []*dto.LabelPair, more []prompb.Label) []prompb.Label {
	list := append([]prompb.Label{{Name: "__name__", Value: name}}, more...)
	for _, pair := range pairs {
		if pair.GetValue() != "" {
			list = append(list, prompb.Label{Name: pair.GetName(), Value: pair.GetValue()})
		}
	}
	slices.SortFunc(list, func(a, b prompb.Label) int { return strings.Compare(a.Name, b.Name) })
	return list
}
