package schema

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// ErrBadMedia is returned for a text that is not a key, or not an id, of media.
var ErrBadMedia = errors.New("not media")

// MediaPrefix is the prefix of the keys of all media: images, sound and documents that
// traces refer to.
const MediaPrefix = "media/"

// ProjectMedia is the prefix of a project's.
func ProjectMedia(p ProjectID) string { return MediaPrefix + string(p) + "/" }

// MediaSecret is the key of the object with the secret by which links to a project's
// media are signed.
func MediaSecret(p ProjectID) string { return ProjectMedia(p) + "secret" }

// MediaName names an object by the SHA-256 of its content, so that what many spans
// have is stored once. Its text form is
//
//	media/<project>/<64 hexadecimal digits>
type MediaName struct {
	Project ProjectID
	SHA256  [32]byte
}

// Key is the object's key.
func (n MediaName) Key() string { return ProjectMedia(n.Project) + hex.EncodeToString(n.SHA256[:]) }

// TypeKey is the key of the object that says of which type the content is.
func (n MediaName) TypeKey() string { return n.Key() + ".type" }

// EraseKey is the key of the object that marks the medium: it is to be erased unless a
// trace refers to it, and whoever has it is to put it again.
func (n MediaName) EraseKey() string { return n.Key() + ".erase" }

// mediaIDBytes is the length of an id, of a part of the hash.
const mediaIDBytes = 22

// ID is by what traces refer to the object: the beginning of the hash in base64, as
// SDKs of Langfuse compute it.
func (n MediaName) ID() string {
	return base64.RawURLEncoding.EncodeToString(n.SHA256[:])[:mediaIDBytes]
}

// MediaIDPrefix is how the keys of objects begin that an id may mean: of those that a
// listing finds the one of the same ID counts.
func MediaIDPrefix(p ProjectID, id string) (string, error) {
	beginning, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil || len(id) != mediaIDBytes {
		return "", fmt.Errorf("%w: %.50q is not an id of %d characters", ErrBadMedia, id, mediaIDBytes)
	}
	return ProjectMedia(p) + hex.EncodeToString(beginning), nil
}

// ParseMediaName reads a key. Returns ErrBadMedia for every text that Key does not
// produce.
func ParseMediaName(key string) (n MediaName, err error) {
	rest, ok := strings.CutPrefix(key, MediaPrefix)
	project, hash, _ := strings.Cut(rest, "/")
	if n.Project, err = ParseProjectID(project); err != nil || !ok {
		return n, fmt.Errorf("%w: %q", ErrBadMedia, key)
	}
	if b, err := hex.DecodeString(hash); err == nil && len(b) == len(n.SHA256) {
		n.SHA256 = [32]byte(b)
	}
	if n.Key() != key {
		return MediaName{}, fmt.Errorf("%w: %q", ErrBadMedia, key)
	}
	return n, nil
}

// How a reference begins and ends, and what is before the id in it.
const (
	referenceBegin = "@@@langfuseMedia:"
	referenceEnd   = "@@@"
	referenceID    = "id="
)

// MediaReferences returns the ids of the media that a text refers to, as SDKs of
// Langfuse write references: @@@langfuseMedia:type=…|id=…|source=…@@@, with the parts
// in any order. An id may come more than once.
func MediaReferences(text []byte) (ids []string) {
	for {
		_, rest, found := bytes.Cut(text, []byte(referenceBegin))
		if !found {
			return ids
		}
		reference, _, found := bytes.Cut(rest, []byte(referenceEnd))
		if !found {
			return ids
		}
		for part := range bytes.SplitSeq(reference, []byte("|")) {
			if id, ok := bytes.CutPrefix(part, []byte(referenceID)); ok && len(id) == mediaIDBytes {
				ids = append(ids, string(id))
			}
		}
		text = rest
	}
}
