package wal

import (
	"context"
	"time"
)

// leaseRecord is who works on something, under leaseKey.
type leaseRecord struct {
	Holder string    `json:"holder"`
	Until  time.Time `json:"until"`
}

func leaseKey(name string) string { return "lease." + name }

// Lease takes the lease of a name for a while, or prolongs it if holder has it
// already; a while of zero gives it back. It reports false while someone else has
// it. Names are made of letters, digits, single dots, dashes, underscores and equals
// signs.
//
// A lease saves work and proves nothing: holders' clocks differ, and one that slept
// does not know that its lease has ended. Safe for concurrent use. Returns
// ErrUnavailable, ErrClosed or the context's error.
func (l *Log) Lease(ctx context.Context, name, holder string, while time.Duration) (bool, error) {
	s, err := l.current()
	if err != nil {
		return false, err
	}
	c, err := l.openControl(ctx, s)
	if err != nil {
		return false, err
	}
	var have leaseRecord
	revision, err := c.get(ctx, leaseKey(name), &have)
	if err != nil {
		return false, err
	}
	now := time.Now()
	if have.Holder != holder && now.Before(have.Until) {
		return false, nil
	}
	return c.put(ctx, leaseKey(name), leaseRecord{holder, now.Add(while)}, revision)
}
