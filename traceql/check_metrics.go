package traceql

import "fmt"

// maxQuantiles bounds the quantiles of a query, each of which is a series of
// its own.
const maxQuantiles = 64

// metrics checks an expression that is nested in depth others.
func (c *checker) metrics(e MetricsExpr, depth int) error {
	if depth > maxNesting {
		return c.tooDeep(e.Pos())
	}
	switch e := e.(type) {
	case *MetricsQuery:
		return c.metricsQuery(e, depth)
	case *MetricsBinary:
		for _, side := range []MetricsExpr{e.Left, e.Right} {
			if err := c.metrics(side, depth+1); err != nil {
				return err
			}
		}
		return c.secondStages(e.Stages)
	case *MetricsLiteral:
	}
	return nil
}

func (c *checker) metricsQuery(e *MetricsQuery, depth int) error {
	if err := c.pipeline(e.Pipeline, depth); err != nil {
		return err
	}
	f := e.Function
	if f.Compare != nil {
		switch {
		case depth > 0:
			return c.fail(f, "it is not possible to calculate with the result of compare", "")
		case len(e.Stages) > 0:
			return c.fail(e.Stages[0], "nothing can follow compare", "")
		}
		return c.compare(f)
	}
	if f.Field != nil {
		if err := c.expr(f.Field, 0); err != nil {
			return err
		}
	}
	if len(f.Quantiles) > maxQuantiles {
		return c.fail(f, fmt.Sprintf("there are %d quantiles, the limit is %d", len(f.Quantiles), maxQuantiles), "")
	}
	for _, q := range f.Quantiles {
		if q > 1 {
			return c.fail(f, fmt.Sprintf("a quantile is between 0 and 1, not %v", q), adviceForQuantile(q))
		}
	}
	if len(f.By) > f.Op.maxBy() {
		return c.fail(f.By[f.Op.maxBy()], fmt.Sprintf("%s groups by %d fields at most, there are %d", f.Op, f.Op.maxBy(), len(f.By)), "")
	}
	if err := c.fields(f.By); err != nil {
		return err
	}
	return c.secondStages(e.Stages)
}

func (c *checker) compare(f *MetricsFunction) error {
	if err := c.filter(f.Compare.Selection); err != nil {
		return err
	}
	if n := f.Compare.TopN; n < 1 || n > MaxTopN {
		return c.fail(f, fmt.Sprintf("compare shows from 1 to %d values", MaxTopN), "")
	}
	start, end := f.Compare.StartNanos, f.Compare.EndNanos
	if (start == 0) != (end == 0) || end < start {
		return c.fail(f, "the end of compare's range is before its start, or one of them is 0", "times are Unix nanoseconds")
	}
	return nil
}

func (c *checker) secondStages(stages []SecondStage) error {
	for _, s := range stages {
		if k, ok := s.(*TopK); ok && k.N < 1 {
			return c.fail(k, "at least 1 series has to be kept", "")
		}
	}
	return nil
}

// adviceForQuantile translates percentiles.
func adviceForQuantile(q float64) string {
	if q > 100 {
		return ""
	}
	return fmt.Sprintf("write %v for p%v", q/100, q)
}
