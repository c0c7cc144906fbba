package mcp

import (
	"context"
	"net/url"
	"time"

	"github.com/spanlake/spanlake/internal/engine"
)

// InstantInput are the arguments of traceql-metrics-instant.
type InstantInput struct {
	Query string `json:"query" jsonschema:"TraceQL metrics query, such as { } | quantile_over_time(duration, .95) by (resource.service.name)"`

	Times
	Paging
}

func instant(ctx context.Context, c *call, in InstantInput) error {
	params, err := metricsOf(c.page, in.Times, in.Query)
	if err != nil {
		return err
	}
	found, err := c.q.MetricsInstant(ctx, c.id, params)
	if err != nil {
		return err
	}
	return c.write(headOf(found.Message), "series", len(found.Series), func(i int) any {
		s := &found.Series[i]
		return map[string]any{"labels": shortened(s.Labels), "value": sample(s.Values, 0)}
	})
}

// RangeInput are the arguments of traceql-metrics-range.
type RangeInput struct {
	Query string `json:"query" jsonschema:"TraceQL metrics query, such as { status = error } | rate() by (resource.service.name)"`
	Step  string `json:"step,omitempty" jsonschema:"time between samples, such as 1m; default: one that gives a readable number of them"`

	Times
	Paging
}

// samples is how many samples of a series are in one element of the list.
const samples = 40

func series(ctx context.Context, c *call, in RangeInput) error {
	params, err := metricsOf(c.page, in.Times, in.Query)
	if err != nil {
		return err
	}
	params.Set("step", in.Step)
	found, err := c.q.MetricsRange(ctx, c.id, params)
	if err != nil {
		return err
	}
	head := headOf(found.Message)
	if len(found.Times) > 1 {
		head["step_seconds"] = float64(found.Times[1]-found.Times[0]) / 1e9
	}
	head["samples_each"] = len(found.Times)
	parts := (len(found.Times) + samples - 1) / samples
	return c.write(head, "series", len(found.Series)*parts, func(i int) any {
		return seriesPart(&found.Series[i/parts], found.Times, i%parts*samples)
	})
}

// seriesPart are some samples of a series. Those of one that have none are left out.
func seriesPart(s *engine.Series, times []uint64, first int) any {
	list := make([]any, 0, samples)
	for i := first; i < min(first+samples, len(times)); i++ {
		list = append(list, sample(s.Values, i))
	}
	return map[string]any{"labels": shortened(s.Labels), "from": timeText(times[first]), "values": list}
}

// sample is a number, nil if there is none.
func sample(list []float64, i int) any {
	if i >= len(list) || list[i]-list[i] != 0 {
		return nil
	}
	return list[i]
}

func metricsOf(p *page, times Times, query string) (url.Values, error) {
	if err := checkQuery(query); err != nil {
		return nil, err
	}
	params, err := times.span(p, time.Now())
	if err == nil {
		params.Set("q", query)
	}
	return params, err
}

// headOf says why an answer is not whole, if it is not.
func headOf(message string) map[string]any {
	if message == "" {
		return map[string]any{}
	}
	return map[string]any{"note": cut(message, maxLongName)}
}
