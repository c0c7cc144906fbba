package querier

import (
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spanlake/spanlake/querier/tempopb"
)

// params are parameters of the HTTP API. In requests over gRPC a zero means
// that there is none.
type params struct{ url.Values }

func (p params) text(name, s string) {
	if s != "" {
		p.Set(name, s)
	}
}

func (p params) number(name string, n uint32) {
	if n > 0 {
		p.Set(name, strconv.FormatUint(uint64(n), 10))
	}
}

// seconds sets a range in Unix seconds, both ends or none.
func (p params) seconds(start, end uint32) {
	if start > 0 || end > 0 {
		p.Set("start", strconv.FormatUint(uint64(start), 10))
		p.Set("end", strconv.FormatUint(uint64(end), 10))
	}
}

// nanos sets a time in Unix nanoseconds: with so many digits it is not taken for
// seconds.
func (p params) nanos(name string, n uint64) {
	if n > 0 {
		p.Set(name, fmt.Sprintf("%020d", n))
	}
}

func searchValues(r *tempopb.SearchRequest) (url.Values, error) {
	p := params{make(url.Values)}
	p.text("q", r.Query)
	p.number("limit", r.Limit)
	p.number("spss", r.SpansPerSpanSet)
	p.seconds(r.Start, r.End)
	for name, ms := range map[string]uint32{"minDuration": r.MinDurationMs, "maxDuration": r.MaxDurationMs} {
		if ms > 0 {
			p.Set(name, (time.Duration(ms) * time.Millisecond).String())
		}
	}
	var tags []string
	for _, key := range slices.Sorted(maps.Keys(r.Tags)) {
		if key == "" || strings.ContainsAny(key, "=\" \t\r\n") {
			return nil, badRequest("invalid tags: %q is no key", key)
		}
		tags = append(tags, key+"="+strconv.Quote(r.Tags[key]))
	}
	p.text("tags", strings.Join(tags, " "))
	return p.Values, nil
}

func tagsValues(r *tempopb.TagsRequest) url.Values {
	p := params{make(url.Values)}
	p.text("scope", r.Scope)
	p.text("q", r.Query)
	p.seconds(r.Start, r.End)
	p.number("limit", r.Limit)
	return p.Values
}

func tagValuesValues(r *tempopb.TagValuesRequest) url.Values {
	p := params{make(url.Values)}
	p.text("q", r.Query)
	p.seconds(r.Start, r.End)
	p.number("limit", r.Limit)
	return p.Values
}

func rangeValues(r *tempopb.QueryRangeRequest) (url.Values, error) {
	p := params{make(url.Values)}
	p.text("q", r.Query)
	p.nanos("start", r.StartNanos)
	p.nanos("end", r.EndNanos)
	if r.StepNanos > math.MaxInt64 {
		return nil, badRequest("invalid step: %d nanoseconds are too many", r.StepNanos)
	}
	if r.StepNanos > 0 {
		p.Set("step", time.Duration(r.StepNanos).String())
	}
	p.number("exemplars", r.Exemplars)
	p.number("maxSeries", r.MaxSeries)
	return p.Values, nil
}

func instantValues(r *tempopb.QueryInstantRequest) url.Values {
	p := params{make(url.Values)}
	p.text("q", r.Query)
	p.nanos("start", r.StartNanos)
	p.nanos("end", r.EndNanos)
	return p.Values
}
