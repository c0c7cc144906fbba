package catalog

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/wal"
	"github.com/spanlake/spanlake/schema"
)

const (
	// clockMargin is more than the log's clock is ever put back. A batch belongs
	// to the day that this clock shows at its first message.
	clockMargin = 24 * time.Hour
	// listers is how many days are listed at once.
	listers = 16
)

var errNoFolder = errors.New("want blocks/<project>/<day>/<partition>/<block>")

// Folders lists the folders that hold a project's blocks, one for each day in
// which some were received, as prefixes of their keys. Objects beside them go to
// skipped. It takes a request for a thousand days.
func Folders(ctx context.Context, bucket objstore.Bucket, project schema.ProjectID, skipped func(key string, err error)) (folders []string, err error) {
	for entry, err := range bucket.List(ctx, objstore.ListOptions{Prefix: schema.ProjectPrefix(project), Delimiter: true}) {
		switch {
		case err != nil:
			return nil, err
		case strings.HasSuffix(entry.Key, "/"):
			folders = append(folders, entry.Key)
		default:
			skipped(entry.Key, errNoFolder)
		}
	}
	return folders, nil
}

// Closed reports whether no builder adds a block to a folder any more if what is
// not in blocks yet was received from a time on, by the log's clock.
func Closed(folder string, project schema.ProjectID, from time.Time) bool {
	day, err := schema.ParseDayPrefix(project, folder)
	return err == nil && !from.Before(day.Add(24*time.Hour+clockMargin))
}

// firstTimes is when the messages with which partitions begin were published, by
// the log's clock alone: that of this machine may show anything.
type firstTimes struct {
	latest   time.Time // of all
	earliest time.Time // of those that hold messages which are in no block, zero without one
}

func (f *firstTimes) add(s wal.State) {
	if s.FirstTime.After(f.latest) {
		f.latest = s.FirstTime
	}
	if s.Last > s.Floor() && (f.earliest.IsZero() || s.FirstTime.Before(f.earliest)) {
		f.earliest = s.FirstTime // the kept cut's, or that of the oldest message itself
	}
}

// from is a time from which on all was received that is in no block yet. What comes
// next comes after the last message of which the time is known.
func (f *firstTimes) from() time.Time {
	if f.earliest.IsZero() {
		return f.latest
	}
	return f.earliest
}

// days are the listings of closed days: merging and deleting change them, of
// which a reader hears when a block is gone, but nothing that is new is missing.
type days map[string][]schema.BlockName

// list returns all blocks of a project. Only folders are listed that are not known
// or not closed; what is closed is known then.
func (d days) list(ctx context.Context, c *Catalog, project schema.ProjectID, from time.Time) ([]schema.BlockName, error) {
	folders, err := Folders(ctx, c.bucket, project, c.skipped)
	if err != nil {
		return nil, err
	}
	lists := make([][]schema.BlockName, len(folders))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(listers)
	there := make(map[string]bool, len(folders))
	for i, folder := range folders {
		there[folder] = true
		if known, ok := d[folder]; ok {
			lists[i] = known
			continue
		}
		c.metrics.folders.Inc()
		group.Go(func() (err error) {
			lists[i], err = c.listFolder(groupCtx, project, folder)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for folder := range d {
		if !there[folder] {
			delete(d, folder)
		}
	}
	for i, folder := range folders {
		if Closed(folder, project, from) {
			d[folder] = lists[i]
		}
	}
	return inOrder(lists), nil
}

// inOrder puts lists of visible blocks together, each of which is in the order of
// the covering rule, so that almost all of the whole is: days follow each other in
// every stream. Sorting what is sorted takes no time.
func inOrder(lists [][]schema.BlockName) []schema.BlockName {
	type stream struct {
		partitions, partition int
		epoch                 uint64
	}
	runs, total := make(map[stream][][]schema.BlockName), 0
	for _, list := range lists {
		total += len(list)
		for len(list) > 0 {
			of := func(n *schema.BlockName) stream { return stream{n.Partitions, n.Partition, n.Epoch} }
			first, n := of(&list[0]), 1
			for n < len(list) && of(&list[n]) == first {
				n++
			}
			runs[first] = append(runs[first], list[:n])
			list = list[n:]
		}
	}
	all := make([]schema.BlockName, 0, total)
	for _, s := range slices.SortedFunc(maps.Keys(runs), func(a, b stream) int {
		return cmp.Or(cmp.Compare(a.partitions, b.partitions), cmp.Compare(a.partition, b.partition), cmp.Compare(a.epoch, b.epoch))
	}) {
		for _, run := range runs[s] {
			all = append(all, run...)
		}
	}
	return all
}

func (c *Catalog) listFolder(ctx context.Context, project schema.ProjectID, folder string) ([]schema.BlockName, error) {
	var all []schema.BlockName
	for name, err := range blocks(ctx, c.bucket, folder, c.skipped) {
		if err != nil {
			return nil, err
		}
		name.Project = project // not a part of the key, which would stay in memory
		all = append(all, name)
	}
	return schema.Visible(all), nil
}
