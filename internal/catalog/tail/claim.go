package tail

import (
	"context"
	"fmt"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/wal"
)

// Redeem returns the OTLP data of a message's entry: its own, or that of the
// object which a claim check stands for. Returns objstore.ErrNotExist if that
// object is gone, and wal.ErrPayload if it is not what the entry says.
func Redeem(ctx context.Context, bucket objstore.Bucket, e wal.Entry) ([]byte, error) {
	if e.Claim == "" {
		return e.Wire, nil
	}
	data, _, err := bucket.Get(ctx, e.Claim, objstore.GetOptions{})
	if err != nil {
		return nil, err
	}
	payload, err := wal.DecodePayload(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.Claim, err)
	}
	if len(payload.Entries) != 1 || payload.Entries[0].Project != e.Project || payload.Entries[0].Claim != "" {
		return nil, fmt.Errorf("%s: %w: not one entry of project %s", e.Claim, wal.ErrPayload, e.Project)
	}
	return payload.Entries[0].Wire, nil
}
