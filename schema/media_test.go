package schema_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/schema"
)

func TestMediaNames(t *testing.T) {
	n := schema.MediaName{Project: "shop", SHA256: sha256.Sum256([]byte("hello doc"))}
	require.Equal(t, "media/shop/b9d33ec7452dad13bf794de9ee1e068df9ead4a0c474f0818aff9e69b7c9098f", n.Key())
	require.Equal(t, "udM-x0UtrRO_eU3p7h4Gjf", n.ID(), "as in a capture")
	got, err := schema.ParseMediaName(n.Key())
	require.NoError(t, err)
	require.Equal(t, n, got)
	prefix, err := schema.MediaIDPrefix("shop", n.ID())
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(n.Key(), prefix))
	require.Len(t, prefix, len("media/shop/")+32)

	for _, key := range []string{
		"", "media/", "media/shop", "media/shop/", "media/shop/ab", n.TypeKey(), "media/SHOP/" + n.Key()[11:], strings.ToUpper(n.Key()),
		"x" + n.Key(), n.Key() + "0", n.Key()[:len(n.Key())-2], schema.MediaSecret("shop"), "media/../" + n.Key()[11:],
	} {
		_, err := schema.ParseMediaName(key)
		require.ErrorIs(t, err, schema.ErrBadMedia, key)
	}
	for _, id := range []string{"", "x", n.ID() + "A", n.ID()[1:], "udM+x0UtrRO/eU3p7h4Gjf", base64.RawURLEncoding.EncodeToString(n.SHA256[:])} {
		_, err := schema.MediaIDPrefix("shop", id)
		require.ErrorIs(t, err, schema.ErrBadMedia, id)
	}
}

func TestMediaReferences(t *testing.T) {
	const a, b = "udM-x0UtrRO_eU3p7h4Gjf", "a3_KnPkQi4CqSC2b8AeUsf"
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"none", "no reference", nil},
		{"one", "@@@langfuseMedia:type=image/png|id=" + a + "|source=bytes@@@", []string{a}},
		{"within a text", `{"x":"see @@@langfuseMedia:type=image/png|id=` + a + `|source=bytes@@@ and @@@langfuseMedia:id=` + b + `|type=a/b@@@."}`, []string{a, b}},
		{"twice", strings.Repeat("@@@langfuseMedia:type=image/png|id="+a+"|source=bytes@@@", 2), []string{a, a}},
		{"no end", "@@@langfuseMedia:type=image/png|id=" + a + "|source=bytes", nil},
		{"no id", "@@@langfuseMedia:type=image/png@@@", nil},
		{"an id that is too long", "@@@langfuseMedia:id=" + a + "x@@@", nil},
		{"one within another", "@@@langfuseMedia:type=@@@langfuseMedia:id=" + a + "@@@", []string{a}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, schema.MediaReferences([]byte(tt.text)))
		})
	}
}

// FuzzMediaReferences: what is found stands in the text, and is as long as an id.
func FuzzMediaReferences(f *testing.F) {
	f.Add([]byte("@@@langfuseMedia:type=image/png|id=udM-x0UtrRO_eU3p7h4Gjf|source=bytes@@@"))
	f.Add([]byte("@@@langfuseMedia:@@@langfuseMedia:id=|id=@@@@@@"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, id := range schema.MediaReferences(text) {
			require.Len(t, id, 22)
			require.True(t, bytes.Contains(text, []byte("id="+id)))
		}
	})
}
