package compactor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/catalog/tail"
	"github.com/spanlake/spanlake/internal/erasure"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/internal/wal"
	"github.com/spanlake/spanlake/schema"
)

// Media go with the last trace that refers to them. In this order, each step surviving
// a crash after it:
//
//	note what rows refer to, before they go ─▶ the rows are gone ─▶ mark the medium: whoever
//	has it is asked to put it again ─▶ wait ─▶ look for references ─▶ delete it, or the mark
//
// A client that was told before the mark that the medium is held has sent its span
// by the end of the wait. One that came later has put it again, after the mark.

// noteMedia notes the media that rows refer to which are to be gone.
func (c *Compactor) noteMedia(ctx context.Context, r *erasure.Request, ids []string) error {
	var keys []string
	for _, id := range ids {
		prefix, err := schema.MediaIDPrefix(r.Project, id)
		if err != nil {
			continue // it is no reference
		}
		for object, err := range c.bucket.List(ctx, objstore.ListOptions{Prefix: prefix}) {
			if err != nil {
				return fmt.Errorf("look for a medium of an erased trace: %w", err)
			}
			if name, err := schema.ParseMediaName(object.Key); err == nil && name.ID() == id {
				keys = append(keys, object.Key)
			}
		}
	}
	if len(keys) == 0 {
		return nil
	}
	return c.erasures.NoteMedia(ctx, r.Project, r.ID, keys)
}

// mediaRemain deletes the noted media that no other trace refers to, and says what is
// still to be waited for, "" if nothing is. gone is how many are not there any more.
func (c *Compactor) mediaRemain(ctx context.Context, r *erasure.Request) (why string, gone int, err error) {
	p, err := c.erasures.Progress(ctx, r.Project, r.ID)
	if err != nil {
		return "", 0, err
	}
	var due []schema.MediaName
	waits := 0
	for _, key := range p.Media {
		name, err := schema.ParseMediaName(key)
		if err != nil {
			return "", 0, fmt.Errorf("progress of erasure %s: %w", r.ID, err)
		}
		switch state, err := c.markMedia(ctx, name); {
		case err != nil:
			return "", 0, err
		case state == mediumGone:
			gone++
		case state == mediumDue:
			due = append(due, name)
		default:
			waits++
		}
	}
	if waits > 0 {
		return fmt.Sprintf("%d media, of which somebody may just be told that they are held (-compactor.delete-after)", waits), gone, nil
	}
	if len(due) == 0 {
		return "", gone, nil
	}
	referred, err := c.referred(ctx, r.Project, due)
	if errors.Is(err, wal.ErrReset) || isGone(err) {
		return "a log and a listing that do not change while they are read for media", gone, nil
	}
	if err != nil {
		return "", 0, fmt.Errorf("look for references to media: %w", err)
	}
	for _, name := range due {
		if referred[name.ID()] {
			if err := c.bucket.Delete(ctx, name.EraseKey()); err != nil {
				return "", 0, fmt.Errorf("delete the mark of a medium: %w", err)
			}
			continue
		}
		switch state, err := c.markMedia(ctx, name); { // it may have been put again
		case err != nil:
			return "", 0, err
		case state != mediumDue:
			return "a medium that was put again", gone, nil
		}
		if err := c.removeMedium(ctx, name); err != nil {
			return "", 0, err
		}
		gone++
	}
	return "", gone, nil
}

// mediumState is how far the erasure of a medium is.
type mediumState int

const (
	mediumMarked mediumState = iota // since a short time
	mediumDue                       // since long enough
	mediumGone
)

// markMedia marks a medium that is not marked, or that was put since. Both times are
// those of the bucket's clock, on S3 in seconds: of one second the medium may be the
// later one.
func (c *Compactor) markMedia(ctx context.Context, name schema.MediaName) (mediumState, error) {
	object, err := c.bucket.Stat(ctx, name.Key())
	if errors.Is(err, objstore.ErrNotExist) {
		return mediumGone, c.removeMedium(ctx, name) // the rest, after a crash
	}
	if err != nil {
		return 0, fmt.Errorf("look for a medium of an erased trace: %w", err)
	}
	mark, err := c.bucket.Stat(ctx, name.EraseKey())
	switch {
	case errors.Is(err, objstore.ErrNotExist), err == nil && !object.ModTime.Before(mark.ModTime):
		if err := c.bucket.Put(ctx, name.EraseKey(), bytes.NewReader(nil), objstore.PutOptions{}); err != nil {
			return 0, fmt.Errorf("mark a medium of an erased trace: %w", err)
		}
		return mediumMarked, nil
	case err != nil:
		return 0, fmt.Errorf("look for the mark of a medium: %w", err)
	case time.Since(mark.ModTime) < c.cfg.DeleteAfter:
		return mediumMarked, nil
	}
	return mediumDue, nil
}

// removeMedium deletes a medium with all its versions, and then what is beside it: the
// mark last, so that nobody takes it for held meanwhile.
func (c *Compactor) removeMedium(ctx context.Context, name schema.MediaName) error {
	for _, key := range []string{name.Key(), name.TypeKey(), name.EraseKey()} {
		_, err := objstore.PurgeVersions(ctx, c.bucket, key, func(k string, _ bool) bool { return k == key })
		if errors.Is(err, objstore.ErrNoVersions) {
			err = c.bucket.Delete(ctx, key)
		}
		if err != nil {
			return fmt.Errorf("delete a medium of an erased trace: %w", err)
		}
	}
	return nil
}

// referred says to which of the media rows of a project refer. The log is read first:
// what leaves it meanwhile is in a block that is listed after.
func (c *Compactor) referred(ctx context.Context, project schema.ProjectID, media []schema.MediaName) (map[string]bool, error) {
	found := make(map[string]bool)
	look := func(texts ...[]byte) {
		for _, name := range media {
			id := []byte(name.ID())
			if slices.ContainsFunc(texts, func(text []byte) bool { return bytes.Contains(text, id) }) {
				found[name.ID()] = true
			}
		}
	}
	for partition := range c.log.Partitions() {
		if err := c.lookInLog(ctx, partition, project, look); err != nil {
			return nil, err
		}
	}
	var names []schema.BlockName
	for object, err := range c.bucket.List(ctx, objstore.ListOptions{Prefix: schema.ProjectPrefix(project)}) {
		if err != nil {
			return nil, err
		}
		if name, err := schema.ParseBlockName(object.Key); err == nil {
			names = append(names, name)
		}
	}
	for _, name := range schema.Visible(names) {
		if len(found) == len(media) || name.Spans == 0 {
			continue
		}
		reader, err := block.Open(ctx, c.bucket, name.Key())
		if err != nil {
			return nil, err
		}
		for rows, err := range reader.Scan(ctx, &vec.Filter{Op: vec.OpTrue}, mediaColumns()) {
			if err != nil {
				return nil, err
			}
			for i := range rows {
				look(rows[i].Attributes, rows[i].Derived, rows[i].Events)
			}
		}
	}
	return found, nil
}

// mediaColumns are where references stand.
func mediaColumns() vec.Columns {
	return vec.Columns{Bare: true, Rest: true, Attributes: true, Events: true}
}

// lookInLog shows what the log holds of a project.
func (c *Compactor) lookInLog(ctx context.Context, partition int, project schema.ProjectID, look func(texts ...[]byte)) error {
	stream := c.log.Stream(partition)
	state, err := stream.State(ctx)
	if err != nil || state.Empty() {
		return err
	}
	return stream.ReadRange(ctx, state.First, state.Last, func(m wal.Message) error {
		payload, err := wal.DecodePayload(m.Payload)
		if err != nil {
			return nil //nolint:nilerr // builders keep it aside, and no query shows it
		}
		for _, e := range payload.Entries {
			if e.Project != project {
				continue
			}
			wire, err := tail.Redeem(ctx, c.bucket, e)
			if errors.Is(err, objstore.ErrNotExist) {
				continue // it is in a block
			}
			if err != nil {
				return err
			}
			look(wire)
		}
		return nil
	})
}
