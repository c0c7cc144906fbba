package app

import (
	"context"
	"log/slog"

	"github.com/grafana/dskit/services"

	"github.com/spanlake/spanlake/internal/spanmetrics"
)

// newSpanMetrics makes what counts spans and calls between services.
func (a *App) newSpanMetrics() services.Service {
	return late(func(context.Context) (services.Service, error) {
		return spanmetrics.New(a.cfg.SpanMetrics, a.log, a.bucket, a.logger.With(slog.String("component", "spanmetrics")), a.reg)
	})
}
