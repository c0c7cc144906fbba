package objstore

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ErrBadKey is returned for a text that is not an object's key.
var ErrBadKey = errors.New("not an object key")

const (
	// MaxKeyBytes is the length of the longest key: the limit of S3.
	MaxKeyBytes = 1024
	// MaxSegmentBytes is the length of the longest segment: the limit of
	// file names on the usual filesystems.
	MaxSegmentBytes = 255
)

// CheckKey returns ErrBadKey, with the rule that is broken, for a text that is
// not a key. A key is at most MaxKeyBytes of UTF-8 without control characters:
// segments joined by single slashes, none at either end. A segment is 1 to
// MaxSegmentBytes long and does not begin with a dot: "." and ".." would leave
// their folder, and hidden names are free for adapters. Every bucket can hold
// every key.
func CheckKey(key string) error {
	switch {
	case key == "":
		return badKey(key, "is empty")
	case len(key) > MaxKeyBytes:
		return badKey(key[:64], "is too long")
	case !utf8.ValidString(key):
		return badKey(key, "is not UTF-8")
	}
	for segment := range strings.SplitSeq(key, "/") {
		switch {
		case segment == "":
			return badKey(key, "has an empty segment")
		case segment[0] == '.':
			return badKey(key, "has a segment that begins with a dot")
		case len(segment) > MaxSegmentBytes:
			return badKey(key, "has a segment that is too long")
		case strings.ContainsFunc(segment, isControl):
			return badKey(key, "has a control character")
		}
	}
	return nil
}

// isControl is true for what XML, in which S3 lists keys, cannot carry.
func isControl(r rune) bool {
	return r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0xfffe || r == 0xffff
}

func badKey(key, rule string) error {
	return fmt.Errorf("%w: %q %s", ErrBadKey, key, rule)
}
