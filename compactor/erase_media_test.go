package compactor_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/compactor"
	"github.com/spanlake/spanlake/internal/erasure"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/wal"
	"github.com/spanlake/spanlake/schema"
)

func medium(content string) schema.MediaName {
	return schema.MediaName{Project: project, SHA256: sha256.Sum256([]byte(content))}
}

func (w *world) putMedia(contents ...string) {
	w.t.Helper()
	for _, content := range contents {
		for _, key := range []string{medium(content).TypeKey(), medium(content).Key()} {
			require.NoError(w.t, w.bucket.Put(w.t.Context(), key, strings.NewReader(content), objstore.PutOptions{}))
		}
	}
}

// media are the keys of all there is of media.
func (w *world) media() (keys []string) {
	for _, key := range w.keys() {
		if strings.HasPrefix(key, schema.MediaPrefix) {
			keys = append(keys, key)
		}
	}
	return keys
}

// held are the keys of media that are there and not marked.
func held(contents ...string) (keys []string) {
	for _, content := range contents {
		keys = append(keys, medium(content).Key(), medium(content).TypeKey())
	}
	return keys
}

// referring is a row of a trace that refers to a medium: in an attribute, or in one
// of its events.
func referring(trace, id byte, content string, inEvent bool) schema.Span {
	s := row(trace, id, false)
	reference := schema.Value{Kind: schema.KindString, Str: "see @@@langfuseMedia:type=image/png|id=" + medium(content).ID() + "|source=bytes@@@"}
	if inEvent {
		s.Events = otlp.AppendEvent(s.Events, s.StartNanos, "seen", schema.Attribute{Key: "image", Value: reference})
	} else {
		s.Attributes = otlp.AppendAttribute(s.Attributes, "input.value", reference)
	}
	return s
}

// erasing is a project of which a trace is to be erased that refers to the media
// "own", "event" and "shared", the last of which another trace refers to as well. All
// its rows are gone, and the next look is the first one at media.
func erasing(t *testing.T) (*world, *compactor.Compactor, *erasure.Request) {
	t.Helper()
	w := newWorld(t)
	c := w.compactor(nil)
	w.putMedia("own", "event", "shared", "nobody's")
	at(1, 1)
	w.batchOf(referring(1, 1, "own", false), referring(1, 2, "event", true), referring(1, 3, "shared", false), referring(1, 4, "not there", false))
	w.batchOf(referring(2, 1, "shared", true))
	r := w.erase([]schema.TraceID{traceID(1)})
	w.idle()
	w.cycle(c)
	at(1, 33)
	require.Equal(t, 1, w.cycle(c).Covered)
	require.NotContains(t, w.keys(), medium("own").EraseKey())
	return w, c, r
}

// Media go with the last trace that refers to them, after it was time for whoever
// was told that they are held.
func TestEraseMedia(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c, r := erasing(t)
		require.Equal(t, 1, w.cycle(c).Pending)
		require.Len(t, w.media(), 8+3, "marked, and all there")
		at(2, 2)
		require.Equal(t, 1, w.cycle(c).Pending)
		require.Len(t, w.media(), 8+3)
		at(2, 4)
		require.Equal(t, compactor.Summary{Projects: 1, Erased: 1}, w.cycle(c))
		require.ElementsMatch(t, held("shared", "nobody's"), w.media())
		require.Equal(t, 2, w.receipt(r).Media)
		require.Equal(t, 4, w.receipt(r).Spans)
	})
}

// Nothing goes that was put again while it was marked, or that a span refers to which
// came meanwhile.
func TestEraseMediaThatComeAgain(t *testing.T) {
	for _, tc := range []struct {
		name  string
		comes func(w *world)
		left  []string
		gone  int
	}{
		{"a span in a block", func(w *world) { w.batchOf(referring(3, 1, "own", false)) }, held("own", "shared", "nobody's"), 1},
		{"a span of the erased trace", func(w *world) { w.batchOf(referring(1, 9, "event", false)) }, held("event", "shared", "nobody's"), 1},
		{"a span in the log", func(w *world) {
			s := referring(3, 1, "own", false)
			s.Resource, s.Scope = otlp.NewResource(), otlp.NewScope("", "")
			_, err := w.log.Stream(0).Publish(w.t.Context(), wal.AppendPayload(nil, []wal.Entry{{Project: project, Wire: otlp.AppendRequest(nil, []schema.Span{s})}}, false), "")
			require.NoError(w.t, err)
		}, held("own", "shared", "nobody's"), 1},
		{"a span of another project in the log", func(w *world) {
			s := referring(3, 1, "own", false)
			s.Resource, s.Scope = otlp.NewResource(), otlp.NewScope("", "")
			_, err := w.log.Stream(0).Publish(w.t.Context(), wal.AppendPayload(nil, []wal.Entry{{Project: "other", Wire: otlp.AppendRequest(nil, []schema.Span{s})}}, false), "")
			require.NoError(w.t, err)
		}, held("shared", "nobody's"), 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, c, r := erasing(t)
				w.cycle(c)
				tc.comes(w)
				at(2, 4)
				w.cycle(c)
				w.cycle(c)
				require.ElementsMatch(t, tc.left, w.media())
				require.Equal(t, tc.gone, w.receipt(r).Media)
			})
		})
	}
}

// What was put again is waited for once more: its span may still be on its way.
func TestEraseMediaThatArePutAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c, r := erasing(t)
		w.cycle(c)
		at(1, 50)
		w.putMedia("own")
		at(2, 4)
		require.Equal(t, 1, w.cycle(c).Pending)
		at(2, 33)
		require.Equal(t, 1, w.cycle(c).Pending)
		require.Contains(t, w.media(), medium("own").Key())
		w.batchOf(referring(3, 1, "own", false))
		at(2, 35)
		w.cycle(c)
		w.cycle(c)
		require.ElementsMatch(t, held("own", "shared", "nobody's"), w.media())
		require.Equal(t, 1, w.receipt(r).Media)
	})
}

// A compactor that ends anywhere while it deletes leaves what the next one ends.
func TestEraseMediaCrash(t *testing.T) {
	errKilled := errors.New("killed")
	for steps := 0; ; steps++ {
		var ended bool
		synctest.Test(t, func(t *testing.T) {
			w, _, r := erasing(t)
			bucket := &killedBucket{Bucket: w.bucket, steps: steps, err: errKilled}
			for range 2 {
				killed := compactor.New(config(), w.log, bucket, nil, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
				_, err := killed.Cycle(t.Context(), compactor.Run{})
				if err != nil {
					require.ErrorIs(t, err, errKilled)
				}
				time.Sleep(31 * time.Minute)
			}
			ended = bucket.steps > 0
			c := w.compactor(nil)
			for range 3 {
				w.cycle(c)
				time.Sleep(31 * time.Minute)
			}
			require.NotNil(t, w.receipt(r), steps)
			require.ElementsMatch(t, held("shared", "nobody's"), w.media(), steps)
			require.Equal(t, 2, w.receipt(r).Media, steps)
		})
		if ended {
			require.Greater(t, steps, 10)
			return
		}
	}
}

// killedBucket fails after so many changes, from then on always.
type killedBucket struct {
	objstore.Bucket

	steps int
	err   error
}

func (b *killedBucket) step() error {
	if b.steps == 0 {
		return b.err
	}
	b.steps--
	return nil
}

func (b *killedBucket) Put(ctx context.Context, key string, r io.ReadSeeker, opts objstore.PutOptions) error {
	if err := b.step(); err != nil {
		return err
	}
	return b.Bucket.Put(ctx, key, r, opts)
}

func (b *killedBucket) Delete(ctx context.Context, key string) error {
	if err := b.step(); err != nil {
		return err
	}
	return b.Bucket.Delete(ctx, key)
}
