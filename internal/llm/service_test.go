package llm_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/llm"
	"github.com/spanlake/spanlake/internal/llm/price"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

func TestServiceOfAProject(t *testing.T) {
	n := llm.New(price.Shipped())
	for _, test := range []struct {
		name     string
		resource *schema.Resource
		want     string
	}{
		{"a project", otlp.NewResource(attr("openinference.project.name", "bot")), "bot"},
		{"a service counts", otlp.NewResource(attr("openinference.project.name", "bot"), attr("service.name", "shop")), "shop"},
		{"an empty one too", otlp.NewResource(attr("openinference.project.name", "bot"), attr("service.name", "")), ""},
		{"an empty project", otlp.NewResource(attr("openinference.project.name", "")), ""},
		{"neither", otlp.NewResource(attr("a", "b")), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			one, two := schema.Span{Resource: test.resource}, schema.Span{Resource: test.resource}
			first, second := n.Apply(&one), n.Apply(&two)
			require.Equal(t, test.want, one.Resource.ServiceName)
			require.Same(t, one.Resource, two.Resource, "rows share it")
			require.Zero(t, second)
			if one.Resource == test.resource {
				require.Zero(t, first)
			} else {
				require.Len(t, one.Resource.Wire, first)
			}
		})
	}
	for i := range 5000 { // as many as a client makes up
		s := schema.Span{Resource: otlp.NewResource(attr("openinference.project.name", strconv.Itoa(i)))}
		n.Apply(&s)
		require.Equal(t, strconv.Itoa(i), s.Resource.ServiceName)
	}
}
