package querier

// ParseTags is parseTags.
var ParseTags = parseTags
