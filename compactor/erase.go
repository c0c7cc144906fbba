package compactor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/clock"
	"github.com/spanlake/spanlake/internal/erasure"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/wal"
	"github.com/spanlake/spanlake/schema"
)

// heldRows says how many rows listed blocks hold for requests, by the request's id.
type heldRows map[string]map[schema.BlockName]int

// erasedIn finds out which blocks of a listing hold rows that are to be gone, and
// marks them. Blocks never change: each is looked at once for a request.
func (c *Compactor) erasedIn(ctx context.Context, v *view) error {
	before := c.held[v.project]
	v.held = make(heldRows)
	for _, r := range v.pending.Requests() {
		v.held[r.ID] = make(map[schema.BlockName]int)
	}
	c.held[v.project] = v.held
	if v.pending == nil {
		delete(c.held, v.project)
	}
	for i := range v.blocks {
		b := &v.blocks[i]
		reach := v.pending.At(erasure.PlaceOf(&b.BlockName), b.First)
		if reach == nil {
			continue
		}
		for r := range reach.Requests() {
			n, known := before[r.ID][b.BlockName]
			if !known {
				var media []string
				var err error
				n, media, err = countRows(ctx, c.bucket, r, b.BlockName)
				if isGone(err) {
					v.stale = true // merges that want it are void
					continue
				}
				if err != nil {
					return fmt.Errorf("look for erased rows in %s: %w", b.Key(), err)
				}
				if err := c.noteMedia(ctx, r, media); err != nil {
					return err
				}
			}
			v.held[r.ID][b.BlockName] = n
			b.Drops = b.Drops || n > 0
		}
	}
	return nil
}

// countTraces is of how many traces rows are in memory at once.
const countTraces = 256

// countRows returns how many rows of a block a request is about, and the ids of the
// media that they refer to.
func countRows(ctx context.Context, bucket objstore.Bucket, r *erasure.Request, name schema.BlockName) (n int, media []string, err error) {
	upTo := r.UpTo(erasure.PlaceOf(&name))
	if name.Spans == 0 || upTo < name.First {
		return 0, nil, nil
	}
	reader, err := block.Open(ctx, bucket, name.Key())
	if err != nil {
		return 0, nil, err
	}
	maybe := make([]schema.TraceID, 0, len(r.Traces))
	for _, id := range r.Traces {
		if id.Partition(name.Partitions) == name.Partition && reader.MayContain(id) {
			maybe = append(maybe, id)
		}
	}
	for few := range slices.Chunk(maybe, countTraces) {
		rows, err := reader.Traces(ctx, few, mediaColumns())
		if err != nil {
			return 0, nil, err
		}
		for i := range rows {
			if rows[i].Position > upTo {
				continue
			}
			n++
			for _, text := range [...][]byte{rows[i].Attributes, rows[i].Derived, rows[i].Events} {
				media = append(media, schema.MediaReferences(text)...)
			}
		}
		slices.Sort(media)
		media = slices.Compact(media)
	}
	return n, media, nil
}

// note writes down which objects held rows that are gone, before they are deleted.
func (c *Compactor) note(ctx context.Context, v *view) error {
	for _, r := range v.pending.Requests() {
		held := v.held[r.ID]
		var list []erasure.Replaced
		for i := range v.plan.Covered {
			b := &v.plan.Covered[i]
			if n := held[b.BlockName]; n > 0 {
				list = append(list, erasure.Replaced{Object: b.Key(), Spans: n, By: b.By.Key(), At: b.By.Stored.UTC()})
			}
		}
		for i := range v.plan.Deletions {
			if d := &v.plan.Deletions[i]; d.Expired && held[d.BlockName] > 0 {
				list = append(list, erasure.Replaced{Object: d.Key(), Spans: held[d.BlockName], At: v.listed.UTC()})
			}
		}
		if len(list) == 0 {
			continue
		}
		if err := c.erasures.Note(ctx, v.project, r.ID, list); err != nil {
			return err
		}
	}
	return nil
}

// complete ends the requests of which nothing is left.
func (c *Compactor) complete(ctx context.Context, v *view, s *Summary) error {
	for _, r := range v.pending.Requests() {
		why, err := c.remains(ctx, v, r)
		if err != nil {
			return err
		}
		media := 0
		if why == "" {
			if why, media, err = c.mediaRemain(ctx, r); err != nil {
				return fmt.Errorf("erasure %s: %w", r.ID, err)
			}
		}
		if why != "" {
			s.Pending++
			c.logger.Debug("erasure is not done", slog.String("project", string(v.project)), slog.String("erasure", r.ID), slog.String("waits_for", why))
			continue
		}
		versions, err := c.purgeVersions(ctx, r)
		if err != nil {
			return fmt.Errorf("erasure %s: %w", r.ID, err)
		}
		receipt, err := c.erasures.Complete(ctx, r, erasure.Gone{Versions: versions, Media: media, At: time.Now()})
		if err != nil {
			return err
		}
		s.Erased++
		c.metrics.erasures.Inc()
		c.logger.Info("erasure is done", slog.String("project", string(v.project)), slog.String("erasure", r.ID),
			slog.Int("traces", len(r.Traces)), slog.Int("spans", receipt.Spans), slog.Int("objects", len(receipt.Replaced)), slog.Int("versions", versions), slog.Int("media", media))
	}
	return nil
}

// remains says what is left of the rows that a request is about, "" if nothing is.
// The listing must be fresh: what was stored by workers that did not know of the
// request is in it, since what they replace is deleted later than they may store.
func (c *Compactor) remains(ctx context.Context, v *view, r *erasure.Request) (string, error) {
	if v.stale || clock.Since(v.listed) >= c.cfg.DeleteAfter {
		return "a fresh listing", nil
	}
	objects := 0
	for _, n := range v.held[r.ID] {
		if n > 0 {
			objects++
		}
	}
	if objects > 0 {
		return fmt.Sprintf("%d objects that hold rows, or held them until lately (-compactor.delete-after)", objects), nil
	}
	for partition := range r.Marks {
		if holds, err := c.logHolds(ctx, v, r, partition); err != nil || holds {
			return fmt.Sprintf("the log of partition %d", partition), err
		}
	}
	for object, err := range c.bucket.List(ctx, objstore.ListOptions{Prefix: schema.ClaimsPrefix + string(r.Project) + "/"}) {
		if err != nil {
			return "", fmt.Errorf("list claims: %w", err)
		}
		if object.ModTime.Before(r.AcceptedAt.Add(clockSlack)) {
			return "claims of the log, which go an hour after they were made", nil
		}
	}
	return "", nil
}

// clockSlack is how far the clocks of the bucket and of processes may be apart.
const clockSlack = time.Minute

// logHolds reports whether the log may hold rows of a request, or held some before
// the listing that are in no listed block.
func (c *Compactor) logHolds(ctx context.Context, v *view, r *erasure.Request, partition int) (bool, error) {
	stream := c.log.Stream(partition)
	upTo := r.UpTo(erasure.Place{Partition: partition, Partitions: c.log.Partitions(), Epoch: stream.Epoch()})
	if len(r.Marks) != c.log.Partitions() || upTo == 0 {
		return false, nil // of a log that came to its end
	}
	floor := v.floors[partition]
	if floor.Epoch != stream.Epoch() || floor.Position < upTo && !v.inBlocks(floor, upTo) {
		return true, nil
	}
	state, err := stream.State(ctx)
	if err != nil || state.Empty() {
		return false, err
	}
	// The cut that a purge keeps may carry spans until the next one.
	holds := false
	err = stream.ReadRange(ctx, state.First, min(upTo, state.Last), func(m wal.Message) error {
		payload, decodeErr := wal.DecodePayload(m.Payload)
		if decodeErr != nil || slices.ContainsFunc(payload.Entries, func(e wal.Entry) bool { return e.Project == r.Project }) {
			holds = true
		}
		return nil
	})
	if errors.Is(err, wal.ErrReset) {
		return true, nil // it is being purged: look again
	}
	return holds, err
}

// inBlocks reports whether listed blocks hold all positions above a floor, up to
// one.
func (v *view) inBlocks(floor Floor, last uint64) bool {
	for first := floor.Position + 1; first <= last; {
		i := slices.IndexFunc(v.blocks, func(b Listed) bool {
			return b.ContainsPosition(floor.Partition, floor.Partitions, floor.Epoch, first)
		})
		if i < 0 {
			return false
		}
		first = v.blocks[i].Last + 1
	}
	return true
}

// purgeVersions removes for good what a bucket keeps of objects of the project that
// were replaced or deleted.
func (c *Compactor) purgeVersions(ctx context.Context, r *erasure.Request) (n int, err error) {
	for _, prefix := range []string{schema.ProjectPrefix(r.Project), schema.ClaimsPrefix + string(r.Project) + "/"} {
		more, err := objstore.PurgeVersions(ctx, c.bucket, prefix, func(key string, current bool) bool {
			name, err := schema.ParseBlockName(key)
			return !current && (err != nil || r.UpTo(erasure.PlaceOf(&name)) >= name.First)
		})
		if err != nil && !errors.Is(err, objstore.ErrNoVersions) {
			return n, err
		}
		n += more
	}
	return n, nil
}
