package langfuse

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// FuzzIngestion makes spans of anything: each event is stored or refused, and what is
// stored is what the log takes and gives back.
func FuzzIngestion(f *testing.F) {
	files, err := filepath.Glob("testdata/wire/*/*ingestion.json")
	require.NoError(f, err)
	require.NotEmpty(f, files)
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(f, err)
		var c struct{ Body json.RawMessage }
		require.NoError(f, json.Unmarshal(content, &c))
		f.Add([]byte(c.Body))
	}
	f.Add([]byte(`{"batch":[{"id":"1","type":"score-create","body":{"sessionId":"s","value":true,"dataType":"boolean"}},{},7,null]}`))
	f.Add([]byte(`{"batch":[{"id":"1","type":"generation-create","body":{"usage":{"prompt_tokens":1,"prompt_tokens_details":{"x":2}}}}]}`))
	f.Add([]byte(`{"metadata":{"sdk_name":1,"service.name":"\u0000"},"batch":[{"id":"\ud800","type":"span-update","timestamp":1e300,"body":{"id":"00"}}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		envelope, err := parseEnvelope(body)
		if err != nil {
			require.ErrorIs(t, err, errEnvelope)
			return
		}
		b := translate(newSender("p", envelope.sender), envelope.events, time.Unix(1, 0))
		require.Len(t, b.results, len(envelope.events))
		wire := otlp.AppendRequest(nil, b.spans)
		var splitter otlp.Splitter
		split, err := splitter.Split(wire, 1, 1<<30)
		require.NoError(t, err)
		require.Zero(t, split.Rejected, split.Reason)
		rows, err := otlp.NewDecoder().Decode(wire, 1, nil)
		require.NoError(t, err)
		require.Len(t, rows, len(b.spans))
		for i := range rows {
			require.NotEqual(t, schema.FragmentNone, rows[i].Fragment)
			require.NotZero(t, rows[i].FragmentNanos)
			require.Empty(t, rows[i].Rest, "a column holds all of it")
		}
	})
}
