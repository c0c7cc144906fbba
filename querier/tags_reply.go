package querier

import "github.com/spanlake/spanlake/traceql"

// The replies of lists of names and values in proto3 JSON: zero values are left
// out, lists are there even if they are empty. They may be decoded strictly, so
// no field may be added here.
type (
	tagsV1Response struct {
		TagNames []string        `json:"tagNames"`
		Metrics  metadataMetrics `json:"metrics"`
	}
	tagsV2Response struct {
		Scopes  []tagScope      `json:"scopes"`
		Metrics metadataMetrics `json:"metrics"`
	}
	tagScope struct {
		Name string   `json:"name"`
		Tags []string `json:"tags"`
	}
	tagValuesV1Response struct {
		TagValues []string        `json:"tagValues"`
		Metrics   metadataMetrics `json:"metrics"`
	}
	tagValuesV2Response struct {
		TagValues []tagValue      `json:"tagValues"`
		Metrics   metadataMetrics `json:"metrics"`
	}
	tagValue struct {
		Type  string `json:"type"`
		Value string `json:"value,omitempty"`
	}
	metadataMetrics struct {
		TotalJobs     uint32 `json:"totalJobs,omitempty"`
		CompletedJobs uint32 `json:"completedJobs,omitempty"`
		TotalBlocks   uint32 `json:"totalBlocks,omitempty"`
	}
)

// scanned are the metrics of a list for which data was read.
func scanned(blocks int) metadataMetrics {
	return metadataMetrics{TotalJobs: 1, CompletedJobs: 1, TotalBlocks: uint32(blocks)} //nolint:gosec // a count of blocks
}

// orEmpty makes the JSON of an empty list [] rather than null.
func orEmpty(names []string) []string {
	if names == nil {
		return []string{}
	}
	return names
}

// tagValueOf gives a value the type by which the data source decides on quotes,
// and the text to insert into a query.
func tagValueOf(v traceql.Static) tagValue {
	switch v.Type {
	case traceql.TypeString:
		return tagValue{"string", v.Str}
	case traceql.TypeInt:
		return tagValue{"int", v.String()}
	case traceql.TypeFloat:
		return tagValue{"float", v.String()}
	case traceql.TypeBool:
		return tagValue{"bool", v.String()}
	case traceql.TypeDuration:
		return tagValue{"duration", v.String()}
	case traceql.TypeStatus, traceql.TypeKind, traceql.TypeUnknown, traceql.TypeNil:
	}
	return tagValue{"keyword", v.String()}
}
