package compactor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/schema"
)

// mediaInterval is how often media are looked at: they are kept for days.
const mediaInterval = time.Hour

// sweepMedia deletes the media that their projects do not keep any longer. Those that
// spans refer to anew were put anew.
func (c *Compactor) sweepMedia(ctx context.Context) error {
	if c.retention == nil || time.Since(c.sweptMedia) < mediaInterval {
		return nil
	}
	var errs []error
	for folder, err := range c.bucket.List(ctx, objstore.ListOptions{Prefix: schema.MediaPrefix, Delimiter: true}) {
		if err != nil {
			return fmt.Errorf("list the projects with media: %w", err)
		}
		name := strings.TrimSuffix(strings.TrimPrefix(folder.Key, schema.MediaPrefix), "/")
		if id, err := schema.ParseProjectID(name); err == nil { // else it is nobody's
			errs = append(errs, c.sweepMediaOf(ctx, id))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	c.sweptMedia = time.Now()
	return nil
}

// sweepMediaOf deletes the media of a project that are older than its retention, and
// with the last of them the secret of their links.
func (c *Compactor) sweepMediaOf(ctx context.Context, id schema.ProjectID) error {
	keeps, err := c.keeps(ctx, id)
	if err != nil || keeps == 0 {
		return err
	}
	left, secret := 0, ""
	for object, err := range c.bucket.List(ctx, objstore.ListOptions{Prefix: schema.ProjectMedia(id)}) {
		switch {
		case err != nil:
			return fmt.Errorf("list the media of project %s: %w", id, err)
		case time.Since(object.ModTime) < keeps:
			left++
		case object.Key == schema.MediaSecret(id):
			secret = object.Key
		default:
			if err := c.deleteMedia(ctx, object.Key, keeps); err != nil {
				return err
			}
		}
	}
	if left > 0 || secret == "" {
		return nil
	}
	return c.deleteMedia(ctx, secret, keeps)
}

// deleteMedia deletes an object unless it was put anew since it was listed.
func (c *Compactor) deleteMedia(ctx context.Context, key string, keeps time.Duration) error {
	object, err := c.bucket.Stat(ctx, key)
	if errors.Is(err, objstore.ErrNotExist) || err == nil && time.Since(object.ModTime) < keeps {
		return nil
	}
	if err == nil {
		err = c.bucket.Delete(ctx, key)
	}
	if err != nil {
		return fmt.Errorf("delete media that have expired: %w", err)
	}
	c.metrics.media.Inc()
	return nil
}
