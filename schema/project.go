package schema

import (
	"errors"
	"fmt"
)

// ErrBadProject is returned for a text that is not a project's name.
var ErrBadProject = errors.New("not a project name")

// ProjectID names a project: what retention, limits and access are set for.
// Its grammar is [a-z0-9][a-z0-9._-]{0,62}, so that it is one safe segment of
// an object's key. A value of this type has been checked by ParseProjectID.
type ProjectID string

// DefaultProject takes the spans that name no project.
const DefaultProject ProjectID = "default"

const maxProjectLen = 63

// ParseProjectID checks a project's name. Returns ErrBadProject with the rule
// that it breaks.
func ParseProjectID(s string) (ProjectID, error) {
	if s == "" || len(s) > maxProjectLen {
		return "", fmt.Errorf("%w: want 1 to %d characters, have %d", ErrBadProject, maxProjectLen, len(s))
	}
	for i := range len(s) {
		c := s[i]
		alnum := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if alnum || i > 0 && (c == '.' || c == '_' || c == '-') {
			continue
		}
		return "", fmt.Errorf("%w: %q: want lower-case letters, digits, and after the first character also . _ -", ErrBadProject, s)
	}
	return ProjectID(s), nil
}
