package traceqltest_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql/traceqltest"
	"github.com/spanlake/spanlake/traceql/traceqltest/oracle"
)

func open(_ *testing.T, rows []schema.Span) traceqltest.Engine { return oracle.New(rows) }

// In a test of an engine, that it answers all scripts of this package.
func ExampleRun() {
	_ = func(t *testing.T) {
		t.Helper()
		traceqltest.Run(t, traceqltest.Scripts(), func(_ *testing.T, rows []schema.Span) traceqltest.Engine {
			return oracle.New(rows) // the engine that the test is about
		})
	}
}

// What Rewrite writes, Run takes; and everything but the answers stays as it was.
func TestRewrite(t *testing.T) {
	folder := t.TempDir()
	const script = `# Comments stay.
load
  trace 0af7
    a 1s 2s server ok .list=["x y",1,[true]] .map={"k":b"\x00"} name="first" message="m" scope="lib" version="1"
      b 1500ms 1s id=0c .f=2.5 ."odd key"="v" instrumentation.i=1 service="s"
        event e 1ms .n=1
        link 1 2 .l=nil
    c 0s 1s parent=99 resource.zone="eu"

eval { .n = 1 }
  1: wrong

eval traces limit=1 from=0s to=10s { event.n = 1 && link.l = nil } | select(."odd key", span.f)

# At the end, too.
eval instant 0s 10s { } | count_over_time()

eval range 1s 0s 2s { } | rate() by (name)
  old

fail { .a = }
  expected a value
`
	const want = `# Comments stay.
load
  trace 0af7
    a 1s 2s server ok .list=["x y",1,[true]] .map={"k":b"\x00"} name="first" message="m" scope="lib" version="1"
      b 1500ms 1s id=0c .f=2.5 ."odd key"="v" instrumentation.i=1 service="s"
        event e 1ms .n=1
        link 1 2 .l=nil
    c 0s 1s parent=99 resource.zone="eu"

eval { .n = 1 }

eval traces limit=1 from=0s to=10s { event.n = 1 && link.l = nil } | select(."odd key", span.f)
  af7: start 0s, 3000 ms, root "<root span not yet received>" "first"
  af7: 1: b(n=1, odd key="v", f=2.5)

# At the end, too.
eval instant 0s 10s { } | count_over_time()
  {__name__="count_over_time"} 3

eval range 1s 0s 2s { } | rate() by (name)
  {name="b"} 0 0 1
  {name="c"} 1 0 0
  {name="first"} 0 1 0

fail { .a = }
  expected a value
`
	name := filepath.Join(folder, "one.txt")
	require.NoError(t, os.WriteFile(name, []byte(script), 0o600))
	traceqltest.Rewrite(t, folder, open)
	got, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, want, string(got))
	traceqltest.Run(t, os.DirFS(folder), open)
}

// Mistakes in a script name their line.
func TestPlayMistakes(t *testing.T) {
	for script, want := range map[string]string{
		"  lost":                                `line 1: "lost" belongs to no command`,
		"ask { }":                               `line 1: ask { }: "ask" is no command`,
		"eval { }":                              "line 1: eval { }: nothing is loaded",
		"load\n  a 1s 1s":                       `line 1: load: line 2: "a 1s 1s": want a trace first`,
		"load\n  trace 1\n    a 1s":             `line 1: load: line 3: "a 1s": want a name, a start and a duration`,
		"load\n  trace 1\n    a x 1s":           `line 1: load: line 3: start: time: invalid duration "x"`,
		"load\n  trace 1\n    a 1s 1s what":     `line 1: load: line 3: "what": want a kind, a status or key=value`,
		"load\n  trace 1\n    a 1s 1s what=1":   `line 1: load: line 3: "what" is not known`,
		"load\n  trace 1\n    a 1s 1s .a=x":     `line 1: load: line 3: "x" is no value`,
		"load\n  trace 1\n    a 1s 1s .a=[1":    "line 1: load: line 3: a quote or bracket is not closed: a 1s 1s .a=[1",
		"load\n  trace 1\n    a 1s 1s .a=\"b":   "line 1: load: line 3: a quote or bracket is not closed: a 1s 1s .a=\"b",
		"load\n  trace 1\n    a 1s 1s .a=1]":    "line 1: load: line 3: a quote or bracket is not closed: a 1s 1s .a=1]",
		"load\n\neval limit=x { }":              `line 3: eval limit=x { }: limit=x: strconv.Atoi: parsing "x": invalid syntax`,
		"load\n\neval most=1 { }":               `line 3: eval most=1 { }: "most" is no setting`,
		"load\n\neval range 1s 0s x { }|rate()": `line 3: eval range 1s 0s x { }|rate(): time: time: invalid duration "x"`,
		"fail { }":                              "line 1: fail { }: it is not refused",
	} {
		_, err := traceqltest.Play(t, []byte(script), open)
		require.EqualError(t, err, want, script)
	}
}
