package e2e_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/spanlake/spanlake/internal/corpus"
)

// decodeOTLP reads an export request's body with other code than the product's.
func decodeOTLP(t *testing.T, protocol corpus.Protocol, body []byte) *tracepb.TracesData {
	t.Helper()
	var data tracepb.TracesData
	if protocol != corpus.HTTPJSON {
		require.NoError(t, proto.Unmarshal(body, &data))
		return &data
	}
	var tree any
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	require.NoError(t, dec.Decode(&tree))
	idsToBase64(t, tree)
	text, err := json.Marshal(tree)
	require.NoError(t, err)
	require.NoError(t, protojson.Unmarshal(text, &data))
	return &data
}

// idsToBase64 turns OTLP's JSON, where ids are hex, into that of protobuf.
func idsToBase64(t *testing.T, tree any) {
	t.Helper()
	switch node := tree.(type) {
	case []any:
		for _, element := range node {
			idsToBase64(t, element)
		}
	case map[string]any:
		for key, value := range node {
			if key == "traceId" || key == "spanId" || key == "parentSpanId" {
				id, err := hex.DecodeString(value.(string))
				require.NoError(t, err)
				node[key] = base64.StdEncoding.EncodeToString(id)
				continue
			}
			idsToBase64(t, value)
		}
	}
}

func compress(t *testing.T, encoding string, body []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	switch encoding {
	case "", "identity":
		return body
	case "gzip":
		w := gzip.NewWriter(&out)
		_, err := w.Write(body)
		require.NoError(t, err)
		require.NoError(t, w.Close())
	case "zstd":
		w, err := zstd.NewWriter(&out)
		require.NoError(t, err)
		_, err = w.Write(body)
		require.NoError(t, err)
		require.NoError(t, w.Close())
	default:
		require.Fail(t, "unknown encoding "+encoding)
	}
	return out.Bytes()
}

// decompress undoes what a captured client did.
func decompress(t *testing.T, encoding string, body []byte) []byte {
	t.Helper()
	if encoding == "" {
		return body
	}
	require.Equal(t, "gzip", encoding)
	r, err := gzip.NewReader(bytes.NewReader(body))
	require.NoError(t, err)
	var out bytes.Buffer
	_, err = out.ReadFrom(r)
	require.NoError(t, err)
	return out.Bytes()
}
