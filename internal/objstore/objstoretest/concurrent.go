package objstoretest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/spanlake/spanlake/internal/objstore"
)

func testOneWinner(t *testing.T, b objstore.Bucket) {
	const writers, keys = 8, 20
	var winners [keys]atomic.Int64
	group, ctx := errgroup.WithContext(t.Context())
	for w := range writers {
		group.Go(func() error {
			for k := range keys {
				content := strings.NewReader(fmt.Sprintf("writer %d", w))
				err := b.Put(ctx, fmt.Sprintf("w/%d/object", k), content, objstore.PutOptions{IfNotExist: true})
				switch {
				case err == nil:
					winners[k].Add(int64(w) + 1) // more than one would not match the content
				case !errors.Is(err, objstore.ErrExist):
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	for k := range keys {
		require.Equal(t, fmt.Sprintf("writer %d", winners[k].Load()-1), get(t, b, fmt.Sprintf("w/%d/object", k)))
	}
}

// testNoLostUpdate has writers count in one object, while others put and delete
// beside it: every increment must be there in the end.
func testNoLostUpdate(t *testing.T, b objstore.Bucket) {
	const writers, increments, key = 4, 15, "counter/value"
	put(t, b, key, "0")
	group, ctx := errgroup.WithContext(t.Context())
	for w := range writers {
		group.Go(func() error {
			for done := 0; done < increments; {
				data, object, err := b.Get(ctx, key, objstore.GetOptions{})
				if err != nil {
					return err
				}
				n, err := strconv.Atoi(string(data))
				if err != nil {
					return err
				}
				err = b.Put(ctx, key, strings.NewReader(strconv.Itoa(n+1)), objstore.PutOptions{IfMatch: object.ETag})
				switch {
				case err == nil:
					done++
				case !errors.Is(err, objstore.ErrChanged) && !errors.Is(err, objstore.ErrTransient):
					return err // a server may tell who collides to try again
				}
				beside := fmt.Sprintf("counter/of-%d", w)
				if err := b.Put(ctx, beside, strings.NewReader(""), objstore.PutOptions{}); err != nil {
					return err
				}
				if err := b.Delete(ctx, beside); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	require.Equal(t, strconv.Itoa(writers*increments), get(t, b, key))
}

// uniform is a body of one repeated byte, of a length that depends on it.
func uniform(b byte) []byte { return bytes.Repeat([]byte{b}, 1000+int(b)*100) }

// checkUniform is nil if data is one of the bodies, whole.
func checkUniform(data []byte, object objstore.Object) error {
	switch {
	case int64(len(data)) != object.Size:
		return fmt.Errorf("read %d bytes, described as %d", len(data), object.Size)
	case len(data) == 0 || !bytes.Equal(data, uniform(data[0])):
		return fmt.Errorf("a mixture of %d bytes", len(data))
	}
	return nil
}

func testWholeObjects(t *testing.T, b objstore.Bucket) {
	const key, writers, puts = "shared/object", 3, 60
	require.NoError(t, b.Put(t.Context(), key, bytes.NewReader(uniform(0)), objstore.PutOptions{}))
	writing, stopReaders := context.WithCancel(t.Context())
	defer stopReaders()
	ctx := t.Context()
	var write, read errgroup.Group
	for w := range writers {
		write.Go(func() error {
			for i := range puts {
				if err := b.Put(ctx, key, bytes.NewReader(uniform(byte(1+w*puts+i))), objstore.PutOptions{}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for range 2 {
		read.Go(func() error {
			for writing.Err() == nil {
				data, object, err := b.Get(ctx, key, objstore.GetOptions{})
				if err != nil {
					return err
				}
				if err := checkUniform(data, object); err != nil {
					return err
				}
				if err := checkPinned(ctx, b, object, data[0]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := write.Wait()
	stopReaders()
	require.NoError(t, err)
	require.NoError(t, read.Wait())
}

// checkPinned reads a range of the very object that was described, or learns
// that it has changed.
func checkPinned(ctx context.Context, b objstore.Bucket, object objstore.Object, fill byte) error {
	data, again, err := b.Get(ctx, object.Key, objstore.GetOptions{Offset: -10, IfMatch: object.ETag})
	switch {
	case errors.Is(err, objstore.ErrChanged):
		return nil
	case err != nil:
		return err
	case again.ETag != object.ETag || again.Size != object.Size || !bytes.Equal(data, bytes.Repeat([]byte{fill}, 10)):
		return fmt.Errorf("pinned to %+v, got %x of %+v", object, data, again)
	}
	return nil
}

// testPutAndDelete has writers and deleters meet in the same folders: what a
// writer has put and nobody deletes must be there.
func testPutAndDelete(t *testing.T, b objstore.Bucket) {
	const workers, rounds = 4, 40
	group, ctx := errgroup.WithContext(t.Context())
	for w := range workers {
		group.Go(func() error {
			for i := range rounds {
				key := fmt.Sprintf("f/%d/g/%d", i%2, w)
				if err := b.Put(ctx, key, bytes.NewReader(uniform(byte(i))), objstore.PutOptions{IfNotExist: true}); err != nil {
					return err
				}
				data, object, err := b.Get(ctx, key, objstore.GetOptions{})
				if err == nil {
					err = checkUniform(data, object)
				}
				if err != nil {
					return err
				}
				if err := b.Delete(ctx, key); err != nil {
					return err
				}
				if _, err := b.Stat(ctx, key); !errors.Is(err, objstore.ErrNotExist) {
					return fmt.Errorf("stat after delete: %w", err)
				}
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	keys, err := list(t.Context(), b, objstore.ListOptions{})
	require.NoError(t, err)
	require.Empty(t, keys)
}

// testListWhileChanging: the keys that stay are listed once and in order,
// whatever comes and goes around them.
func testListWhileChanging(t *testing.T, b objstore.Bucket) {
	const staying = 30
	var want []string
	for i := range staying {
		want = append(want, fmt.Sprintf("s/%d/%02d", i/6, i))
		put(t, b, want[i], "")
	}
	changing, stop := context.WithCancel(t.Context())
	defer stop()
	ctx := t.Context()
	var group errgroup.Group
	for w := range 2 {
		group.Go(func() error {
			for i := 0; changing.Err() == nil; i++ {
				key := fmt.Sprintf("s/%d/x%d/%d", i%7, w, i)
				if err := b.Put(ctx, key, strings.NewReader("x"), objstore.PutOptions{}); err != nil {
					return err
				}
				if err := b.Put(ctx, want[i%staying], strings.NewReader("again"), objstore.PutOptions{}); err != nil {
					return err
				}
				if err := b.Delete(ctx, key); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for range 30 {
		keys, err := list(t.Context(), b, objstore.ListOptions{Prefix: "s/"})
		require.NoError(t, err)
		require.True(t, slices.IsSorted(keys))
		keys = slices.DeleteFunc(keys, func(key string) bool { return strings.Contains(key, "x") })
		require.Equal(t, want, keys)
	}
	stop()
	require.NoError(t, group.Wait())
}
