package wire_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/wire"
	"github.com/spanlake/spanlake/schema"
)

// randomJob is a job with something in every field.
func randomJob(rng *rand.Rand) *wire.Job {
	j := &wire.Job{
		Kind: wire.Kind(1 + rng.IntN(4)), Query: "q=" + strings.Repeat("x", rng.IntN(100)), Traces: schema.AllTraces(),
		Left: time.Duration(rng.Int64N(1e12)), Margin: time.Duration(rng.Int64N(1e12)),
		Within: [2]uint64{rng.Uint64(), rng.Uint64()}, Slice: [2]uint64{rng.Uint64(), math.MaxUint64},
		Limit: rng.IntN(1000), SpansPerSpanSet: rng.IntN(100), StepNanos: rng.Uint64(), NowNanos: rng.Uint64(), Counted: [2]uint64{rng.Uint64(), rng.Uint64()},
		Exemplars: rng.IntN(100), MaxSteps: rng.IntN(1000), MaxSeries: rng.IntN(1000),
		MaxBytes: rng.Int64(), MaxReadBytes: -rng.Int64(),
		Projects: []schema.ProjectID{"a", "b"}, Oldest: map[schema.ProjectID]uint64{"b": 1 + rng.Uint64()>>1}, LogPartitions: 8,
	}
	j.Traces.Partitions = 1 << rng.IntN(4)
	j.Traces.Partition = rng.IntN(j.Traces.Partitions)
	j.Traces.First[rng.IntN(16)] = byte(rng.Int())
	for range rng.IntN(10) {
		j.Floors = append(j.Floors, wire.Floor{
			Project: j.Projects[rng.IntN(2)], Partition: rng.IntN(8), Epoch: rng.Uint64(), Position: rng.Uint64(),
		})
	}
	for range rng.IntN(50) {
		first := 1 + rng.Uint64N(1<<40)
		j.Blocks = append(j.Blocks, schema.BlockName{
			Project: j.Projects[rng.IntN(2)], Partition: rng.IntN(8), Partitions: 8, Epoch: rng.Uint64(),
			First: first, Last: first + rng.Uint64N(100), Level: rng.IntN(5), Generation: rng.IntN(3), Open: rng.IntN(2) == 0,
			LogNanos: rng.Uint64() >> 1, MinStart: rng.Uint64(), MaxEnd: rng.Uint64(), Spans: rng.Uint64N(1e6), TailBytes: rng.Uint64N(1e6),
		})
	}
	return j
}

func TestJob(t *testing.T) {
	for seed := range uint64(200) {
		want := randomJob(rand.New(rand.NewPCG(seed, 0)))
		got, err := wire.ParseJob(want.Append(nil))
		require.NoError(t, err)
		require.Equal(t, want, got, "seed %d", seed)
	}
}

// Blocks of a listing differ little from one to the next.
func TestJobIsSmall(t *testing.T) {
	const blocks = 10_000
	j := &wire.Job{Kind: wire.KindSearch, Traces: schema.AllTraces(), Projects: []schema.ProjectID{"default"}, LogPartitions: 4}
	rng := rand.New(rand.NewPCG(1, 1))
	at, position := uint64(1_768_471_200_000_000_000), uint64(1)
	for range blocks {
		at += 60e9 + rng.Uint64N(1e9)
		position += 20 + rng.Uint64N(10)
		j.Blocks = append(j.Blocks, schema.BlockName{
			Project: "default", Partitions: 4, Epoch: 1_768_471_200_123_456_789, First: position, Last: position + 19,
			LogNanos: at, MinStart: at - 30e9 - rng.Uint64N(1e9), MaxEnd: at + rng.Uint64N(1e9), Spans: 100_000 + rng.Uint64N(1e4), TailBytes: 40_000 + rng.Uint64N(1e3),
		})
	}
	size := len(j.Append(nil))
	t.Logf("%.1f bytes for a block", float64(size)/blocks)
	require.Less(t, size, 50*blocks)
}

func TestReply(t *testing.T) {
	for _, want := range []*wire.Reply{
		{Status: wire.StatusDone, Answer: bytes.Repeat([]byte{1, 2, 3}, 100_000), Bytes: 1 << 40, Requests: 7},
		{Status: wire.StatusRefused, Limit: "series", Message: "too much"},
		{Status: wire.StatusFailed},
	} {
		got, err := wire.ParseReply(want.Append(nil))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func TestBadMessages(t *testing.T) {
	job := randomJob(rand.New(rand.NewPCG(1, 2)))
	body, err := s2.Decode(nil, job.Append(nil)[1:])
	require.NoError(t, err)
	pack := func(version byte, body []byte) []byte { return append([]byte{version}, s2.Encode(nil, body)...) }
	_, err = wire.ParseJob(pack(wire.Version, body))
	require.NoError(t, err)
	for name, data := range map[string][]byte{
		"empty":           nil,
		"another version": pack(wire.Version+1, body),
		"not compressed":  append([]byte{wire.Version}, body...),
		"cut short":       pack(wire.Version, body[:len(body)-1]),
		"too long":        pack(wire.Version, append(body, 0)),
		"of no kind":      pack(wire.Version, append([]byte{0}, body[1:]...)),
		"huge":            append([]byte{wire.Version}, 0xff, 0xff, 0xff, 0xff, 0x0f),
	} {
		_, err := wire.ParseJob(data)
		require.ErrorIs(t, err, wire.ErrMessage, name)
		_, err = wire.ParseReply(data)
		require.ErrorIs(t, err, wire.ErrMessage, name)
	}
}

func TestValues(t *testing.T) {
	deep := schema.Value{Kind: schema.KindInt, Int: -1}
	for range 64 {
		deep = schema.Value{Kind: schema.KindArray, Array: []schema.Value{deep}}
	}
	want := []schema.Attribute{
		{Key: "empty"},
		{Key: "", Value: schema.Value{Kind: schema.KindString, Str: "text"}},
		{Key: "bytes", Value: schema.Value{Kind: schema.KindBytes, Str: "\x00\xff"}},
		{Key: "bool", Value: schema.Value{Kind: schema.KindBool, Bool: true}},
		{Key: "double", Value: schema.Value{Kind: schema.KindDouble, Double: math.Inf(-1)}},
		{Key: "deep", Value: deep},
		{Key: "map", Value: schema.Value{Kind: schema.KindMap, Map: []schema.Attribute{{Key: "deep", Value: deep}}}},
	}
	r := wire.NewReader(wire.AppendAttributes(nil, want))
	require.Equal(t, want, r.Attributes())
	require.NoError(t, r.Done())
	for range 64 {
		deep = schema.Value{Kind: schema.KindArray, Array: []schema.Value{deep}}
	}
	r = wire.NewReader(wire.AppendValue(nil, &deep))
	r.Value()
	require.ErrorIs(t, r.Done(), wire.ErrMessage)
}

func FuzzParseJob(f *testing.F) {
	for seed := range uint64(5) {
		f.Add(randomJob(rand.New(rand.NewPCG(seed, 0))).Append(nil))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		j, err := wire.ParseJob(data)
		if err != nil {
			require.ErrorIs(t, err, wire.ErrMessage)
			return
		}
		again, err := wire.ParseJob(j.Append(nil))
		require.NoError(t, err)
		require.Equal(t, j, again)
	})
}

func FuzzParseReply(f *testing.F) {
	f.Add((&wire.Reply{Status: wire.StatusGone, Message: "gone"}).Append(nil))
	f.Add((&wire.Reply{Answer: []byte("answer"), Bytes: 1}).Append(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		y, err := wire.ParseReply(data)
		if err != nil {
			require.ErrorIs(t, err, wire.ErrMessage)
			return
		}
		again, err := wire.ParseReply(y.Append(nil))
		require.NoError(t, err)
		require.Equal(t, y, again)
	})
}
