package mcp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// Bounds of replies, bytes.
const (
	defaultReply = 16 << 10
	minReply     = 8 << 10
	maxReply     = 256 << 10
	// envelope is what a reply has around its text.
	envelope = 512 + maxToken
	// maxError is the longest text of an error.
	maxError = 2 << 10
)

// Paging are the arguments of tools whose replies have parts.
type Paging struct {
	MaxBytes int    `json:"max_bytes,omitempty" jsonschema:"the most bytes of the reply, 8192 to 262144, default 16384"`
	Next     string `json:"next,omitempty" jsonschema:"the next of the reply before: gives what comes after it; all other arguments must be the same"`
}

func (p Paging) paging() Paging { return p }

// paged are arguments with those of Paging.
type paged interface{ paging() Paging }

// page makes one reply: a head, and as many elements of a list as have room.
type page struct {
	max  int
	at   continuation
	body []byte
}

func newPage(tool string, in paged) (*page, error) {
	asked := in.paging()
	p := &page{max: defaultReply, at: continuation{Call: callOf(tool, in)}}
	if asked.MaxBytes != 0 {
		p.max = asked.MaxBytes
	}
	if p.max < minReply || p.max > maxReply {
		return nil, fmt.Errorf("max_bytes is %d: want %d to %d", p.max, minReply, maxReply)
	}
	if asked.Next == "" {
		return p, nil
	}
	call := p.at.Call
	var err error
	if p.at, err = parseToken(asked.Next); err != nil {
		return nil, err
	}
	if p.at.Call != call {
		return nil, errOtherCall
	}
	return p, nil
}

// write makes the reply. head is an object for the first part; the others have the list
// alone. element gives the elements of the list, of which there are n.
func (p *page) write(head map[string]any, name string, n int, element func(i int) any) error {
	if p.at.Offset > 0 {
		head = map[string]any{}
	}
	head["total_"+name] = n
	body, err := marshal(head)
	if err != nil {
		return err
	}
	body = append(body[:len(body)-1], `,"`+name+`":[`...)
	room := p.max - envelope - wireSize(body)
	next := p.at
	for first := true; next.Offset < n; next.Offset++ {
		one, err := marshal(element(next.Offset))
		if err != nil {
			return err
		}
		size := wireSize(one) + 1
		if size > room && !first {
			break
		}
		if size > room { // would never fit, and the list would never go on
			one = fmt.Appendf(nil, `{"left_out":"%d bytes: raise max_bytes"}`, size)
			size = wireSize(one) + 1
		}
		if !first {
			body = append(body, ',')
		}
		body, room, first = append(body, one...), room-size, false
	}
	body = append(body, ']')
	if next.Offset < n {
		body = append(append(append(body, `,"next":"`...), next.String()...), '"')
	}
	p.body = append(body, '}')
	return nil
}

// marshal is a value as JSON, as short as it is without being part of HTML.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// wireSize is how many bytes a text takes as a string of JSON, at most.
func wireSize(text []byte) (n int) {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		n += runeSize(r, size)
		text = text[size:]
	}
	return n
}

// runeSize is how many bytes a character takes in a string of JSON, at most.
func runeSize(r rune, size int) int {
	switch {
	case r < ' ', r == '<', r == '>', r == '&', r == '\u2028', r == '\u2029', r == utf8.RuneError, r == 0x7f:
		return len(`\u0000`)
	case r == '"', r == '\\':
		return 2
	}
	return size
}

// cut is a text of about limit bytes in a reply at most, in which it is a string in a
// string. What is left out is counted. Bytes that are no UTF-8 become U+FFFD.
func cut(text string, limit int) string {
	kept := keep(text, limit)
	if kept == len(text) {
		return valid(text)
	}
	return fmt.Sprintf("%s… (%d more bytes)", valid(text[:kept]), len(text)-kept)
}

// keep is how many bytes of a text have room, whole characters.
func keep(text string, limit int) int {
	used := 0
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		cost := runeSize(r, size)
		if cost != size {
			cost += 2 // its backslashes are escaped once more
		}
		if used += cost; used > limit && i > 0 {
			return i
		}
		i += size
	}
	return len(text)
}

func valid(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	return string(bytes.ToValidUTF8([]byte(text), []byte("\uFFFD")))
}
