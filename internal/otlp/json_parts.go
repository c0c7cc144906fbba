package otlp

import "slices"

// AppendResourceSpansJSON appends the elements of the list that AppendTracesJSON
// writes, with commas between them: for a list that is put together from the
// spans of several messages. Errors are those of AppendTracesJSON.
func AppendResourceSpansJSON(dst, traces []byte) ([]byte, error) {
	const before, after = `{"":[`, `]}`
	start := len(dst)
	dst, err := AppendTracesJSON(dst, traces, "")
	if err != nil || len(dst)-start < len(before)+len(after) {
		return dst[:start], err
	}
	return slices.Delete(dst[:len(dst)-len(after)], start, start+len(before)), nil
}
