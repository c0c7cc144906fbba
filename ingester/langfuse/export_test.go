package langfuse

import "time"

// SetClock lets tests be at another time.
func (h *Handler) SetClock(now func() time.Time) { h.now, h.media.Now = now, now }
