package compactor_test

import (
	"testing"
	"time"

	"github.com/spanlake/spanlake/compactor"
	"github.com/spanlake/spanlake/schema"
)

// BenchmarkPlan plans a project of a hundred thousand blocks, a month of four
// partitions of which the last day is not merged.
func BenchmarkPlan(b *testing.B) {
	now := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
	var blocks []compactor.Listed
	var floors []compactor.Floor
	for p := range 4 {
		for i := range 25_000 {
			at := now.Add(time.Duration(i-25_000) * time.Minute * 43_200 / 25_000)
			blocks = append(blocks, compactor.Listed{
				BlockName: schema.BlockName{
					Project: "p", Partition: p, Partitions: 4, Epoch: 1, First: uint64(10*i + 1), Last: uint64(10*i + 10), LogNanos: uint64(at.UnixNano()),
				}, Bytes: 100 << 10, Stored: at,
			})
		}
		floors = append(floors, compactor.Floor{Partition: p, Partitions: 4, Epoch: 1, Position: 250_000, Read: now})
	}
	b.ReportAllocs()
	for b.Loop() {
		compactor.NewPlan(defaultPolicy(), floors, blocks, now)
	}
}
