package llm

// Members are the members of an object in a text; of those with one key the last
// counts.
func Members(s string) (map[string]string, bool) {
	if !validJSON(s) {
		return nil, false
	}
	found := make(map[string]string)
	members(s, func(key, value string) { found[key] = value })
	return found, true
}
