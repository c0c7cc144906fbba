package tempopb

import (
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// SearchRequest asks for traces.
type SearchRequest struct {
	Tags                         map[string]string
	MinDurationMs, MaxDurationMs uint32
	Limit                        uint32
	Start, End                   uint32 // Unix seconds
	Query                        string
	SpansPerSpanSet              uint32
}

// decode reads the message. Fields that it does not know are passed over, here
// and in the other requests.
func (r *SearchRequest) decode(b []byte) error {
	return fields(b, func(num protowire.Number, v uint64, body []byte) error {
		switch num {
		case 1:
			return r.decodeTag(body)
		case 2:
			r.MinDurationMs = low32(v)
		case 3:
			r.MaxDurationMs = low32(v)
		case 4:
			r.Limit = low32(v)
		case 5:
			r.Start = low32(v)
		case 6:
			r.End = low32(v)
		case 8:
			r.Query = string(body)
		case 9:
			r.SpansPerSpanSet = low32(v)
		}
		return nil
	})
}

func (r *SearchRequest) decodeTag(b []byte) error {
	var key, value string
	err := fields(b, func(num protowire.Number, _ uint64, body []byte) error {
		switch num {
		case 1:
			key = string(body)
		case 2:
			value = string(body)
		}
		return nil
	})
	if r.Tags == nil {
		r.Tags = make(map[string]string)
	}
	r.Tags[key] = value
	return err
}

// TagsRequest is a SearchTagsRequest: it asks for names of tags.
type TagsRequest struct {
	Scope, Query string
	Start, End   uint32 // Unix seconds
	Limit        uint32 // names of each scope
}

func (r *TagsRequest) decode(b []byte) error {
	return fields(b, func(num protowire.Number, v uint64, body []byte) error {
		switch num {
		case 1:
			r.Scope = string(body)
		case 2:
			r.Query = string(body)
		case 3:
			r.Start = low32(v)
		case 4:
			r.End = low32(v)
		case 5:
			r.Limit = low32(v)
		}
		return nil
	})
}

// TagValuesRequest is a SearchTagValuesRequest: it asks for values of a tag.
type TagValuesRequest struct {
	TagName, Query string
	Start, End     uint32 // Unix seconds
	Limit          uint32 // values
}

func (r *TagValuesRequest) decode(b []byte) error {
	return fields(b, func(num protowire.Number, v uint64, body []byte) error {
		switch num {
		case 1:
			r.TagName = string(body)
		case 2:
			r.Query = string(body)
		case 4:
			r.Start = low32(v)
		case 5:
			r.End = low32(v)
		case 6:
			r.Limit = low32(v)
		}
		return nil
	})
}

// QueryRangeRequest asks for the samples of a metrics query.
type QueryRangeRequest struct {
	Query                string
	StartNanos, EndNanos uint64 // Unix nanoseconds
	StepNanos            uint64 // 0: automatic
	Exemplars            uint32 // 0: as many as there may be
	MaxSeries            uint32 // 0: as many as there may be
}

func (r *QueryRangeRequest) decode(b []byte) error {
	return fields(b, func(num protowire.Number, v uint64, body []byte) error {
		switch num {
		case 1:
			r.Query = string(body)
		case 2:
			r.StartNanos = v
		case 3:
			r.EndNanos = v
		case 4:
			r.StepNanos = v
		case 16:
			r.Exemplars = low32(v)
		case 17:
			r.MaxSeries = low32(v)
		}
		return nil
	})
}

// QueryInstantRequest asks for one value for each series of a metrics query.
type QueryInstantRequest struct {
	Query                string
	StartNanos, EndNanos uint64 // Unix nanoseconds
}

func (r *QueryInstantRequest) decode(b []byte) error {
	return fields(b, func(num protowire.Number, v uint64, body []byte) error {
		switch num {
		case 1:
			r.Query = string(body)
		case 2:
			r.StartNanos = v
		case 3:
			r.EndNanos = v
		}
		return nil
	})
}

// fields calls f with each field of a message that is a number or has a length.
func fields(b []byte, f func(num protowire.Number, v uint64, body []byte) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("read a field's tag: %w", protowire.ParseError(n))
		}
		b = b[n:]
		var v uint64
		var body []byte
		switch typ {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			body, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
			num = math.MaxInt32 // of a type that no field here has
		}
		if n < 0 {
			return fmt.Errorf("read a field: %w", protowire.ParseError(n))
		}
		if err := f(num, v, body); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// low32 is what protobuf makes of more bits than a field has.
func low32(v uint64) uint32 { return uint32(v) } //nolint:gosec // on purpose
