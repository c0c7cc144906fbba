package tempopb

import "fmt"

// Decode reads a request of the given name.
func Decode(name string, wire []byte) (any, error) {
	requests := map[string]interface{ decode(b []byte) error }{
		"SearchRequest": &SearchRequest{}, "SearchTagsRequest": &TagsRequest{}, "SearchTagValuesRequest": &TagValuesRequest{},
		"QueryRangeRequest": &QueryRangeRequest{}, "QueryInstantRequest": &QueryInstantRequest{},
	}
	r, ok := requests[name]
	if !ok {
		return nil, fmt.Errorf("no request %s", name)
	}
	return r, r.decode(wire)
}
