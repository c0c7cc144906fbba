package wal

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"

	"github.com/klauspost/compress/s2"

	"github.com/spanlake/spanlake/schema"
)

// Entry is OTLP data of one project within a payload, or a claim check: the
// key of an object that holds data too large for a message.
type Entry struct {
	Project schema.ProjectID
	Wire    []byte // OTLP TracesData (the same bytes as ExportTraceServiceRequest)
	Claim   string // key of the object that holds the payload of this entry; then Wire is nil
}

// Payload is a decoded message.
type Payload struct {
	Cut     bool // the message ends a batch
	Entries []Entry
}

// A payload is
//
//	version (1 byte) | flags (1 byte) | body
//
// and the body is a sequence of
//
//	uvarint length | project | uvarint length<<1 | wire
//	uvarint length | project | uvarint length<<1+1 | key of the claimed object
//
// If flagS2 is set, its CRC-32C (4 bytes, the lowest first) and its S2 block
// stand in its place. S2 rather than zstd: a message is written and read once
// and purged after a minute, and both ends spend more on the compression than
// on anything else they do with a span; S2 takes a third of the time for a
// fifth more bytes.
//
// The place and the meaning of flagCut are the same in every version, so that
// a reader can follow the batches of a log whose content it cannot decode.
const (
	payloadVersion = 1
	headerBytes    = 2
	checksumBytes  = 4

	flagCut = 1 << 0
	flagS2  = 1 << 1
)

const (
	// maxBodyBytes bounds the memory that decoding takes. A message is at most
	// a few MB; OTLP compresses perhaps 30 times.
	maxBodyBytes = 256 << 20
	// minCompressBytes is where compression begins to pay for the checksum.
	minCompressBytes = 128
)

// CutMarker is the payload of a cut without data.
func CutMarker() []byte { return []byte{payloadVersion, flagCut} }

// IsCutMarker reports whether a payload is that of a cut without data.
func IsCutMarker(p []byte) bool { return IsCut(p) && len(p) == headerBytes }

// CutID is the message id with which the cut marker of the batch that begins
// at position first is published, so that two deciders make one.
func CutID(first uint64) string { return "cut" + strconv.FormatUint(first, 10) }

// AppendPayload appends the encoded payload to dst and returns it. Several
// entries may name one project.
func AppendPayload(dst []byte, entries []Entry, cut bool) []byte {
	size := 0
	for _, e := range entries {
		size += EntrySize(e.Project, len(e.Wire)+len(e.Claim))
	}
	body := make([]byte, 0, size)
	for _, e := range entries {
		if e.Claim != "" {
			body = AppendClaim(body, e.Project, e.Claim)
		} else {
			body = append(AppendWireHead(body, e.Project, len(e.Wire)), e.Wire...)
		}
	}
	return AppendBody(dst, body, cut)
}

// EntrySize is what an entry with n bytes of OTLP data, or a key as long, takes
// of a body at most.
func EntrySize(project schema.ProjectID, n int) int {
	return len(project) + n + 2*binary.MaxVarintLen32
}

// AppendWireHead appends to a body, which AppendBody will encode, the beginning
// of an entry with size bytes of OTLP data. The caller appends these next.
func AppendWireHead(body []byte, project schema.ProjectID, size int) []byte {
	return binary.AppendUvarint(appendProject(body, project), uint64(size)<<1) //nolint:gosec // sizes are not negative
}

// AppendClaim appends to a body an entry that is a claim check.
func AppendClaim(body []byte, project schema.ProjectID, key string) []byte {
	body = binary.AppendUvarint(appendProject(body, project), uint64(len(key))<<1|1)
	return append(body, key...)
}

func appendProject(body []byte, project schema.ProjectID) []byte {
	return append(binary.AppendUvarint(body, uint64(len(project))), project...)
}

// AppendBody appends the payload with the given body to dst and returns it,
// compressed if that makes it smaller. dst must not overlap the body; pass the
// buffer of an earlier call to save allocations.
func AppendBody(dst, body []byte, cut bool) []byte {
	start := len(dst)
	var flags byte
	if cut {
		flags |= flagCut
	}
	dst = append(dst, payloadVersion, flags)
	if room := s2.MaxEncodedLen(len(body)); len(body) >= minCompressBytes && room > 0 {
		dst = slices.Grow(dst, checksumBytes+room)
		block := s2.Encode(dst[len(dst)+checksumBytes:cap(dst)], body)
		if checksumBytes+len(block) < len(body)-len(body)/16 {
			dst[start+1] |= flagS2
			dst = binary.LittleEndian.AppendUint32(dst, checksum(body))
			return dst[:len(dst)+len(block)]
		}
	}
	return append(dst, body...)
}

func checksum(body []byte) uint32 { return crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)) }

// IsCut reports whether the payload's header has the cut flag, also for a
// payload whose version is unknown or whose body is damaged.
func IsCut(p []byte) bool {
	return len(p) >= headerBytes && p[0] != 0 && p[1]&flagCut != 0
}

// DecodePayload decodes a message's payload into memory of its own. Returns
// ErrPayload for anything that AppendPayload does not produce; Payload.Cut is
// set as IsCut says even then.
func DecodePayload(p []byte) (Payload, error) {
	out := Payload{Cut: IsCut(p)}
	body, err := decodeBody(p)
	if err != nil {
		return out, fmt.Errorf("%w: %w", ErrPayload, err)
	}
	var entries []Entry
	for len(body) > 0 {
		var e Entry
		if e, body, err = nextEntry(body, entries); err != nil {
			return out, fmt.Errorf("%w: entry %d: %w", ErrPayload, len(entries), err)
		}
		entries = append(entries, e)
	}
	out.Entries = entries
	return out, nil
}

// decodeBody returns the body in new memory.
func decodeBody(p []byte) ([]byte, error) {
	switch {
	case len(p) < headerBytes:
		return nil, errors.New("shorter than its header")
	case p[0] != payloadVersion:
		return nil, fmt.Errorf("version %d", p[0])
	case p[1]&^(flagCut|flagS2) != 0:
		return nil, fmt.Errorf("flags %#x", p[1])
	case p[1]&flagS2 == 0:
		return slices.Clone(p[headerBytes:]), nil
	case len(p) < headerBytes+checksumBytes:
		return nil, errors.New("shorter than its checksum")
	}
	block := p[headerBytes+checksumBytes:]
	if n, err := s2.DecodedLen(block); err != nil || n > maxBodyBytes {
		return nil, fmt.Errorf("decompress to %d bytes: %w", n, cmp.Or(err, s2.ErrTooLarge))
	}
	body, err := s2.Decode(nil, block)
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	if binary.LittleEndian.Uint32(p[headerBytes:]) != checksum(body) {
		return nil, errors.New("the checksum does not match")
	}
	return body, nil
}

func nextEntry(b []byte, before []Entry) (e Entry, rest []byte, err error) {
	project, _, rest, err := nextField(b, 0)
	if err != nil {
		return e, nil, err
	}
	if e.Project, err = projectOf(project, before); err != nil {
		return e, nil, err
	}
	data, claim, rest, err := nextField(rest, 1)
	switch {
	case err != nil:
		return e, nil, err
	case claim == 0:
		e.Wire = data
	case len(data) == 0:
		return e, nil, errors.New("claim without a key")
	default:
		e.Claim = string(data)
	}
	return e, rest, nil
}

// nextField splits a length-prefixed field off b; the lowest flagBits bits of
// its prefix are flags. The field's capacity ends with it, so that appending to
// one entry cannot touch the next.
func nextField(b []byte, flagBits int) (field []byte, flags uint64, rest []byte, err error) {
	prefix, w := binary.Uvarint(b)
	n := prefix >> flagBits
	if w <= 0 || n > uint64(len(b)-w) {
		return nil, 0, nil, errors.New("length exceeds the body")
	}
	end := w + int(n) //nolint:gosec // n is at most len(b)
	return b[w:end:end], prefix & (1<<flagBits - 1), b[end:], nil
}

// projectOf checks a project's name. Consecutive entries of one project share it.
func projectOf(name []byte, before []Entry) (schema.ProjectID, error) {
	if n := len(before); n > 0 && string(before[n-1].Project) == string(name) {
		return before[n-1].Project, nil
	}
	return schema.ParseProjectID(string(name))
}
