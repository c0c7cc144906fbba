package otlp_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/otlp"
)

// Every byte at every place among bytes that need no escape, and beside others
// that do, is read back by another program.
func TestAppendJSONText(t *testing.T) {
	const around = "abcdefghijklmnop"
	for c := range 256 {
		for at := range len(around) {
			for _, next := range []string{"", "\"", "\\\x1f", "é", "\xff"} {
				text := around[:at] + string([]byte{byte(c)}) + next + around[at:]
				have := otlp.AppendJSONText([]byte("x"), text)
				require.Equal(t, have, otlp.AppendJSONText([]byte("x"), []byte(text)))
				require.True(t, utf8.Valid(have))
				var back string
				require.NoError(t, json.Unmarshal(have[1:], &back), "%q", text)
				require.Equal(t, strings.ToValidUTF8(text, "�"), back)
			}
		}
	}
	require.Equal(t, `""`, string(otlp.AppendJSONText(nil, "")))
	require.Equal(t, `""`, string(otlp.AppendJSONText(nil, []byte(nil))))
}
