package project

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/spanlake/spanlake/internal/llm/price"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/schema"
)

// snapshot is what was in the bucket at one time. It never changes.
type snapshot struct {
	begun    time.Time // before the listing
	objects  map[string]*object
	projects map[schema.ProjectID]*object
	keys     map[string]*Key             // by id
	aliases  map[string]schema.ProjectID // All: several projects have it
}

// object is one object of the bucket as it was read.
type object struct {
	place

	etag     string
	settings Settings // of a project
	prices   *price.Table
	key      *Key  // of a key that is one
	err      error // why it cannot be used
}

const (
	// maxObjects bounds the memory of a snapshot: some 60 MB.
	maxObjects = 100_000
	// readers is how many objects are read at once.
	readers = 16
)

// read lists the bucket, and reads the objects that are not as they were before.
func (d *Directory) read(ctx context.Context, before *snapshot) (*snapshot, error) {
	s := &snapshot{begun: time.Now(), objects: make(map[string]*object)}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	var fresh []*object
	for listed, err := range d.bucket.List(ctx, objstore.ListOptions{Prefix: prefix}) {
		if err != nil {
			return nil, errors.Join(err, group.Wait())
		}
		at, ok := parsePlace(listed.Key)
		if !ok {
			continue
		}
		if len(s.objects) == maxObjects {
			return nil, errors.Join(fmt.Errorf("there are more than %d objects below %s", maxObjects, prefix), group.Wait())
		}
		if before != nil {
			if o := before.objects[listed.Key]; o != nil && o.etag == listed.ETag {
				s.objects[listed.Key] = o
				continue
			}
		}
		o := &object{place: at}
		s.objects[listed.Key] = o
		fresh = append(fresh, o)
		group.Go(func() error { return o.read(groupCtx, d.bucket, listed) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for _, o := range fresh {
		d.report(o)
	}
	s.index()
	return s, nil
}

// errGone marks what was deleted between the listing and the reading.
var errGone = errors.New("is gone")

func (o *object) read(ctx context.Context, bucket objstore.Bucket, listed objstore.Object) error {
	o.etag = listed.ETag
	if listed.Size > maxObjectBytes {
		o.err = fmt.Errorf("%w: it has %d bytes, more than %d", ErrSettings, listed.Size, maxObjectBytes)
		return nil
	}
	data, found, err := bucket.Get(ctx, listed.Key, objstore.GetOptions{Length: maxObjectBytes})
	switch {
	case errors.Is(err, objstore.ErrNotExist):
		o.etag, o.err = "", errGone
		return nil
	case err != nil:
		return err
	}
	o.etag = found.ETag
	if o.keyID != "" {
		o.key, o.err = parseKey(data, o.place)
		return nil
	}
	o.settings, o.err = ParseSettings(data)
	o.prices = price.Shipped().With(o.settings.Prices)
	return nil
}

// report tells an operator what is wrong with an object that was read.
func (d *Directory) report(o *object) {
	logger := d.opts.Logger.With(slog.String("project", string(o.project)))
	switch {
	case o.err != nil && !errors.Is(o.err, errGone) && o.keyID != "":
		logger.Error("a key cannot be used", slog.String("key", o.keyID), slog.Any("err", o.err))
	case o.err != nil && !errors.Is(o.err, errGone):
		logger.Error("a project is refused until its settings are mended", slog.Any("err", o.err))
	case o.settings.unknown != "":
		logger.Warn("settings hold what this version ignores", slog.String("what", o.settings.unknown))
	}
}

// index makes the maps by which a snapshot is asked.
func (s *snapshot) index() {
	s.projects = make(map[schema.ProjectID]*object)
	s.keys = make(map[string]*Key)
	s.aliases = make(map[string]schema.ProjectID)
	for key, o := range s.objects {
		switch {
		case errors.Is(o.err, errGone):
			delete(s.objects, key)
		case o.key != nil:
			s.keys[o.keyID] = o.key
		case o.keyID == "":
			s.projects[o.project] = o
			if o.err != nil || o.settings.Deleted() {
				continue
			}
			for _, alias := range slices.Compact(slices.Sorted(slices.Values(o.settings.Aliases))) {
				if _, taken := s.aliases[alias]; taken {
					s.aliases[alias] = All
				} else {
					s.aliases[alias] = o.project
				}
			}
		}
	}
}
