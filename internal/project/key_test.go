package project

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/schema"
)

// FuzzParseKey: what is accepted is a key of its place, whatever lies there, and
// no text opens it but its secret.
func FuzzParseKey(f *testing.F) {
	const id = "abcdefghijklmnop"
	f.Add([]byte(`{"id":"`+id+`","project":"shop","scopes":["query"],"sha256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}`), "shop", "test")
	f.Add([]byte(`{"id":"`+id+`","scopes":["metrics"],"sha256":""}`), "", "")
	f.Add([]byte(`{}`), "x", "sk-sl-abcdefghijklmnop-")
	f.Fuzz(func(t *testing.T, data []byte, project, secret string) {
		k, err := parseKey(data, place{schema.ProjectID(project), id})
		if err != nil {
			require.ErrorIs(t, err, errKey)
			return
		}
		require.Equal(t, schema.ProjectID(project), k.Project)
		require.NoError(t, k.validate())
		if k.opens(secret) {
			require.False(t, k.opens(secret+"x"))
		}
	})
}

// FuzzParsePlace: a key of the bucket that is understood is the one that is
// written for it.
func FuzzParsePlace(f *testing.F) {
	for _, key := range []string{"projects/shop/settings.json", "projects/shop/keys/abcdefghijklmnop.json", "projects/_all/keys/abcdefghijklmnop.json", "projects/_all/settings.json", "projects/../x"} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		p, ok := parsePlace(prefix + key)
		if !ok {
			return
		}
		want := settingsKey(p.project)
		if p.keyID != "" {
			want = keyKey(p.project, p.keyID)
		}
		require.Equal(t, want, prefix+key)
	})
}

func TestKeyIDOf(t *testing.T) {
	k, secret, err := newKey("shop", "", []Scope{ScopeQuery}, time.Unix(1_700_000_000, 0))
	require.NoError(t, err)
	require.Equal(t, k.ID, keyIDOf(secret))
	require.True(t, k.opens(secret))
	require.False(t, nobody.opens(secret))
	for _, text := range []string{"", k.Public(), secret + "a", secret[1:], secret[:len(secret)-1]} {
		require.Empty(t, keyIDOf(text), text)
	}
}

// TestComparisonIsWhole: what is compared has one length, whatever was sent and whether
// or not there is such a key; of other lengths the comparison would end at once.
func TestComparisonIsWhole(t *testing.T) {
	k, secret, err := newKey("shop", "", []Scope{ScopeQuery}, time.Unix(1_700_000_000, 0))
	require.NoError(t, err)
	require.Len(t, nobody.SHA256, len(k.SHA256))
	for i := range secret {
		other := []byte(secret)
		other[i]++
		require.False(t, k.opens(string(other)), "letter %d", i)
	}
	for n := range secret {
		require.False(t, k.opens(secret[:n]), "%d letters", n)
	}
	data, err := json.Marshal(k)
	require.NoError(t, err)
	_, err = parseKey(data, place{"shop", k.ID})
	require.NoError(t, err)
	for _, digest := range []string{"", k.SHA256[:62], k.SHA256 + "00", strings.Repeat("x", 64)} {
		shorter := k
		shorter.SHA256 = digest
		data, err := json.Marshal(shorter)
		require.NoError(t, err)
		_, err = parseKey(data, place{"shop", k.ID})
		require.ErrorIs(t, err, errKey, digest)
	}
}
