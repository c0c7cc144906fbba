package zipkin

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/otlp"
)

// FuzzSpans: of whatever is sent either nothing is taken, or what OTLP can read.
func FuzzSpans(f *testing.F) {
	f.Add([]byte(`[{"traceId":"5af7183fb1d4cf5f","id":"6b221d5bc9e6496c","parentId":"352bff9a74ca9ad2","kind":"CLIENT","shared":true,"name":"get","timestamp":1768471200000000,
		"duration":10,"localEndpoint":{"serviceName":"a","ipv4":"10.0.0.1","port":80},"annotations":[{"timestamp":1,"value":"x|{}|1"}],"tags":{"error":"1","otlp.link.0":"a|b|c|{}|0"}}]`))
	f.Add([]byte("\x0a\x1c\x0a\x08abcdefgh\x1a\x08abcdefgh\x2a\x04name"))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, read := range []func([]byte) ([]byte, int, error){fromJSON, fromProtobuf} {
			request, unusable, err := read(body)
			if err != nil {
				require.ErrorIs(t, err, ingester.ErrBadRequest)
				continue
			}
			var unmarshaler ptrace.ProtoUnmarshaler
			traces, err := unmarshaler.UnmarshalTraces(request)
			require.NoError(t, err)
			require.GreaterOrEqual(t, unusable, 0)
			_, err = otlp.NewDecoder().Decode(request, 1, nil)
			require.NoError(t, err, "%d spans", traces.SpanCount())
		}
	})
}
