package ingester

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spanlake/spanlake/internal/catalog/tail"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/wal"
	"github.com/spanlake/spanlake/schema"
)

// A claim check lets a value of any size through the log, whose messages are
// bounded. In this order, each step surviving a crash after it:
//
//	write the object ─▶ publish its key ─▶ builders read the object into the batch
//	  ─▶ store the batch's blocks ─▶ purge the message ─▶ delete the object
//
// An object whose message was never published is an orphan; it goes the same
// way in the end.

const (
	// claimRest is how long a claim lives at least. It is far longer than a
	// publish whose outcome is unknown can take to appear in the log, and than
	// a builder that has read the message takes to read the object.
	claimRest = time.Hour
	// orphanRest is when the claim of a stream that is no more goes.
	orphanRest = 14 * 24 * time.Hour
	// sweepInterval is how often old claims are looked for.
	sweepInterval = 5 * time.Minute
)

// errLostClaim means that a message's object is gone although no block has its
// data: a person must look.
var errLostClaim = errors.New("a claimed object is missing")

// claim is the key of an object that is durable now and holds the chunk if that
// does not fit into a message, else empty.
func (r *Receiver) claim(ctx context.Context, c commit) (string, error) {
	if c.size() <= int(r.cfg.MaxMessageBytes) {
		return "", nil
	}
	body := wal.AppendWireHead(make([]byte, 0, c.size()), c.project, c.chunk.Size)
	payload := wal.AppendBody(nil, c.chunk.AppendTo(body), false)
	if len(payload) <= r.log.MaxPayload() {
		return "", nil
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	name := schema.ClaimName{
		Project: c.project, Partition: c.chunk.Partition, Partitions: len(r.committers),
		Epoch: r.log.Stream(c.chunk.Partition).Epoch(), ID: hex.EncodeToString(id[:]),
	}
	if err := r.bucket.Put(ctx, name.Key(), bytes.NewReader(payload), objstore.PutOptions{}); err != nil {
		return "", fmt.Errorf("store a value too large for the log: %w", err)
	}
	r.metrics.claims.Inc()
	return name.Key(), nil
}

// redeem replaces the claim checks among a message's entries by what they
// stand for. A claim that is missing fails the message: no block may be stored
// without it. If the batch is in blocks already this reader is only late.
func (p *partition) redeem(ctx context.Context, stream wal.Stream, position uint64, entries []wal.Entry) ([]string, error) {
	var claims []string
	for i, e := range entries {
		if e.Claim == "" {
			continue
		}
		claims = append(claims, e.Claim)
		wire, err := tail.Redeem(ctx, p.builder.bucket, e)
		if errors.Is(err, objstore.ErrNotExist) {
			return nil, p.lostClaim(ctx, stream, position, e.Claim)
		}
		if err != nil {
			return nil, fmt.Errorf("read a claimed object: %w", err)
		}
		entries[i].Wire = wire
	}
	return claims, nil
}

func (p *partition) lostClaim(ctx context.Context, stream wal.Stream, position uint64, key string) error {
	covered, err := p.builder.covered(ctx, p.id, stream.Epoch(), position, time.Now())
	if err != nil {
		return err
	}
	if covered {
		return fmt.Errorf("%w: position %d is in blocks already", wal.ErrReset, position)
	}
	p.builder.metrics.lostClaims.Inc()
	p.logger.Error("a claimed object is missing and its data is in no block: the partition stands still until it is back",
		slog.String("key", key), slog.Uint64("position", position))
	return fmt.Errorf("%w: %s of position %d", errLostClaim, key, position)
}

// sweepClaims deletes the claims that nothing in the log refers to any more.
func (b *Builder) sweepClaims(ctx context.Context, now time.Time) error {
	for object, err := range b.bucket.List(ctx, objstore.ListOptions{Prefix: schema.ClaimsPrefix}) {
		if err != nil {
			return fmt.Errorf("list claims: %w", err)
		}
		name, err := schema.ParseClaimName(object.Key)
		if err != nil || name.Partitions != b.log.Partitions() {
			continue // not ours to judge
		}
		spent, err := b.spent(ctx, name, now.Sub(object.ModTime))
		if err != nil {
			return err
		}
		if !spent {
			continue
		}
		if err := b.bucket.Delete(ctx, object.Key); err != nil {
			return fmt.Errorf("delete claim %s: %w", object.Key, err)
		}
		b.metrics.sweptClaims.Inc()
	}
	return nil
}

// spent reports whether a claim of that age can go: whatever refers to it was
// published long ago, and memory, which holds all of the log above its floor,
// does not know it.
func (b *Builder) spent(ctx context.Context, name schema.ClaimName, age time.Duration) (bool, error) {
	if age < claimRest {
		return false, nil
	}
	stream := b.log.Stream(name.Partition)
	if name.Epoch != stream.Epoch() {
		return age >= orphanRest, nil
	}
	state, err := stream.State(ctx)
	if err != nil {
		return false, err
	}
	p := b.partitions[name.Partition]
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.caughtUp(stream.Epoch(), state) {
		return false, nil
	}
	for _, seg := range p.segments {
		if seg.last > state.Floor() && seg.refersTo(name.Key()) {
			return false, nil
		}
	}
	return true, nil
}

func (s *segment) refersTo(claim string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, ok := s.claims[claim]
	return ok
}
