package traceql_test

import (
	"errors"
	"fmt"

	"github.com/spanlake/spanlake/traceql"
)

func ExampleParse() {
	q, err := traceql.Parse(`{ span:status = error }>>{ duration > 60s } | count() > 1 + 1 with (most_recent=true)`)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(q)
	for _, stage := range q.Pipeline {
		fmt.Printf("%T at %d\n", stage, stage.Pos())
	}
	// Output:
	// { status = error } >> { duration > 1m0s } | count() > 2 with(most_recent=true)
	// *traceql.SpansetOperation at 23
	// *traceql.ScalarFilter at 54
}

func ExampleParse_metrics() {
	q, err := traceql.Parse(`({ status = error } | rate()) / ({ } | rate()) > .05`)
	if err != nil {
		fmt.Println(err)
		return
	}
	ratio, _ := q.Metrics.(*traceql.MetricsBinary)
	fmt.Println(ratio.Op, len(ratio.Stages))
	fmt.Println(ratio.Left)
	// Output:
	// / 1
	// { status = error } | rate()
}

func ExampleError() {
	_, err := traceql.Parse("{ .a = 1 &&\n  status = \"error\" }")
	if mistake, ok := errors.AsType[*traceql.Error](err); ok {
		fmt.Println(mistake.Line, mistake.Column)
		fmt.Println(mistake.Hint)
	}
	fmt.Println(errors.Is(err, traceql.ErrType))
	// Output:
	// 2 10
	// write it without quotes: status = error
	// true
}

func ExampleQuery_OrderBy() {
	q, err := traceql.Parse(`{ status = error } with(order_by="span.gen_ai.usage.cost desc")`)
	if err != nil {
		fmt.Println(err)
		return
	}
	field, descending, ok := q.OrderBy()
	fmt.Println(field, descending, ok)
	// Output: span.gen_ai.usage.cost true true
}

func ExampleQuery_Fields() {
	q, err := traceql.Parse(`{ .a = 1 } | by(name) | rate() by (resource.service.name)`)
	if err != nil {
		fmt.Println(err)
		return
	}
	for field := range q.Fields() {
		fmt.Println(field)
	}
	// Output:
	// .a
	// name
	// resource.service.name
}

func ExampleParseLenient() {
	fmt.Println(traceql.ParseLenient(`{ resource.service.name = "cart" && (name = "a" || name = "b") && span.http.`))
	// Output: { resource.service.name = "cart" && (name = "a" || name = "b") }
}
