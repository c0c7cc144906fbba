package compactor

import (
	"cmp"
	"slices"
	"time"

	"github.com/spanlake/spanlake/schema"
)

const (
	// maxWindow is the largest window: days are folders of the bucket.
	maxWindow = 24 * time.Hour
	// retentionParts is how much smaller than the retention a window is at least:
	// what a block keeps alive is no more than that.
	retentionParts = 8
)

// window is a stretch of the log's time, aligned to its size: from start, Unix
// nanoseconds, up to and not including end.
type window struct{ start, end int64 }

// windowOf is the window of a size that a log time lies in.
func windowOf(size time.Duration, logNanos uint64) window {
	at := int64(logNanos) //nolint:gosec // checked when names are parsed
	start := at - at%int64(size)
	return window{start, start + int64(size)}
}

// levelsFor is how many of the windows of a log a project uses: those of at most
// a day and an eighth of its retention. Level n of a block is made for window
// n-1.
func levelsFor(windows []time.Duration, retention time.Duration) int {
	n := len(windows)
	for n > 0 && (windows[n-1] > maxWindow || retention > 0 && windows[n-1] > retention/retentionParts) {
		n--
	}
	return n
}

// expiry is when a block may go because all that it holds was received longer
// ago than the retention: at the end of the largest window that the project
// uses or that the block was made for, so that the messages of its last batch,
// which go on beyond the first one's time, are as old. REQUIRES: retention > 0.
func expiry(n *schema.BlockName, windows []time.Duration, retention time.Duration) time.Time {
	return time.Unix(0, lifeOf(n, windows, retention).end).Add(retention)
}

// lifeOf is the largest window that a block was made for, or that its project uses.
func lifeOf(n *schema.BlockName, windows []time.Duration, retention time.Duration) window {
	size := retention / retentionParts
	if level := max(min(n.Level, len(windows)), levelsFor(windows, retention)); level > 0 {
		size = windows[level-1]
	}
	if size == 0 { // nothing expires, and there are no windows
		size = maxWindow
	}
	return windowOf(max(size, 1), n.LogNanos)
}

// byWindow cuts blocks into those of each window of a size, in the order of time,
// each in the order that they have.
func byWindow(blocks []*Listed, size time.Duration) [][]*Listed {
	sorted := slices.Clone(blocks)
	slices.SortStableFunc(sorted, func(a, b *Listed) int {
		return cmp.Compare(windowOf(size, a.LogNanos).start, windowOf(size, b.LogNanos).start)
	})
	var groups [][]*Listed
	from := 0
	for i, b := range sorted {
		if windowOf(size, b.LogNanos) != windowOf(size, sorted[from].LogNanos) {
			groups, from = append(groups, sorted[from:i]), i
		}
	}
	return append(groups, sorted[from:])
}
