package compactor

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/objstore"
)

// fetchBytes is what is asked of the bucket at a time.
const fetchBytes = 8 << 20

// spool is a file that holds the inputs of a merge and its output: each input is
// read once from the bucket, whatever the merge reads again, and the name of the
// output is known only when all of it is written. The file has no name, so
// that it is gone with the process.
type spool struct {
	file *os.File
	end  int64
}

func newSpool(dir string) (*spool, error) {
	f, err := os.CreateTemp(dir, "spanlake-merge-*")
	if err != nil {
		return nil, fmt.Errorf("create a spool file: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("unlink the spool file: %w", err), f.Close())
	}
	return &spool{file: f}, nil
}

func (s *spool) close() error { return s.file.Close() }

// Write appends to the file.
func (s *spool) Write(p []byte) (int, error) {
	n, err := s.file.WriteAt(p, s.end)
	s.end += int64(n)
	return n, err
}

// fetch copies a block to the spool, all of it from one version of the object.
func (s *spool) fetch(ctx context.Context, bucket objstore.Bucket, b *Listed) (*spooled, error) {
	local := &spooled{spool: s, start: s.end}
	for {
		data, object, err := bucket.Get(ctx, b.Key(), objstore.GetOptions{
			Offset: s.end - local.start, Length: fetchBytes, IfMatch: local.object.ETag,
		})
		if err != nil {
			return nil, fmt.Errorf("read block %s: %w", b.Key(), err)
		}
		local.object = object
		if _, err := s.Write(data); err != nil {
			return nil, fmt.Errorf("write to the spool: %w", err)
		}
		if s.end-local.start >= object.Size || len(data) == 0 {
			return local, nil
		}
	}
}

// spooled is a block in the spool.
type spooled struct {
	spool  *spool
	start  int64
	object objstore.Object
}

var _ block.Ranger = (*spooled)(nil)

// Get implements block.Ranger.
func (b *spooled) Get(_ context.Context, _ string, opts objstore.GetOptions) ([]byte, objstore.Object, error) {
	from, to, err := opts.Range(b.object.Size)
	if err != nil {
		return nil, b.object, err
	}
	data := make([]byte, to-from)
	if _, err := b.spool.file.ReadAt(data, b.start+from); err != nil {
		return nil, b.object, fmt.Errorf("read from the spool: %w", err)
	}
	return data, b.object, nil
}
