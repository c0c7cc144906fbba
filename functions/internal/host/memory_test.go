package host

import (
	"math"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLimitMemory(t *testing.T) {
	before := debug.SetMemoryLimit(math.MaxInt64)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	set := func(env map[string]string) int64 {
		debug.SetMemoryLimit(math.MaxInt64)
		LimitMemory(func(name string) (string, bool) {
			value, ok := env[name]
			return value, ok
		})
		return debug.SetMemoryLimit(-1)
	}
	require.EqualValues(t, 512<<20/100*80, set(map[string]string{"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512"}))
	require.EqualValues(t, math.MaxInt64, set(map[string]string{"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512", "GOMEMLIMIT": "off"}))
	for _, text := range []string{"", "0", "-1", "x", "9223372036854775807"} {
		require.EqualValues(t, math.MaxInt64, set(map[string]string{"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": text}), text)
	}
	require.EqualValues(t, math.MaxInt64, set(nil))
}

func TestMemory(t *testing.T) {
	for text, want := range map[string]int64{"512": 512 << 20 / 100 * 100, "10240": 10 << 30 / 100 * 100, "": 0, "x": 0} {
		require.Equal(t, want, Memory(func(string) (string, bool) { return text, true }))
	}
}
