package langsmith

import (
	"strconv"
	"time"
)

// madeAt is when an id was made: a UUID of version 7, which SDKs use, tells it in
// milliseconds. It is the same when what has the id is sent again.
func madeAt(id string, otherwise time.Time) time.Time {
	if len(id) != 36 || id[14] != '7' {
		return otherwise
	}
	millis, err := strconv.ParseUint(id[:8]+id[9:13], 16, 48)
	if err != nil {
		return otherwise
	}
	return time.UnixMilli(int64(millis)) //nolint:gosec // 48 bits
}
