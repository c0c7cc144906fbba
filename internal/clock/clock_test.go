package clock_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/clock"
)

func TestClocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		require.False(t, clock.Before(begun, begun))
		time.Sleep(time.Minute)
		require.Equal(t, time.Minute, clock.Since(begun))
		require.True(t, clock.Before(begun, time.Now()))
		require.False(t, clock.Before(time.Now(), begun))
		// What was read off the wall only.
		require.Equal(t, time.Minute, clock.Since(begun.Round(0)))
		require.True(t, clock.Before(begun.Round(0), time.Now()))
	})
}
