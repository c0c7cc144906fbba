package wal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// maxConflicts bounds how often one partition's record is tried again after
// someone else changed it. Each change is progress by someone.
const maxConflicts = 20

// control is the control record in its key-value bucket. Every write is
// conditional, so that processes that open a log together agree.
type control struct {
	log     *Log
	session *session
	kv      jetstream.KeyValue
}

// openControl opens the bucket and creates it for writers.
func (l *Log) openControl(ctx context.Context, s *session) (*control, error) {
	bucket := l.opts.Name + "-control"
	kv, err := s.js.KeyValue(ctx, bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) && !l.opts.readOnly() {
		kv, err = s.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket:      bucket,
			Description: "what all users of the log agree on",
			History:     1,
			Storage:     jetstream.FileStorage,
			Replicas:    l.opts.Replicas,
		})
		if errors.Is(err, jetstream.ErrBucketExists) {
			kv, err = s.js.KeyValue(ctx, bucket)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: open control record: %w", ErrUnavailable, err)
	}
	return &control{log: l, session: s, kv: kv}, nil
}

// get reads a key into v and returns its revision, 0 if there is none.
func (c *control) get(ctx context.Context, key string, v any) (revision uint64, err error) {
	e, err := c.kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("%w: read control record %s: %w", ErrUnavailable, key, err)
	}
	if err := json.Unmarshal(e.Value(), v); err != nil {
		return 0, fmt.Errorf("%w: control record %s: %w", ErrConflict, key, err)
	}
	return e.Revision(), nil
}

// put writes v if the key still has the revision, 0 for none. It reports false
// when someone else was first.
func (c *control) put(ctx context.Context, key string, v any, revision uint64) (bool, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return false, fmt.Errorf("encode control record %s: %w", key, err)
	}
	if revision == 0 {
		_, err = c.kv.Create(ctx, key, data)
	} else {
		_, err = c.kv.Update(ctx, key, data, revision)
	}
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, jetstream.ErrKeyExists), isAPIError(err, jetstream.JSErrCodeStreamWrongLastSequence):
		return false, nil
	default:
		return false, fmt.Errorf("%w: write control record %s: %w", ErrUnavailable, key, err)
	}
}

// agree returns the log's record, creating it for writers.
func (c *control) agree(ctx context.Context) (record, error) {
	opts := &c.log.opts
	want := record{Partitions: opts.Partitions, Windows: opts.Windows}
	var have record
	revision, err := c.get(ctx, recordKey, &have)
	if err == nil && revision == 0 {
		have, err = c.create(ctx, want)
	}
	if err != nil {
		return record{}, err
	}
	if err := have.validate(); err != nil {
		return record{}, fmt.Errorf("%w: control record: %w", ErrConflict, err)
	}
	known := c.log.Partitions()
	if known != 0 && known != have.Partitions {
		return record{}, fmt.Errorf("%w: the log now has %d partitions instead of %d: restart this process",
			ErrConflict, have.Partitions, known)
	}
	if known == 0 && !have.equal(want) {
		opts.Logger.Warn("log was created with other partitions or merge windows than configured, keeping its own",
			slog.Int("partitions", have.Partitions), slog.Any("windows", have.Windows),
			slog.Int("configured_partitions", want.Partitions), slog.Any("configured_windows", want.Windows))
	}
	return have, nil
}

// create writes the first record. Streams without a record hold data that a
// new record would forget: that needs a person.
func (c *control) create(ctx context.Context, want record) (have record, err error) {
	if c.log.opts.readOnly() {
		return have, fmt.Errorf("%w: the log does not exist yet", ErrUnavailable)
	}
	// Streams first, then the record again: a record is always older than its
	// streams, so streams without one are not just being made.
	stray, err := c.firstStream(ctx)
	if err != nil {
		return have, err
	}
	revision, err := c.get(ctx, recordKey, &have)
	if err != nil || revision != 0 {
		return have, err
	}
	if stray != "" {
		return have, fmt.Errorf("%w: stream %s exists but the control record (bucket %s) is gone: restore the record, or delete the log's streams and their data",
			ErrConflict, stray, c.kv.Bucket())
	}
	if ok, err := c.put(ctx, recordKey, want, 0); ok || err != nil {
		return want, err
	}
	if revision, err = c.get(ctx, recordKey, &have); err == nil && revision == 0 {
		err = fmt.Errorf("%w: the control record was just created but cannot be read", ErrUnavailable)
	}
	return have, err
}

// firstStream returns the name of any stream of the log, "" if there is none.
func (c *control) firstStream(ctx context.Context) (string, error) {
	names := c.session.js.StreamNames(ctx)
	found := ""
	for name := range names.Name() {
		if _, _, ours := parseStreamName(c.log.opts.Name, name); ours && found == "" {
			found = name
		}
	}
	if err := names.Err(); err != nil {
		return "", fmt.Errorf("%w: list streams: %w", ErrUnavailable, err)
	}
	return found, nil
}

// ensure returns the epoch of a partition and its stream as the server
// describes it. Writers create what is missing:
//
//	no record ─▶ epoch, not created ─▶ stream ─▶ epoch, created
//	                    ▲                             │ stream is gone
//	                    └───────── next epoch ◀───────┘ (alarm)
func (c *control) ensure(ctx context.Context, p int) (uint64, *jetstream.StreamInfo, error) {
	for range maxConflicts {
		var rec partitionRecord
		revision, err := c.get(ctx, partitionKey(p), &rec)
		if err != nil {
			return 0, nil, err
		}
		var info *jetstream.StreamInfo
		if revision != 0 {
			if info, err = c.lookup(ctx, p, rec.Epoch); err != nil {
				return 0, nil, err
			}
		}
		if info != nil && (rec.Created || c.log.opts.readOnly()) {
			return rec.Epoch, info, nil
		}
		if c.log.opts.readOnly() {
			return 0, nil, fmt.Errorf("%w: the stream does not exist", ErrUnavailable)
		}
		if err := c.advance(ctx, p, rec, revision, info != nil); err != nil {
			return 0, nil, err
		}
	}
	return 0, nil, fmt.Errorf("%w: its record keeps changing", ErrUnavailable)
}

// lookup returns nil for a stream that does not exist.
func (c *control) lookup(ctx context.Context, p int, epoch uint64) (*jetstream.StreamInfo, error) {
	s, err := c.session.js.Stream(ctx, streamName(c.log.opts.Name, p, epoch))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: look up stream: %w", ErrUnavailable, err)
	}
	return s.CachedInfo(), nil
}

// advance takes one step of the drawing at ensure.
func (c *control) advance(ctx context.Context, p int, rec partitionRecord, revision uint64, exists bool) error {
	key := partitionKey(p)
	switch {
	case revision == 0:
		_, err := c.put(ctx, key, partitionRecord{Epoch: nextEpoch(time.Now(), 0)}, 0)
		return err
	case exists:
		_, err := c.put(ctx, key, partitionRecord{Epoch: rec.Epoch, Created: true}, revision)
		return err
	case rec.Created:
		next := partitionRecord{Epoch: nextEpoch(time.Now(), rec.Epoch)}
		ok, err := c.put(ctx, key, next, revision)
		if ok {
			c.log.alarm(alarmLostStream, "stream of the log was deleted, what was not yet in blocks is lost",
				slog.Int("partition", p), slog.Uint64("epoch", rec.Epoch), slog.Uint64("new_epoch", next.Epoch))
		}
		return err
	default:
		return c.createStream(ctx, p, rec.Epoch)
	}
}

func (c *control) createStream(ctx context.Context, p int, epoch uint64) error {
	cfg := streamConfig(&c.log.opts, p, epoch)
	_, err := c.session.js.CreateStream(ctx, cfg)
	switch {
	case err == nil, errors.Is(err, jetstream.ErrStreamNameAlreadyInUse):
		return nil
	case isAPIError(err, codeStorageExceeded):
		return fmt.Errorf("%w: a stream of %d bytes is larger than what the server has left: lower the limit per partition or raise the server's max_file_store",
			ErrConflict, cfg.MaxBytes)
	case isAPIError(err, codeReplicasUnsupported):
		return fmt.Errorf("%w: %d replicas need a cluster of as many servers: %w", ErrConflict, cfg.Replicas, err)
	default:
		return fmt.Errorf("%w: create stream: %w", ErrUnavailable, err)
	}
}
