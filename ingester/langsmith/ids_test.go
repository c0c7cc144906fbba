package langsmith

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/schema"
)

// Ids of runs that were made in one millisecond differ only at their ends.
func TestNoTwoRunsShareASpan(t *testing.T) {
	runs := make(map[string]schema.SpanID)
	for _, file := range captureFiles(t) {
		b := captured(t, file)
		if b == nil {
			continue
		}
		for _, r := range b.runs {
			id := r.place().id
			runs[id] = ingester.SpanIDOf(id)
		}
	}
	require.Greater(t, len(runs), 60)
	spans := make(map[schema.SpanID]string)
	for id, span := range runs {
		require.NotContains(t, spans, span, "%s and %s", id, spans[span])
		spans[span] = id
	}
}

func TestMadeAt(t *testing.T) {
	require.Equal(t, time.UnixMilli(1795245107447).UTC(), madeAt("01a1fcf2-68f7-71ae-88eb-2c42c3c2e56e", noon).UTC())
	require.Equal(t, noon, madeAt("01a1fcf2-68f7-41ae-88eb-2c42c3c2e56e", noon), "of version 4")
	require.Equal(t, noon, madeAt("", noon))
	require.Equal(t, noon, madeAt("x1a1fcf2-68f7-71ae-88eb-2c42c3c2e56e", noon), "no UUID")
}
