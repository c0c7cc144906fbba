package querier

import (
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// searchRange reads start and end, or since, or takes the last 15 minutes.
func (q *Querier) searchRange(values url.Values, now time.Time) (timeRange, error) {
	since := defaultSince
	if text := values.Get("since"); text != "" {
		var err error
		if since, err = time.ParseDuration(text); err != nil || since <= 0 {
			return timeRange{}, badRequest("invalid since %q: want a duration such as 1h", text)
		}
	} else if values.Has("start") || values.Has("end") {
		return q.startEnd(values)
	}
	if err := q.checkRange(since); err != nil {
		return timeRange{}, err
	}
	// A client's clock may run ahead: what has just arrived counts as recent.
	return timeRange{uint64(now.Add(-since).UnixNano()), uint64(now.Add(clockSkew).UnixNano())}, nil //nolint:gosec // wall clock
}

const clockSkew = time.Minute

func (q *Querier) startEnd(values url.Values) (timeRange, error) {
	start, err := timeValue(values, "start")
	if err != nil {
		return timeRange{}, err
	}
	end, err := timeValue(values, "end")
	if err != nil {
		return timeRange{}, err
	}
	if end <= start {
		return timeRange{}, badRequest("end (%s) must be greater than start (%s)", values.Get("end"), values.Get("start"))
	}
	return timeRange{start, end}, q.checkRange(time.Duration(min(end-start, math.MaxInt64))) //nolint:gosec // bounded on this line
}

func (q *Querier) checkRange(span time.Duration) error {
	if q.cfg.MaxSearchRange > 0 && span > q.cfg.MaxSearchRange {
		return badRequest("the time range of %s exceeds the limit of %s (querier.max-search-range)", span, q.cfg.MaxSearchRange)
	}
	return nil
}

// maxSecondsDigits is the length up to which a number is one of seconds;
// longer ones are nanoseconds.
const maxSecondsDigits = 10

// timeValue reads a required time: Unix seconds, whole or with a fraction,
// Unix nanoseconds, or RFC 3339. It returns Unix nanoseconds.
func timeValue(values url.Values, name string) (uint64, error) {
	text := values.Get(name)
	if text == "" {
		return 0, badRequest("start and end must be given together")
	}
	if v, err := strconv.ParseUint(text, 10, 64); err == nil {
		if len(text) <= maxSecondsDigits {
			v *= nanosPerSecond
		}
		return v, nil
	}
	if strings.Trim(text, "0123456789.") == "" {
		if v, err := strconv.ParseFloat(text, 64); err == nil && v < math.MaxInt64/nanosPerSecond {
			return uint64(v * nanosPerSecond), nil
		}
	}
	if v, err := time.Parse(time.RFC3339, text); err == nil && v.Unix() >= 0 && v.Unix() < math.MaxInt64/nanosPerSecond {
		return uint64(v.UnixNano()), nil //nolint:gosec // checked on the line before
	}
	return 0, badRequest("invalid %s %q: want Unix seconds or RFC 3339", name, text)
}

func intParam(values url.Values, name string, def, lowest, highest int) (int, error) {
	text := values.Get(name)
	if text == "" {
		return def, nil
	}
	v, err := strconv.Atoi(text)
	if err != nil || v < lowest || v > highest {
		return 0, badRequest("invalid %s %q: want a number from %d to %d", name, text, lowest, highest)
	}
	return v, nil
}

// durationParam reads a duration that is not negative, 0 when it is absent.
func durationParam(values url.Values, name string) (time.Duration, error) {
	text := values.Get(name)
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, badRequest("invalid %s %q: want a duration such as 100ms or 1.5s", name, text)
	}
	return d, nil
}
