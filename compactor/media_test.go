package compactor_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/compactor"
	"github.com/spanlake/spanlake/internal/llm/price"
	"github.com/spanlake/spanlake/internal/objstore"
	settings "github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/schema"
)

// keptByProject is how long projects keep what they have; of others nobody knows.
type keptByProject map[schema.ProjectID]time.Duration

var errUnknown = errors.New("nobody knows")

func (k keptByProject) Retention(_ context.Context, id schema.ProjectID) (time.Duration, error) {
	kept, ok := k[id]
	if !ok {
		return 0, errUnknown
	}
	return kept, nil
}

func (keptByProject) Prices(schema.ProjectID) *price.Table { return price.Shipped() }

func (keptByProject) Reprice(schema.ProjectID) *settings.Reprice { return nil }

func (keptByProject) Rules(context.Context, schema.ProjectID) (settings.Rules, error) {
	return settings.Rules{}, nil
}

// Media go when they were put longer ago than the project keeps spans, and the secret
// with the last of them; of a project whose retention is not known nothing goes.
func TestMediaExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		put := func(keys ...string) {
			for _, key := range keys {
				require.NoError(t, w.bucket.Put(t.Context(), "media/"+key, strings.NewReader("x"), objstore.PutOptions{}))
			}
		}
		have := func() (keys []string) {
			for _, key := range w.keys() {
				keys = append(keys, strings.TrimPrefix(key, "media/"))
			}
			return keys
		}
		c := w.compactor(keptByProject{"shop": 48 * time.Hour, "ever": 0})
		cycle := func() {
			_, err := c.Cycle(t.Context(), compactor.Run{})
			require.ErrorIs(t, err, errUnknown)
			require.ErrorContains(t, err, "ask for the retention")
		}
		put("shop/secret", "shop/a", "shop/a.type", "shop/b", "ever/a", "lost/a", "NO PROJECT/a")
		time.Sleep(47 * time.Hour)
		put("shop/b", "shop/c") // b anew
		cycle()
		all := []string{"NO PROJECT/a", "ever/a", "lost/a", "shop/a", "shop/a.type", "shop/b", "shop/c", "shop/secret"}
		require.Equal(t, all, have())
		time.Sleep(time.Hour)
		cycle()
		left := slices.DeleteFunc(slices.Clone(all), func(key string) bool { return strings.HasPrefix(key, "shop/a") })
		require.Equal(t, left, have())
		time.Sleep(47*time.Hour - time.Nanosecond)
		cycle()
		require.Equal(t, left, have())
		time.Sleep(time.Nanosecond)
		cycle()
		require.Equal(t, all[:3], have())
	})
}

// Media are looked at once an hour, if all went well.
func TestMediaAreListedHourly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		require.NoError(t, w.bucket.Put(t.Context(), "media/shop/a", strings.NewReader("x"), objstore.PutOptions{}))
		c := w.compactor(keptByProject{"shop": time.Minute})
		w.cycle(c)
		time.Sleep(59 * time.Minute)
		w.cycle(c)
		require.Len(t, w.keys(), 1)
		time.Sleep(time.Minute)
		w.cycle(c)
		require.Empty(t, w.keys())
	})
}
