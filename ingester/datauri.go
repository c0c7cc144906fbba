package ingester

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"github.com/spanlake/spanlake/schema"
)

// minMovedBytes is how large a data URI is at least that is moved out of a request.
const minMovedBytes = 64 << 10

var (
	dataScheme = []byte("data:")
	dataBase64 = []byte(";base64,")
)

// MoveOut stores what large data URIs in a body hold as media, and returns the body
// with references in their place, as SDKs of Langfuse write them that do so
// themselves. What a span of a conversation repeats is stored once. It works on JSON
// as it lies: a data URI has nothing that JSON escapes, and neither has a reference.
func (m *Media) MoveOut(ctx context.Context, id schema.ProjectID, body []byte) ([]byte, error) {
	var moved []byte
	rest := body
	for {
		at := bytes.Index(rest, dataBase64)
		if at < 0 {
			break
		}
		content := rest[at+len(dataBase64):]
		end := 0
		for end < len(content) && isBase64(content[end]) {
			end++
		}
		contentType, begins := typeBefore(rest[:at])
		next := content[end:]
		decoded, ok := decodeLarge(content[:end])
		if !ok || begins < 0 {
			moved, rest = append(moved, rest[:len(rest)-len(next)]...), next
			continue
		}
		name, err := m.keep(ctx, id, contentType, decoded)
		if err != nil {
			return nil, err
		}
		moved = append(moved, rest[:begins]...)
		moved = append(moved, reference(name, contentType, "base64_data_uri")...)
		rest = next
	}
	if moved == nil {
		return body, nil
	}
	return append(moved, rest...), nil
}

// MoveFile stores a file as media if it is large, and returns what a span has in its
// place: a reference, or a data URI.
func (m *Media) MoveFile(ctx context.Context, id schema.ProjectID, contentType string, content []byte) (string, error) {
	if len(content) < minMovedBytes {
		return "data:" + contentType + ";base64," + base64.StdEncoding.EncodeToString(content), nil
	}
	contentType, err := MediaType(contentType)
	if err != nil {
		contentType = anyType
	}
	name, err := m.keep(ctx, id, contentType, content)
	if err != nil {
		return "", err
	}
	return reference(name, contentType, "bytes"), nil
}

// anyType is of content of which no type is known.
const anyType = "application/octet-stream"

// keep stores content unless it is held. Its bytes are charged to the project as
// those of spans are.
func (m *Media) keep(ctx context.Context, id schema.ProjectID, contentType string, content []byte) (schema.MediaName, error) {
	name := schema.MediaName{Project: id, SHA256: sha256.Sum256(content)}
	held, err := m.Held(ctx, name, int64(len(content)))
	if err == nil && !held {
		err = m.receiver.Permit(id, len(content))
		if err == nil {
			err = m.Put(ctx, name, contentType, content)
		}
	}
	return name, err
}

// reference is what a span has in the place of a medium.
func reference(name schema.MediaName, contentType, source string) string {
	return fmt.Sprintf("@@@langfuseMedia:type=%s|id=%s|source=%s@@@", contentType, name.ID(), source)
}

// typeBefore is the type of a data URI of which b has all before the encoding, and
// where the URI begins, -1 if there is none.
func typeBefore(b []byte) (contentType string, begins int) {
	const longest = 100
	window := b[max(len(b)-longest, 0):]
	at := bytes.LastIndex(window, dataScheme)
	if at < 0 {
		return "", -1
	}
	text := window[at+len(dataScheme):]
	for _, c := range text {
		if !isTypeByte(c) {
			return "", -1
		}
	}
	contentType, err := MediaType(string(text))
	if err != nil {
		return "", -1
	}
	return contentType, len(b) - len(window) + at
}

func isTypeByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '/' || c == '-' || c == '+' || c == '.' || c == '_'
}

func isBase64(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '/' || c == '+' || c == '='
}

// decodeLarge decodes what is worth it.
func decodeLarge(text []byte) ([]byte, bool) {
	if base64.StdEncoding.DecodedLen(len(text)) < minMovedBytes {
		return nil, false
	}
	decoded := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(decoded, text)
	return decoded[:n], err == nil && n >= minMovedBytes
}
