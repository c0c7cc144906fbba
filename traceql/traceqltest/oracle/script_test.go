package oracle_test

import (
	"flag"
	"testing"

	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql/traceqltest"
	"github.com/spanlake/spanlake/traceql/traceqltest/oracle"
)

var rewrite = flag.Bool("rewrite", false, "write the oracle's answers into the scripts of traceqltest")

func TestScripts(t *testing.T) {
	open := func(_ *testing.T, rows []schema.Span) traceqltest.Engine { return oracle.New(rows) }
	if *rewrite {
		traceqltest.Rewrite(t, "../testdata", open)
		return
	}
	traceqltest.Run(t, traceqltest.Scripts(), open)
}
