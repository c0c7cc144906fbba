package querier

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/querier/tempopb"
	"github.com/spanlake/spanlake/schema"
)

// streams answers the calls of tempopb.StreamingQuerier. Its methods translate
// requests into the parameters of the HTTP API, so that both are read, checked
// and refused alike.
type streams struct{ q *Querier }

var _ tempopb.StreamingQuerier = streams{}

// serve is what all calls share: projects, limits, errors, metrics.
func (s streams) serve(name string, stream tempopb.Stream, f func(context.Context, []schema.ProjectID) error) error {
	begun := time.Now()
	ctx, cancel := s.q.withLimits(stream.Context())
	defer cancel()
	projects, err := projectsOf(strings.Join(metadata.ValueFromIncomingContext(ctx, headerProject), separator))
	if err == nil {
		err = s.q.permitted(ctx, projects, func() error { return f(ctx, projects) })
	}
	err = s.q.limited(ctx, err)
	code := http.StatusOK
	if err != nil {
		code = status(err)
	}
	if _, sent := errors.AsType[interface {
		error
		GRPCStatus() *grpcstatus.Status
	}](err); sent { // by the stream, since the client is gone
		code = statusClientClosed
	}
	s.q.metrics.queries.WithLabelValues(name, strconv.Itoa(code)).Observe(time.Since(begun).Seconds())
	if code >= http.StatusInternalServerError {
		s.q.logger.ErrorContext(ctx, "a query failed", slog.String("query", name), slog.Any("err", err))
	}
	if err == nil {
		return nil
	}
	return grpcstatus.Error(codeOf(code), err.Error())
}

// codeOf is the code of gRPC that Tempo answers for a status of HTTP.
func codeOf(code int) codes.Code {
	switch {
	case code == http.StatusNotFound:
		return codes.NotFound
	case code == http.StatusForbidden:
		return codes.PermissionDenied
	case code == http.StatusTooManyRequests:
		return codes.ResourceExhausted
	case code == statusClientClosed, code == http.StatusGatewayTimeout:
		return codes.Canceled
	case code >= http.StatusInternalServerError:
		return codes.Internal
	}
	return codes.InvalidArgument
}

// Search sends the newest traces that match: what is sure now and then while it
// searches, and the whole answer at the end.
func (s streams) Search(r *tempopb.SearchRequest, stream tempopb.Stream) error {
	return s.serve("grpc_search", stream, func(ctx context.Context, projects []schema.ProjectID) error {
		values, err := searchValues(r)
		if err != nil {
			return err
		}
		params, err := s.q.searchParams(values, time.Now())
		if err != nil {
			return err
		}
		return streamed(ctx, s.q.partialEvery, stream, func(ctx context.Context, reports chan *tempopb.SearchResponse) (*tempopb.SearchResponse, error) {
			return s.q.find(ctx, projects, params, reportTo(reports, !params.hasQuery))
		})
	})
}

// SearchTags sends the names of tags of all scopes together.
func (s streams) SearchTags(r *tempopb.TagsRequest, stream tempopb.Stream) error {
	return s.serve("grpc_tags_v1", stream, func(ctx context.Context, projects []schema.ProjectID) error {
		response, err := s.q.listNames(ctx, projects, tagsValues(r))
		if err != nil {
			return err
		}
		return stream.SendAll(response)
	})
}

// SearchTagsV2 sends the names of tags by scope.
func (s streams) SearchTagsV2(r *tempopb.TagsRequest, stream tempopb.Stream) error {
	return s.serve("grpc_tags_v2", stream, func(ctx context.Context, projects []schema.ProjectID) error {
		response, err := s.q.listScopes(ctx, projects, tagsValues(r))
		if err != nil {
			return err
		}
		return stream.SendAll(response)
	})
}

// SearchTagValues sends the values of a tag as texts.
func (s streams) SearchTagValues(r *tempopb.TagValuesRequest, stream tempopb.Stream) error {
	return s.serve("grpc_tag_values_v1", stream, func(ctx context.Context, projects []schema.ProjectID) error {
		response, err := s.q.listTexts(ctx, projects, r.TagName, tagValuesValues(r))
		if err != nil {
			return err
		}
		return stream.SendAll(response)
	})
}

// SearchTagValuesV2 sends the values of a field with their types.
func (s streams) SearchTagValuesV2(r *tempopb.TagValuesRequest, stream tempopb.Stream) error {
	return s.serve("grpc_tag_values_v2", stream, func(ctx context.Context, projects []schema.ProjectID) error {
		response, err := s.q.listValues(ctx, projects, r.TagName, tagValuesValues(r))
		if err != nil {
			return err
		}
		return stream.SendAll(response)
	})
}

// MetricsQueryRange sends the samples of a metrics query: the newest now and then
// while older ones are counted, and all at the end.
func (s streams) MetricsQueryRange(r *tempopb.QueryRangeRequest, stream tempopb.Stream) error {
	return s.serve("grpc_metrics_range", stream, func(ctx context.Context, projects []schema.ProjectID) error {
		values, err := rangeValues(r)
		if err != nil {
			return err
		}
		return streamed(ctx, s.q.partialEvery, stream, func(ctx context.Context, reports chan *tempopb.QueryRangeResponse) (*tempopb.QueryRangeResponse, error) {
			response, err := s.q.queryRange(ctx, projects, values, reports)
			if err == nil {
				response.Windows = true
			}
			return response, err
		})
	})
}

// MetricsQueryInstant sends one value for each series of a metrics query: what was
// counted so far now and then, and all at the end.
func (s streams) MetricsQueryInstant(r *tempopb.QueryInstantRequest, stream tempopb.Stream) error {
	return s.serve("grpc_metrics_instant", stream, func(ctx context.Context, projects []schema.ProjectID) error {
		return streamed(ctx, s.q.partialEvery, stream, func(ctx context.Context, reports chan *tempopb.QueryInstantResponse) (*tempopb.QueryInstantResponse, error) {
			return s.q.queryInstant(ctx, projects, instantValues(r), reports)
		})
	})
}

// partialEvery is how often something is sent of a query that is not done.
const partialEvery = 500 * time.Millisecond

// streamed runs a query and sends. While it runs it sends, not more often than
// asked, what the query has left in a channel, which has room for one report and
// holds all that was not sent; the query goes on while a client is slow to take it.
// Every message says how much is done.
func streamed[R tempopb.Reply](
	ctx context.Context, every time.Duration, stream tempopb.Stream, run func(ctx context.Context, reports chan R) (R, error),
) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	reports := make(chan R, 1) // what was not sent
	var response R
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		response, err = run(ctx, reports)
	}()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			if err != nil {
				return err
			}
			return stream.SendAll(response)
		case <-ticker.C:
		}
		select {
		case partial := <-reports:
			if err := stream.SendAll(partial); err != nil {
				cancel()
				<-done
				return err
			}
		default:
		}
	}
}

// reportTo returns a report that leaves in the channel what nobody has taken yet.
func reportTo(reports chan *tempopb.SearchResponse, bare bool) searchReport {
	seen := make(map[schema.TraceID]struct{})
	return func(found []engine.TraceResult, metrics tempopb.SearchMetrics) {
		waiting := new(tempopb.SearchResponse)
		select {
		case waiting = <-reports:
		default:
		}
		waiting.Bare, waiting.Metrics = bare, metrics
		for i := range found {
			if _, ok := seen[found[i].TraceID]; !ok {
				seen[found[i].TraceID] = struct{}{}
				waiting.Traces = append(waiting.Traces, found[i])
			}
		}
		reports <- waiting // it is empty: nobody else fills it
	}
}
