package langsmith

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/schema"
)

// FuzzRuns: of whatever is sent either nothing is taken, or rows that can be stored.
func FuzzRuns(f *testing.F) {
	for _, file := range captureFiles(f) {
		_, _, body, contentType := sent(f, file)
		f.Add(body, contentType)
	}
	for _, list := range [][]string{
		{"post.r", `{"id":"r","dotted_order":"20261121T071147010001Zr"}`, "attachment.r.f", "abc", "feedback.r", `{"run_id":"r","key":"k","score":true}`},
		{"patch.r.outputs", `{"generations":[[{"message":{"kwargs":{"usage_metadata":{"input_tokens":1}}}}]]}`, "patch.r.error", `"e"`},
	} {
		body, contentType := parts(list...)
		f.Add(body, contentType)
	}
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		for _, read := range []func() (*batch, error){
			func() (*batch, error) { return readMultipart(body, contentType) },
			func() (*batch, error) { return readBatch(body) },
			func() (*batch, error) { return readRun(body, false, "") },
			func() (*batch, error) { return readRun(body, true, contentType) },
		} {
			b, err := read()
			if err != nil {
				require.True(t, errors.Is(err, ingester.ErrBadRequest) || errors.Is(err, ingester.ErrTooLarge), "%v", err)
				continue
			}
			rows(t, b)
			for i := range b.feedback {
				requireStorable(t, []schema.Span{b.feedback[i].span(t.Context(), nothing(), noon)})
			}
		}
		if feedback, ok := parseFeedback(body); ok {
			requireStorable(t, []schema.Span{feedback.span(t.Context(), nothing(), noon)})
		}
	})
}
