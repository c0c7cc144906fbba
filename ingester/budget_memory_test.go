package ingester

import (
	"math"
	"runtime/debug"
	"testing"

	"github.com/grafana/dskit/flagext"
	"github.com/stretchr/testify/require"
)

func TestDefaultBuildMemory(t *testing.T) {
	const mib = int64(1 << 20)
	for _, test := range []struct {
		name                 string
		set                  flagext.Bytes
		partitions, encoding int
		memory               int64
		want                 int64
	}{
		{"one partition", 0, 1, 1, 0, 112 * mib},
		{"one partition, many processors", 0, 1, 16, 0, 112 * mib},
		{"four partitions, two processors", 0, 4, 1, 0, 256 * mib},
		{"four partitions, many processors", 0, 4, 16, 0, 400 * mib},
		{"a machine with enough", 0, 1, 1, 8 * 112 * mib, 112 * mib},
		{"a smaller one", 0, 1, 1, 8*112*mib - 8, 112*mib - 1},
		{"a tiny one still takes a batch", 0, 4, 4, mib, 16 * mib},
		{"as configured", 700 << 20, 1, 1, mib, 700 * mib},
		{"as much as there is", flagext.Bytes(math.MaxUint64), 1, 1, 0, math.MaxInt64},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := Config{CutBytes: 16 << 20, LiveBytes: 16 << 20, BuildMemory: test.set}
			require.Equal(t, test.want, cfg.buildMemory(test.partitions, test.encoding, test.memory))
		})
	}
}

func TestProcessMemory(t *testing.T) {
	limit := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(limit) })
	debug.SetMemoryLimit(math.MaxInt64)
	machine := machineMemory()
	if machine > 0 {
		require.Greater(t, machine, int64(64<<20))
		require.LessOrEqual(t, processMemory(), machine)
	}
	debug.SetMemoryLimit(1 << 40)
	require.EqualValues(t, 1<<40, processMemory(), "GOMEMLIMIT counts more")

	for _, test := range []struct {
		limit   string
		machine int64
		want    int64
	}{
		{"max\n", 100, 100}, {"50\n", 100, 50}, {"50\n", 0, 50}, {"200\n", 100, 100}, {"", 100, 100}, {"-5", 100, 100}, {"99999999999999999999", 100, 100},
	} {
		require.Equal(t, test.want, smaller(test.limit, test.machine), test.limit)
	}
}
