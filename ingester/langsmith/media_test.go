package langsmith

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/schema"
)

// Files of 64 KiB and more become media, whether they are attachments or stand in the
// text of a run; what is smaller stays where it is. The same content is stored once.
func TestLargeFilesBecomeMedia(t *testing.T) {
	large, small := bytes.Repeat([]byte("x"), 64<<10), bytes.Repeat([]byte("x"), 64<<10-1)
	uri := func(content []byte) string {
		return "data:image/png;base64," + base64.StdEncoding.EncodeToString(content)
	}
	body, contentType := parts(
		"post.r", `{"trace_id":"r"}`,
		"post.r.inputs", `{"image":"`+uri(large)+`","other":"`+uri(small)+`"}`,
		"post.r.outputs", `{"image":"`+uri(large)+`"}`,
		"attachment.r.large", string(large),
		"attachment.r.small", string(small),
	)
	b, err := readMultipart(body, contentType)
	require.NoError(t, err)
	media, bucket := newMedia(t)
	require.NoError(t, b.moveOut(t.Context(), media, schema.DefaultProject))
	spans := b.spans(t.Context(), nothing(), noon)
	requireStorable(t, spans)
	require.Len(t, spans, 1)

	name := schema.MediaName{Project: schema.DefaultProject, SHA256: sha256.Sum256(large)}
	inText := "@@@langfuseMedia:type=image/png|id=" + name.ID() + "|source=base64_data_uri@@@"
	r := &spans[0]
	require.JSONEq(t, `{"image":"`+inText+`","other":"`+uri(small)+`"}`, attribute(r, "input.value").(string))
	require.JSONEq(t, `{"image":"`+inText+`"}`, attribute(r, "output.value").(string))
	require.Equal(t, "@@@langfuseMedia:type=image/png|id="+name.ID()+"|source=bytes@@@", attribute(r, "langsmith.attachment.large"))
	require.Equal(t, uri(small), attribute(r, "langsmith.attachment.small"))

	stored, _, err := bucket.Get(t.Context(), name.Key(), objstore.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, large, stored)
	var keys []string
	for object, err := range bucket.List(t.Context(), objstore.ListOptions{}) {
		require.NoError(t, err)
		keys = append(keys, object.Key)
	}
	require.Equal(t, []string{name.Key(), name.TypeKey()}, keys)
}

// A file of no known type is one, too.
func TestFileOfNoType(t *testing.T) {
	b := &batch{runs: []*run{{attachments: []attachment{{name: "f", contentType: "no type", content: make([]byte, 64<<10)}}}}}
	media, _ := newMedia(t)
	require.NoError(t, b.moveOut(t.Context(), media, schema.DefaultProject))
	require.Contains(t, b.runs[0].attachments[0].text, ":type=application/octet-stream|")
}
