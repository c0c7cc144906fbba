package compactor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/clock"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/schema"
)

const (
	// restInterval is how long a day in which there was nothing to do is not
	// listed again, unless there is: others may have changed it.
	restInterval = time.Hour
	// maxRemembered bounds what is known of such days: some 40 MB.
	maxRemembered = 200_000
	// maxLooks bounds how often a plan is made anew because it wants something
	// done in a day that was not listed for it.
	maxLooks = 4
)

// listing is what is known of a project's blocks, by folder.
type listing map[string]*listedDay

// listedDay is the blocks of a folder.
type listedDay struct {
	blocks []Listed
	at     time.Time // when the listing began
	fresh  bool      // it was made for the plan at hand
}

// look lists what may have changed of a project, and plans by that. A plan that
// wants something done is made by a listing of all days that it touches, and of
// those beside them, where the log's clock may have put a block. Days in which no
// builder puts blocks any more are listed once an hour otherwise: what time alone
// brings about, such as that blocks expire, is in the plan without.
func (c *Compactor) look(ctx context.Context, project schema.ProjectID, floors []Floor, plan func(blocks []Listed) (Plan, error)) (Plan, error) {
	known := c.listings[project]
	if known == nil {
		known = make(listing)
	}
	c.forgetProject(project) // until the look has ended well
	folders, err := catalog.Folders(ctx, c.bucket, project, c.skippedObject)
	if err != nil {
		return Plan{}, fmt.Errorf("list the blocks: %w", err)
	}
	open := openFrom(floors)
	for folder, day := range known {
		day.fresh = false
		if !slices.Contains(folders, folder) || clock.Since(day.at) >= restInterval || !catalog.Closed(folder, project, open) {
			delete(known, folder)
		}
	}
	var made Plan
	for range maxLooks {
		var blocks []Listed
		for _, folder := range folders {
			day := known[folder]
			if day == nil {
				if day, err = c.listDay(ctx, project, folder); err != nil {
					return Plan{}, err
				}
				known[folder] = day
			}
			blocks = append(blocks, day.blocks...)
		}
		if made, err = plan(blocks); err != nil {
			return Plan{}, err
		}
		if !known.forget(project, &made) {
			c.remember(project, known, folders, open)
			return made, nil
		}
	}
	return Plan{}, errors.New("the blocks change faster than they are listed")
}

// openFrom is the earliest log time that a block may have which is yet to come.
func openFrom(floors []Floor) time.Time {
	from := time.Now()
	for _, f := range floors {
		if !f.Next.IsZero() && f.Next.Before(from) {
			from = f.Next
		}
	}
	return from
}

// forget drops the days that a plan touches and that were not listed for it, and
// reports whether there are any.
func (l listing) forget(project schema.ProjectID, p *Plan) (stale bool) {
	touched := make(map[string]bool)
	touch := func(n *schema.BlockName) {
		at := time.Unix(0, int64(n.LogNanos)).UTC() //nolint:gosec // checked when names are parsed
		for _, beside := range []int{-1, 0, 1} {
			touched[schema.DayPrefix(project, at.AddDate(0, 0, beside))] = true
		}
	}
	for _, job := range slices.Concat(p.Merges, p.Rewrites, p.Sifts, p.Reprices) {
		for i := range job.Inputs {
			touch(&job.Inputs[i].BlockName)
		}
	}
	for i := range p.Deletions {
		touch(&p.Deletions[i].BlockName)
	}
	for folder := range touched {
		if day := l[folder]; day != nil && !day.fresh {
			delete(l, folder)
			stale = true
		}
	}
	return stale
}

// remember keeps what was listed of closed days for the next look.
func (c *Compactor) remember(project schema.ProjectID, l listing, folders []string, open time.Time) {
	for _, folder := range folders {
		size := len(l[folder].blocks)
		if c.remembered+size > maxRemembered || !catalog.Closed(folder, project, open) {
			delete(l, folder)
			continue
		}
		c.remembered += size
	}
	c.listings[project] = l
}

// forgetProject drops what is known of a project.
func (c *Compactor) forgetProject(project schema.ProjectID) {
	for _, day := range c.listings[project] {
		c.remembered -= len(day.blocks)
	}
	delete(c.listings, project)
}

func (c *Compactor) listDay(ctx context.Context, project schema.ProjectID, folder string) (*listedDay, error) {
	day := &listedDay{at: time.Now(), fresh: true}
	for object, err := range c.bucket.List(ctx, objstore.ListOptions{Prefix: folder}) {
		if err != nil {
			return nil, fmt.Errorf("list the blocks: %w", err)
		}
		name, err := schema.ParseBlockName(object.Key)
		if err != nil {
			c.skippedObject(object.Key, err)
			continue
		}
		name.Project = project // not a part of the key, which would stay in memory
		day.blocks = append(day.blocks, Listed{BlockName: name, Bytes: object.Size, Stored: object.ModTime})
	}
	return day, nil
}

func (c *Compactor) skippedObject(key string, err error) {
	c.logger.Warn("an object among the blocks has no block's name", slog.String("key", key), slog.Any("err", err))
}
