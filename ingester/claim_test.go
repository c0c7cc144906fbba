package ingester_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/internal/wal"
	logmem "github.com/spanlake/spanlake/internal/wal/mem"
	"github.com/spanlake/spanlake/schema"
)

// noise is text that does not compress.
func noise(n int) string {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(b) // never fails
	return string(b)
}

// largeRequest has one span with an attribute of its own size, between two
// small ones.
func largeRequest(value string) []byte {
	spans := appendField(nil, 2, span(1, "span 1"))
	large := append(span(2, "span 2"), otlp.AppendKeyValue(nil, 9, "prompt", schema.Value{Kind: schema.KindString, Str: value})...)
	spans = appendField(spans, 2, large)
	spans = appendField(spans, 2, span(3, "span 3"))
	return appendField(nil, 1, appendField(nil, 2, spans))
}

// prompt returns the large attribute as a query sees it.
func (w *world) prompt(b builder) string {
	w.t.Helper()
	joined, err := w.catalog().Join(w.t.Context(), b, "p", []int{0}, nil)
	require.NoError(w.t, err)
	var found []string
	for _, name := range joined.Blocks {
		for _, s := range w.blockRows(name) {
			if v, ok := otlp.Lookup(s.Attributes, "prompt"); ok {
				found = append(found, v.Str)
			}
		}
	}
	for _, segment := range joined.Segments {
		for chunk, err := range segment.Scan(w.t.Context(), everything(), vec.AllColumns()) {
			require.NoError(w.t, err)
			for i := range chunk {
				if v, ok := otlp.Lookup(chunk[i].Attributes, "prompt"); ok {
					found = append(found, v.Str)
				}
			}
		}
	}
	require.Len(w.t, found, 1)
	return found[0]
}

func requireSameText(t *testing.T, want, have string) {
	t.Helper()
	require.True(t, want == have, "%d bytes are not the %d bytes sent", len(have), len(want)) //nolint:testifylint // a failure must not print megabytes
}

// Values of any size survive byte for byte.
func TestLargeValues(t *testing.T) {
	for name, value := range map[string]string{
		"two messages": noise(2 << 20), "30 MB": noise(30 << 20 / thinning), "64 MB": noise(64 << 20 / thinning),
		"64 MB that compress": strings.Repeat("tokens ", 64<<20/7/thinning),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, logmem.Options{})
			w.cfg.MaxRequestBytes, w.cfg.MaxInflightBytes = 80<<20, 160<<20
			r, b := w.receiver(), w.builder()
			result, err := r.Receive(t.Context(), "p", largeRequest(value))
			require.NoError(t, err)
			require.Zero(t, result.Rejected)
			require.Equal(t, []int{1, 2, 3}, w.seen(b, "p"))
			requireSameText(t, value, w.prompt(b))
			w.flush(b)
			require.Equal(t, []int{1, 2, 3}, w.seen(b, "p"))
			requireSameText(t, value, w.prompt(b))
			w.send(r, "p", 4)
			w.flush(b) // now the log has let go of the message
			require.NoError(t, ingester.SweepClaims(t.Context(), b.Builder, time.Now().Add(2*time.Hour)))
			require.Empty(t, w.objects(schema.ClaimsPrefix))
			requireSameText(t, value, w.prompt(b))
		})
	}
}

// fail makes one method of the log fail until healed.
func (w *world) fail(method string, err error) (heal func()) {
	w.log.Mem(0).SetFaults(logmem.Faults{Before: func(m string) error {
		if m == method {
			return err
		}
		return nil
	}})
	return func() { w.log.Mem(0).SetFaults(logmem.Faults{}) }
}

// A crash between any two steps of a claim loses nothing and leaves nothing.
func TestClaimCrashes(t *testing.T) {
	value := noise(2 << 20)
	away := errors.New("killed here")
	inTwoHours := func() time.Time { return time.Now().Add(2 * time.Hour) }
	send := func(t *testing.T, w *world) {
		t.Helper()
		_, err := w.receiver().Receive(t.Context(), "p", largeRequest(value))
		require.NoError(t, err)
		require.Len(t, w.objects(schema.ClaimsPrefix), 1)
	}
	check := func(t *testing.T, w *world) {
		t.Helper()
		b := w.builder()
		require.Equal(t, []int{1, 2, 3}, w.seen(b, "p"))
		requireSameText(t, value, w.prompt(b))
		require.NoError(t, ingester.SweepClaims(t.Context(), b.Builder, inTwoHours()))
		w.flush(b)
		requireSameText(t, value, w.prompt(b))
		require.NoError(t, ingester.SweepClaims(t.Context(), b.Builder, inTwoHours()))
		require.Empty(t, w.objects(schema.ClaimsPrefix))
		require.Zero(t, b.count(t, "spanlake_builder_lost_claims_total"))
	}
	t.Run("stored but not published", func(t *testing.T) {
		w := newWorld(t, logmem.Options{})
		heal := w.fail("Publish", wal.ErrUnavailable)
		_, err := w.receiver().Receive(t.Context(), "p", largeRequest(value))
		var refused *ingester.RefusedError
		require.ErrorAs(t, err, &refused)
		require.Len(t, w.objects(schema.ClaimsPrefix), 1, "an orphan")
		heal()
		_, err = w.receiver().Receive(t.Context(), "p", largeRequest(value))
		require.NoError(t, err)
		require.Len(t, w.objects(schema.ClaimsPrefix), 2)
		check(t, w)
	})
	t.Run("published but not read", func(t *testing.T) {
		w := newWorld(t, logmem.Options{})
		send(t, w)
		check(t, w)
	})
	t.Run("read but not stored", func(t *testing.T) {
		w := newWorld(t, logmem.Options{})
		send(t, w)
		bucket := w.bucket
		var tried, healed atomic.Bool
		w.bucket = &gate{bucket, func(string) error {
			if healed.Load() {
				return nil
			}
			tried.Store(true)
			return away
		}}
		w.flushInVain(w.builder(), tried.Load)
		w.bucket = bucket
		check(t, w)
		healed.Store(true) // so that the first one, too, can end in peace
	})
	t.Run("stored but not purged", func(t *testing.T) {
		w := newWorld(t, logmem.Options{})
		send(t, w)
		heal := w.fail("Purge", away)
		defer heal()
		w.flushInVain(w.builder(), func() bool { return len(w.objects(schema.BlocksPrefix)) == 1 })
		heal()
		check(t, w)
	})
	t.Run("purged but not deleted", func(t *testing.T) {
		w := newWorld(t, logmem.Options{})
		send(t, w)
		w.flush(w.builder())
		require.Len(t, w.objects(schema.ClaimsPrefix), 1)
		check(t, w)
	})
}

// While a message refers to a claim, or could soon, nothing deletes it.
func TestSweepKeepsWhatIsNeeded(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	r, b := w.receiver(), w.builder()
	_, err := r.Receive(t.Context(), "p", largeRequest(noise(2<<20)))
	require.NoError(t, err)
	require.NoError(t, ingester.SweepClaims(t.Context(), b.Builder, time.Now().Add(2*time.Hour)))
	require.Len(t, w.objects(schema.ClaimsPrefix), 1, "the batch is not stored")
	w.flush(b)
	require.NoError(t, ingester.SweepClaims(t.Context(), b.Builder, time.Now().Add(59*time.Minute)))
	require.Len(t, w.objects(schema.ClaimsPrefix), 1, "too young")

	foreign := []string{"claims/notes.txt", "claims/p/p0of2/1-" + strings.Repeat("a", 32)}
	orphan := "claims/p/p0of1/99-" + strings.Repeat("a", 32)
	for _, key := range append(foreign, orphan) {
		require.NoError(t, w.bucket.Put(t.Context(), key, strings.NewReader("x"), objstore.PutOptions{}))
	}
	require.NoError(t, ingester.SweepClaims(t.Context(), b.Builder, time.Now().Add(2*time.Hour)))
	require.Len(t, w.objects(schema.ClaimsPrefix), 3, "another log's claims, and an orphan of another epoch")
	require.NoError(t, ingester.SweepClaims(t.Context(), b.Builder, time.Now().Add(15*24*time.Hour)))
	require.Len(t, w.objects(schema.ClaimsPrefix), 2)
}

// A block is never stored without what its claims stand for.
func TestLostClaimStopsThePartition(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	value := noise(2 << 20)
	_, err := w.receiver().Receive(t.Context(), "p", largeRequest(value))
	require.NoError(t, err)
	claims := w.objects(schema.ClaimsPrefix)
	require.Len(t, claims, 1)
	for key := range claims {
		require.NoError(t, w.bucket.Delete(t.Context(), key))
	}
	b := w.builder()
	require.Eventually(t, func() bool { return b.count(t, "spanlake_builder_lost_claims_total") > 0 }, patience, time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	require.Error(t, b.Flush(ctx))
	require.Empty(t, w.objects(schema.BlocksPrefix))

	for key, data := range claims {
		require.NoError(t, w.bucket.Put(t.Context(), key, bytes.NewReader([]byte(data)), objstore.PutOptions{}))
	}
	w.flush(b)
	requireSameText(t, value, w.prompt(b))
}

// A builder that is late finds its claims gone and its batch in blocks.
func TestLostClaimOfACoveredBatch(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	_, err := w.receiver().Receive(t.Context(), "p", largeRequest(noise(2<<20)))
	require.NoError(t, err)
	before := w.log.Mem(0).Backup()
	w.flush(w.builder())
	after := w.log.Mem(0).Backup()
	for key := range w.objects(schema.ClaimsPrefix) {
		require.NoError(t, w.bucket.Delete(t.Context(), key))
	}
	w.log.Mem(0).Restore(before) // what the late one still sees
	late := w.builder()
	require.Eventually(t, func() bool { return late.count(t, "spanlake_builder_resets_total") > 0 }, patience, time.Millisecond)
	require.Zero(t, late.count(t, "spanlake_builder_lost_claims_total"))
	w.log.Mem(0).Restore(after)
	require.Equal(t, []int{1, 2, 3}, w.seen(late, "p"))
}
