package compactor

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spanlake/spanlake/schema"
)

// lease keeps other workers away from a project's partition.
type lease struct {
	c     *Compactor
	name  string
	until time.Time
}

// leaseName names a project's partition. A lease's name may not have two dots in a
// row, as a project's may.
func leaseName(n *schema.BlockName) string {
	return fmt.Sprintf("compactor.p%dof%d.%s", n.Partition, n.Partitions, strings.ReplaceAll(string(n.Project), ".", "="))
}

func (l *lease) length() time.Duration { return max(leaseIntervals*l.c.cfg.Interval, minLease) }

func (l *lease) take(ctx context.Context) (bool, error) {
	l.until = time.Now().Add(l.length())
	return l.c.log.Lease(ctx, l.name, l.c.holder, l.length())
}

// prolong is called often. Work goes on without the lease, too.
func (l *lease) prolong(ctx context.Context) {
	if time.Until(l.until) > l.length()/2 {
		return
	}
	if _, err := l.take(ctx); err != nil {
		l.c.logger.Debug("lease was not prolonged", slog.String("lease", l.name), slog.Any("err", err))
	}
}

func (l *lease) giveBack(ctx context.Context) {
	if _, err := l.c.log.Lease(context.WithoutCancel(ctx), l.name, l.c.holder, 0); err != nil {
		l.c.logger.Debug("lease was not given back", slog.String("lease", l.name), slog.Any("err", err))
	}
}
