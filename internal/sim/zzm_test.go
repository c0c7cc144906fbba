package sim_test

import (
	"context"

	"github.com/spanlake/spanlake/traceql"
	"github.com/spanlake/spanlake/traceql/traceqltest"
)

func (p placed) Metrics(context.Context, *traceql.Query, traceqltest.MetricsOptions) ([]traceqltest.Series, error) {
	return nil, traceql.ErrUnsupported
}
