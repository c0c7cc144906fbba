package traceql_test

import (
	"strings"
	"testing"

	"github.com/spanlake/spanlake/traceql"
)

func BenchmarkParse(b *testing.B) {
	for name, query := range map[string]string{
		"equal":  `{ resource.service.name = "gateway" }`,
		"mixed":  `{ resource.service.name = "cart" && span.http.response.status_code >= 500 && (duration > 1.5s || status = error) }`,
		"regex":  `{ span.http.route =~ "/api/[cp].*" }`,
		"chain":  "{ .a = `x0`" + strings.Repeat(" || .a = `xyz`", 100) + " }",
		"stages": `{ resource.service.name = "cart" } >> { status = error } | by(span.http.route) | count() > 3 | select(span.user.id)`,
		"series": `({ status = error } | rate() by (resource.service.name)) / ({ } | rate() by (resource.service.name)) > 0.05 | topk(10)`,
		"broken": `{ span.foo = 'bar' }`,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(query)))
			for b.Loop() {
				_, err := traceql.Parse(query)
				if (err != nil) != (name == "broken") {
					b.Fatal(err)
				}
			}
		})
	}
}
