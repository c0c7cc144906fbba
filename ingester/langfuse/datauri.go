package langfuse

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"

	"github.com/spanlake/spanlake/schema"
)

// minMovedBytes is how large a data URI is at least that is moved out of a request.
const minMovedBytes = 64 << 10

var (
	dataScheme = []byte("data:")
	dataBase64 = []byte(";base64,")
)

// moveOut stores what large data URIs in a body hold as media, and returns the body
// with references in their place, as SDKs write them that do so themselves. What a
// span of a conversation repeats is stored once. It works on JSON as it lies: a data
// URI has nothing that JSON escapes, and neither has a reference.
func (h *Handler) moveOut(ctx context.Context, id schema.ProjectID, body []byte) ([]byte, error) {
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
		name := schema.MediaName{Project: id, SHA256: sha256.Sum256(decoded)}
		held, err := h.holds(ctx, name, int64(len(decoded)))
		if err == nil && !held {
			err = h.store(ctx, name, contentType, decoded)
		}
		if err != nil {
			return nil, err
		}
		moved = append(moved, rest[:begins]...)
		moved = append(moved, "@@@langfuseMedia:type="+contentType+"|id="+name.ID()+"|source=base64_data_uri@@@"...)
		rest = next
	}
	if moved == nil {
		return body, nil
	}
	return append(moved, rest...), nil
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
	contentType, err := mediaType(string(text))
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
