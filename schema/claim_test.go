package schema_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/schema"
)

const claimKey = "claims/shop/p3of4/1768471200000-00112233445566778899aabbccddeeff"

func TestClaimNameText(t *testing.T) {
	want := schema.ClaimName{Project: "shop", Partition: 3, Partitions: 4, Epoch: 1768471200000, ID: "00112233445566778899aabbccddeeff"}
	n, err := schema.ParseClaimName(claimKey)
	require.NoError(t, err)
	require.Equal(t, want, n)
	require.Equal(t, claimKey, n.Key())
}

func FuzzParseClaimName(f *testing.F) {
	f.Add(claimKey)
	f.Add("claims/shop/p3of4/1-00112233445566778899aabbccddeefg")
	f.Add("claims/shop/p4of4/1-00112233445566778899aabbccddeeff")
	f.Add("claims/Shop/p3of4/01-00112233445566778899aabbccddeeff")
	f.Add("claims/shop/p3of4/1")
	f.Fuzz(func(t *testing.T, key string) {
		n, err := schema.ParseClaimName(key)
		if err != nil {
			require.ErrorIs(t, err, schema.ErrBadClaim)
			return
		}
		require.Equal(t, key, n.Key())
	})
}
