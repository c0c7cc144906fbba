package llm

import (
	"strings"

	"github.com/spanlake/spanlake/internal/jsonvalue"
)

// addMedia adds an image, a sound or a file as a part of the conventions: one at an
// address ("uri"), or its bytes ("blob"). It reports whether it is one.
func (m *message) addMedia(kind string, v jsonvalue.Value) bool {
	f := jsonvalue.Pick(v, "image_url", "image", "source", "input_audio", "audio", "data", "url", "mimeType", "mediaType", "mime_type", "file", "uri", "content")
	mime := jsonvalue.Text(f.First("mimeType", "mediaType", "mime_type"))
	switch kind {
	case "image_url", "input_image":
		url := f["image_url"]
		if isObject(url) {
			url = jsonvalue.At(url, "url")
		}
		return m.addAt("image", mime, url)
	case "image":
		if source := f["source"]; isObject(source) { // Anthropic's
			g := jsonvalue.Pick(source, "media_type", "data", "url")
			if g["url"] != nil {
				return m.addAt("image", "", g["url"])
			}
			return m.addBlob("image", jsonvalue.Text(g["media_type"]), g["data"])
		}
		image := f.First("image", "data", "url")
		if url := jsonvalue.At(image, "image", "url"); url != nil { // OpenInference's
			image = url
		} else if url := jsonvalue.At(image, "url"); url != nil {
			image = url
		}
		return isText(image) && (m.addLink("image", mime, jsonvalue.Text(image)) || m.addBlob("image", mime, image))
	case "input_audio", "audio":
		audio := f.First("input_audio", "audio")
		if url := jsonvalue.At(audio, "audio", "url"); url != nil {
			return m.addAt("audio", mime, url)
		}
		g := jsonvalue.Pick(audio, "data", "format")
		if format := jsonvalue.Text(g["format"]); format != "" {
			mime = "audio/" + format
		}
		return m.addBlob("audio", mime, g["data"])
	case "file", "media":
		data := f.First("data", "url")
		return isText(data) && (m.addLink(modality(mime), mime, jsonvalue.Text(data)) || m.addBlob(modality(mime), mime, data))
	}
	return false
}

// addGeminiMedia does the same with parts of Gemini and Genkit.
func (m *message) addGeminiMedia(v jsonvalue.Value) bool {
	f := jsonvalue.Pick(v, "inlineData", "inline_data", "fileData", "file_data", "media")
	if inline := f.First("inlineData", "inline_data"); isObject(inline) {
		g := jsonvalue.Pick(inline, "mimeType", "mime_type", "data")
		mime := jsonvalue.Text(g.First("mimeType", "mime_type"))
		return m.addBlob(modality(mime), mime, g["data"])
	}
	if file := f.First("fileData", "file_data", "media"); isObject(file) {
		g := jsonvalue.Pick(file, "mimeType", "mime_type", "contentType", "fileUri", "file_uri", "url")
		mime := jsonvalue.Text(g.First("mimeType", "mime_type", "contentType"))
		return m.addAt(modality(mime), mime, g.First("fileUri", "file_uri", "url"))
	}
	return false
}

// modality is the kind of media that a type is.
func modality(mime string) string {
	switch kind, _, _ := strings.Cut(mime, "/"); kind {
	case "image", "audio", "video":
		return kind
	}
	return "file"
}

// addAt adds media at an address, which may hold them.
func (m *message) addAt(modality, mime string, url jsonvalue.Value) bool {
	if !isText(url) {
		return false
	}
	s := jsonvalue.Text(url)
	if !m.addLink(modality, mime, s) {
		m.addURI(modality, mime, s)
	}
	return true
}

// addLink adds what is a data URI or an address with a scheme, or a reference to media
// of Langfuse, and reports whether s is one.
func (m *message) addLink(modality, mime, s string) bool {
	if rest, ok := strings.CutPrefix(s, "data:"); ok {
		head, data, _ := strings.Cut(rest, ",")
		if kind, base64 := strings.CutSuffix(head, ";base64"); base64 {
			m.begin("blob")
			m.text("modality", modality)
			m.text("mime_type", kind)
			m.text("content", data)
			m.end()
			return true
		}
	}
	scheme, _, found := strings.Cut(s, "://")
	if !found && !strings.HasPrefix(s, "@@@langfuseMedia:") && !strings.HasPrefix(s, "data:") || found && len(scheme) > 20 {
		return false
	}
	m.addURI(modality, mime, s)
	return true
}

func (m *message) addURI(modality, mime, s string) {
	m.begin("uri")
	m.text("modality", modality)
	if mime != "" {
		m.text("mime_type", mime)
	}
	m.text("uri", s)
	m.end()
}

// addBlob adds bytes in base64.
func (m *message) addBlob(modality, mime string, data jsonvalue.Value) bool {
	if !isText(data) {
		return false
	}
	m.begin("blob")
	m.text("modality", modality)
	if mime != "" {
		m.text("mime_type", mime)
	}
	m.member("content", data)
	m.end()
	return true
}
