package wal_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLease(t *testing.T) {
	l := open(t, newWorld(t).options())
	held := func(holder string, while time.Duration) bool {
		ok, err := l.Lease(t.Context(), "compactor.p0of4.a=b_c-d", holder, while)
		require.NoError(t, err)
		return ok
	}
	require.True(t, held("one", time.Hour))
	require.False(t, held("two", time.Hour), "someone has it")
	require.True(t, held("one", time.Hour), "prolonged")
	require.True(t, held("one", 0), "given back")
	require.True(t, held("two", time.Nanosecond))
	require.True(t, held("one", time.Hour), "it has ended")

	other, err := l.Lease(t.Context(), "compactor.p1of4.a=b_c-d", "two", time.Hour)
	require.NoError(t, err)
	require.True(t, other, "names are apart")
}
