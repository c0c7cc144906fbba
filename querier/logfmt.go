package querier

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/spanlake/spanlake/internal/engine"
)

// parseTags reads logfmt: key=value pairs with white space between them, values
// in double quotes where they hold white space or quotes. No key may stand
// twice.
func parseTags(text string) ([]engine.Tag, error) {
	var tags []engine.Tag
	seen := make(map[string]bool)
	for rest := strings.TrimSpace(text); rest != ""; rest = strings.TrimSpace(rest) {
		var tag engine.Tag
		var found bool
		tag.Key, rest, found = strings.Cut(rest, "=")
		switch {
		case !found || strings.ContainsFunc(tag.Key, unicode.IsSpace):
			key, _, _ := strings.Cut(tag.Key, " ")
			return nil, badRequest("invalid tags: %q has no value, want key=value", key)
		case tag.Key == "" || strings.Contains(tag.Key, `"`):
			return nil, badRequest("invalid tags: %q is no key, want key=value", tag.Key)
		case seen[tag.Key]:
			return nil, badRequest("invalid tags: %q stands twice", tag.Key)
		}
		seen[tag.Key] = true
		var err error
		if tag.Value, rest, err = cutTagValue(rest); err != nil {
			return nil, err
		}
		tags = append(tags, tag)
	}
	return tags, nil
}

// cutTagValue takes the value off the front of text.
func cutTagValue(text string) (value, rest string, err error) {
	end := strings.IndexFunc(text, unicode.IsSpace)
	if end < 0 {
		end = len(text)
	}
	if !strings.HasPrefix(text, `"`) {
		value, rest = text[:end], text[end:]
		if strings.Contains(value, `"`) {
			return "", "", badRequest("invalid tags: %s has quotes inside: put the whole value in double quotes", value)
		}
		return value, rest, nil
	}
	quoted, err := strconv.QuotedPrefix(text)
	if err != nil {
		return "", "", badRequest("invalid tags: %s: a value in double quotes does not end, or has an unknown escape", text)
	}
	if value, err = strconv.Unquote(quoted); err != nil {
		return "", "", badRequest("invalid tags: %s is not a quoted value", quoted)
	}
	if rest = text[len(quoted):]; rest != "" && strings.TrimLeftFunc(rest, unicode.IsSpace) == rest {
		return "", "", badRequest("invalid tags: want a space behind %s", quoted)
	}
	return value, rest, nil
}
