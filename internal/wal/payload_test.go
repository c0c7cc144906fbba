package wal_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/wal"
	"github.com/spanlake/spanlake/schema"
)

func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a fixed input
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestPayloadRoundTrip(t *testing.T) {
	for _, c := range []struct {
		name    string
		entries []wal.Entry
		s2      bool
	}{
		{name: "empty"},
		{name: "small", entries: []wal.Entry{{Project: "default", Wire: []byte("abc")}}},
		{name: "empty wire", entries: []wal.Entry{{Project: "a", Wire: []byte{}}, {Project: "b", Wire: []byte{}}}},
		{name: "one project twice", entries: []wal.Entry{
			{Project: "a", Wire: []byte("1")}, {Project: "a", Wire: []byte("2")}, {Project: "b", Wire: []byte("3")}, {Project: "a", Wire: []byte("4")},
		}},
		{name: "claims", entries: []wal.Entry{{Project: "a", Claim: "claims/a/1"}, {Project: "a", Wire: []byte("2")}, {Project: "b", Claim: "claims/b/3"}}},
		{name: "compressible", entries: []wal.Entry{{Project: "a", Wire: bytes.Repeat([]byte("spanlake"), 5000)}}, s2: true},
		{name: "incompressible", entries: []wal.Entry{{Project: "a", Wire: noise(50_000)}}},
		{name: "a megabyte", entries: []wal.Entry{{Project: "a", Wire: append(noise(1<<19), make([]byte, 1<<19)...)}}, s2: true},
	} {
		for _, cut := range []bool{false, true} {
			t.Run(c.name, func(t *testing.T) {
				prefix := []byte("prefix")
				p := wal.AppendPayload(bytes.Clone(prefix), c.entries, cut)
				require.Equal(t, prefix, p[:len(prefix)])
				p = p[len(prefix):]
				require.Equal(t, cut, wal.IsCut(p))
				require.Equal(t, c.s2, p[1]&2 != 0)
				got, err := wal.DecodePayload(p)
				require.NoError(t, err)
				require.Equal(t, wal.Payload{Cut: cut, Entries: c.entries}, got)
			})
		}
	}
	require.Equal(t, wal.CutMarker(), wal.AppendPayload(nil, nil, true))
}

func TestDecodedMemoryIsItsOwn(t *testing.T) {
	for _, wire := range [][]byte{[]byte("short"), bytes.Repeat([]byte("long"), 1000)} {
		p := wal.AppendPayload(nil, []wal.Entry{{Project: "a", Wire: wire}, {Project: "b", Wire: wire}}, false)
		got, err := wal.DecodePayload(p)
		require.NoError(t, err)
		clear(p)
		_ = append(got.Entries[0].Wire, "more"...)
		require.Equal(t, wire, got.Entries[0].Wire)
		require.Equal(t, wire, got.Entries[1].Wire)
		require.Equal(t, schema.ProjectID("b"), got.Entries[1].Project)
	}
}

func TestAppendPayloadReusesTheBuffer(t *testing.T) {
	entries := []wal.Entry{{Project: "a", Wire: bytes.Repeat([]byte("spanlake"), 5000)}}
	first := bytes.Clone(wal.AppendPayload(nil, entries, false))
	buf := make([]byte, 0, 1<<20)
	for range 3 {
		buf = wal.AppendPayload(buf[:0], entries, false)
		require.Equal(t, first, buf)
	}
	require.Equal(t, 1<<20, cap(buf))
}

func TestDamagedPayloads(t *testing.T) {
	whole := wal.AppendPayload(nil, []wal.Entry{{Project: "default", Wire: bytes.Repeat([]byte("spanlake"), 500)}}, true)
	bomb := binary.AppendUvarint([]byte{1, 3, 0, 0, 0, 0}, 318<<20)
	flipped := bytes.Clone(whole)
	flipped[2] ^= 1
	for _, c := range []struct {
		name    string
		payload []byte
		cut     bool
	}{
		{"nothing", nil, false},
		{"one byte", []byte{1}, false},
		{"version zero", []byte{0, 1}, false},
		{"unknown version", []byte{2, 1, 9, 9}, true},
		{"unknown flag", []byte{1, 5}, true},
		{"short project", []byte{1, 0, 5, 'a'}, false},
		{"no wire", []byte{1, 1, 1, 'a'}, true},
		{"short wire", []byte{1, 0, 1, 'a', 6, 'x'}, false},
		{"short claim", []byte{1, 0, 1, 'a', 7, 'x'}, false},
		{"claim without a key", []byte{1, 0, 1, 'a', 1}, false},
		{"empty project", []byte{1, 0, 0, 0}, false},
		{"bad project", []byte{1, 0, 1, '/', 0}, false},
		{"huge length", append([]byte{1, 0}, binary.AppendUvarint(nil, 1<<63)...), false},
		{"endless varint", append([]byte{1, 0}, bytes.Repeat([]byte{0xff}, 20)...), false},
		{"short checksum", []byte{1, 2, 1, 2, 3}, false},
		{"no block", []byte{1, 2, 1, 2, 3, 4}, false},
		{"not a block", []byte{1, 2, 1, 2, 3, 4, 100, 0xff}, false},
		{"truncated block", whole[:len(whole)-3], true},
		{"another checksum", flipped, true},
		{"bomb", bomb, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.cut, wal.IsCut(c.payload))
			got, err := wal.DecodePayload(c.payload)
			require.ErrorIs(t, err, wal.ErrPayload)
			require.Equal(t, wal.Payload{Cut: c.cut}, got)
		})
	}
}

func FuzzDecodePayload(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(wal.CutMarker())
	f.Add([]byte{2, 1, 0})
	f.Add([]byte{1, 2, 0, 0, 0, 0, 5})
	f.Add(wal.AppendPayload(nil, []wal.Entry{{Project: "a", Wire: []byte("x")}, {Project: "b", Wire: nil}}, true))
	f.Add(wal.AppendPayload(nil, []wal.Entry{{Project: "a", Claim: "claims/a/p0of1/1-2"}}, false))
	f.Add(wal.AppendPayload(nil, []wal.Entry{{Project: "a", Wire: bytes.Repeat([]byte("spanlake"), 50)}}, false))
	f.Fuzz(func(t *testing.T, p []byte) {
		if len(p) > 6 && p[0] == 1 && p[1]&2 != 0 {
			// A block may claim any size; keep the fuzzer's memory small.
			if n, err := s2.DecodedLen(p[6:]); err == nil && n > 1<<20 {
				return
			}
		}
		got, err := wal.DecodePayload(p)
		require.Equal(t, wal.IsCut(p), got.Cut)
		if err != nil {
			require.ErrorIs(t, err, wal.ErrPayload)
			require.Empty(t, got.Entries)
			return
		}
		again, err := wal.DecodePayload(wal.AppendPayload(nil, got.Entries, got.Cut))
		require.NoError(t, err)
		require.Equal(t, got, again)
	})
}
