package objstore_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/mem"
)

func TestInstrument(t *testing.T) {
	reg := prometheus.NewRegistry()
	b := objstore.Instrument(mem.New(), reg)
	for _, key := range []string{"a", "b"} {
		require.NoError(t, b.Put(t.Context(), key, strings.NewReader("12345"), objstore.PutOptions{}))
	}
	require.ErrorIs(t, b.Put(t.Context(), "a", strings.NewReader("123"), objstore.PutOptions{IfNotExist: true}), objstore.ErrExist)
	_, _, err := b.Get(t.Context(), "a", objstore.GetOptions{Offset: -2})
	require.NoError(t, err)
	_, _, err = b.Get(t.Context(), "a", objstore.GetOptions{Offset: 9})
	require.ErrorIs(t, err, objstore.ErrRange)
	_, _, err = b.Get(t.Context(), "a", objstore.GetOptions{IfMatch: "x"})
	require.ErrorIs(t, err, objstore.ErrChanged)
	_, err = b.Stat(t.Context(), "c")
	require.ErrorIs(t, err, objstore.ErrNotExist)
	require.ErrorIs(t, b.Delete(t.Context(), "/"), objstore.ErrBadKey)
	require.Equal(t, []string{"a", "b"}, keys(t, b, objstore.ListOptions{}))
	for _, err := range b.List(t.Context(), objstore.ListOptions{}) {
		require.NoError(t, err)
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = b.Stat(ctx, "a")
	require.ErrorIs(t, err, context.Canceled)

	require.Equal(t, []string{
		"spanlake_objstore_errors_total delete bad_key: 1",
		"spanlake_objstore_errors_total get changed: 1",
		"spanlake_objstore_errors_total get range: 1",
		"spanlake_objstore_errors_total put exist: 1",
		"spanlake_objstore_errors_total stat canceled: 1",
		"spanlake_objstore_errors_total stat not_exist: 1",
		"spanlake_objstore_operation_duration_seconds delete: 1",
		"spanlake_objstore_operation_duration_seconds get: 3",
		"spanlake_objstore_operation_duration_seconds list: 2",
		"spanlake_objstore_operation_duration_seconds put: 3",
		"spanlake_objstore_operation_duration_seconds stat: 2",
		"spanlake_objstore_operations_total delete: 1",
		"spanlake_objstore_operations_total get: 3",
		"spanlake_objstore_operations_total list: 2",
		"spanlake_objstore_operations_total purge_versions: 0",
		"spanlake_objstore_operations_total put: 3",
		"spanlake_objstore_operations_total stat: 2",
		"spanlake_objstore_read_bytes_total: 2",
		"spanlake_objstore_written_bytes_total: 10",
	}, gather(t, reg))
}

// gather renders counters, and the number of observations of histograms.
func gather(t *testing.T, reg prometheus.Gatherer) (lines []string) {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			line := []string{family.GetName()}
			for _, label := range m.GetLabel() {
				line = append(line, label.GetValue())
			}
			value := m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
			lines = append(lines, fmt.Sprintf("%s: %g", strings.Join(line, " "), value))
		}
	}
	return lines
}

func TestInstrumentCountsAFailedListing(t *testing.T) {
	reg := prometheus.NewRegistry()
	bucket := mem.New()
	require.NoError(t, bucket.Put(t.Context(), "a", strings.NewReader(""), objstore.PutOptions{}))
	b := objstore.Instrument(&failing{Bucket: bucket, every: 1}, reg)
	for _, err := range b.List(t.Context(), objstore.ListOptions{}) {
		require.ErrorIs(t, err, objstore.ErrTransient)
	}
	require.Contains(t, gather(t, reg), "spanlake_objstore_errors_total list transient: 1")
}
