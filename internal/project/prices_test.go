package project_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/llm/price"
	"github.com/spanlake/spanlake/internal/objstore/mem"
	"github.com/spanlake/spanlake/internal/project"
)

func TestPrices(t *testing.T) {
	bucket := mem.New()
	d := project.NewDirectory(bucket, project.Options{})
	require.Same(t, price.Shipped(), d.Prices("shop"), "nothing was read")
	rate := 1e-6
	own := []price.Entry{{Model: "ours", Rates: price.Rates{Input: &rate}}}
	r := project.NewRegistry(bucket)
	require.NoError(t, r.Create(t.Context(), "shop", project.Settings{Prices: own}))
	require.NoError(t, r.Create(t.Context(), "other", project.Settings{}))
	require.ErrorIs(t, r.Create(t.Context(), "bad", project.Settings{Prices: []price.Entry{{Model: "ours"}}}), project.ErrInvalid)
	require.NoError(t, d.Refresh(t.Context()))
	require.NotNil(t, d.Prices("shop").Find("", "ours"))
	made := d.Prices("shop")
	require.Same(t, made, d.Prices("shop"), "made once")
	require.Same(t, price.Shipped(), d.Prices("other"))
	require.Same(t, price.Shipped(), d.Prices("unknown"))

	_, err := r.Update(t.Context(), "shop", false, func(s *project.Settings) error {
		none := []price.Entry{}
		return (&project.Patch{Prices: &none}).Apply(s)
	})
	require.NoError(t, err)
	require.NoError(t, d.Refresh(t.Context()))
	require.Same(t, price.Shipped(), d.Prices("shop"))
}
