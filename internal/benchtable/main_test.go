package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTables(t *testing.T) {
	const input = `goos: linux
goarch: amd64
pkg: example.com/a
cpu: A Processor
BenchmarkEncode-2         	       8	 139124000 ns/op	  92.00 MB/s	    359123 spans/s	 1234567 B/op	     321 allocs/op
BenchmarkScan/columns=a-b-2   	 5000000	       241.6 ns/op	       0 B/op	       0 allocs/op
--- BENCH: BenchmarkScan
    a_test.go:1: a remark
PASS
ok  	example.com/a	3.210s
?   	example.com/none	[no test files]
PASS
ok  	example.com/empty	0.010s
pkg: example.com/b
cpu: A Processor
BenchmarkOnly 	       1	1500000000 ns/op
PASS
ok  	example.com/b	1.510s
`
	const want = `A Processor
--- BENCH: BenchmarkScan
    a_test.go:1: a remark

example.com/a
  benchmark         time/op  MB/s   B/op  allocs/op  spans/s
  Encode             139 ms    92  1.23M        321     359k
  Scan/columns=a-b   242 ns            0          0         

example.com/b
  benchmark  time/op
  Only        1.50 s
`
	var out strings.Builder
	require.NoError(t, run(strings.NewReader(input), &out))
	require.Equal(t, want, out.String())
}

func TestFailures(t *testing.T) {
	for name, input := range map[string]string{
		"benchmark": "pkg: example.com/a\n--- FAIL: BenchmarkA-2\n    a_test.go:9: wrong\nFAIL\nexit status 1\nFAIL\texample.com/a\t0.1s\n",
		"build":     "# example.com/a\n./a.go:3:1: syntax error\nFAIL\texample.com/a [build failed]\n",
		"panic":     "pkg: example.com/a\nBenchmarkA-2 \tpanic: oops\n\ngoroutine 1 [running]:\nFAIL\texample.com/a\t0.1s\n",
		"subtest":   "pkg: example.com/a\n    --- FAIL: BenchmarkA/b-2\n",
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			require.ErrorIs(t, run(strings.NewReader(input), &out), errFailed)
			for line := range strings.Lines(input) {
				if text := strings.TrimSpace(line); text != "FAIL" && !strings.HasPrefix(text, "pkg:") {
					require.Contains(t, out.String(), text)
				}
			}
		})
	}
}

func TestShort(t *testing.T) {
	for value, want := range map[float64]string{
		0: "0", 1: "1", 0.126: "0.13", 9.996: "10.0", 12.34: "12.3", 999.4: "999", 999.6: "1.00k", 123_456: "123k", 5e6: "5M", 2.5e9: "2.50G",
	} {
		require.Equal(t, want, short(value))
	}
	for nanos, want := range map[float64]string{0.5: "0.50 ns", 1000: "1 µs", 1_234_567: "1.23 ms", 90e9: "90 s"} {
		require.Equal(t, want, duration(nanos))
	}
}
