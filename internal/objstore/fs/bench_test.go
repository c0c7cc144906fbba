package fs_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/fs"
)

// A block's key: what its depth costs, in folders to sync, counts.
const blockKey = "blocks/default/2026-01-02/p0of16/1-%d-9_L0g0_1_2-3_4_5.parquet"

func BenchmarkPut(b *testing.B) {
	for _, size := range []int{0, 1 << 20} {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			bucket, err := fs.Open(b.TempDir())
			require.NoError(b, err)
			body := bytes.NewReader(make([]byte, size))
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for i := 0; b.Loop(); i++ {
				require.NoError(b, bucket.Put(b.Context(), fmt.Sprintf(blockKey, i%100), body, objstore.PutOptions{}))
			}
		})
	}
}

func BenchmarkGet(b *testing.B) {
	bucket, err := fs.Open(b.TempDir())
	require.NoError(b, err)
	key := fmt.Sprintf(blockKey, 1)
	require.NoError(b, bucket.Put(b.Context(), key, bytes.NewReader(make([]byte, 1<<20)), objstore.PutOptions{}))
	opts := objstore.GetOptions{Offset: -64 << 10}
	b.ReportAllocs()
	b.SetBytes(64 << 10)
	for b.Loop() {
		_, _, err := bucket.Get(b.Context(), key, opts)
		require.NoError(b, err)
	}
}

func BenchmarkList(b *testing.B) {
	bucket, err := fs.Open(b.TempDir())
	require.NoError(b, err)
	const blocks = 1000
	for i := range blocks {
		require.NoError(b, bucket.Put(b.Context(), fmt.Sprintf(blockKey, i), strings.NewReader(""), objstore.PutOptions{}))
	}
	b.ReportAllocs()
	for b.Loop() {
		count := 0
		for _, err := range bucket.List(b.Context(), objstore.ListOptions{Prefix: "blocks/default/"}) {
			require.NoError(b, err)
			count++
		}
		require.Equal(b, blocks, count)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/blocks, "ns/object")
}
