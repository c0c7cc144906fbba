package erasure

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/schema"
)

// The objects of a project's erasures:
//
//	erasures/<project>/<id>.json           a request that is not done
//	erasures/<project>/progress/<id>.json  what was done for it so far
//	erasures/<project>/receipts/<id>.json  what was done, when nothing was left to do
//
// So a listing of what is pending, which every process asks for again and again,
// stays as short as that.
const (
	Prefix         = "erasures/"
	progressFolder = "progress/"
	receiptsFolder = "receipts/"
	ending         = ".json"
)

// ProjectPrefix is what the keys of a project's erasures begin with.
func ProjectPrefix(project schema.ProjectID) string { return Prefix + string(project) + "/" }

func requestKey(project schema.ProjectID, id string) string {
	return ProjectPrefix(project) + id + ending
}

func progressKey(project schema.ProjectID, id string) string {
	return ProjectPrefix(project) + progressFolder + id + ending
}

func receiptKey(project schema.ProjectID, id string) string {
	return ProjectPrefix(project) + receiptsFolder + id + ending
}

// ErrNotFound means that there is no such erasure.
var ErrNotFound = errors.New("there is no such erasure")

// maxObjectBytes is the size of the largest object that is read: a request of
// MaxTraces has some 4 MB.
const maxObjectBytes = 16 << 20

// Store reads and writes erasures. It keeps nothing in memory and is safe for
// concurrent use, also with stores of other processes.
type Store struct{ bucket objstore.Bucket }

// NewStore returns the store of a bucket.
func NewStore(bucket objstore.Bucket) *Store { return &Store{bucket} }

// Accept stores a request: from then on it counts.
func (s *Store) Accept(ctx context.Context, r *Request) error {
	if err := r.Validate(); err != nil {
		return err
	}
	data, err := r.encode()
	if err != nil {
		return fmt.Errorf("encode erasure %s: %w", r.ID, err)
	}
	if err := s.bucket.Put(ctx, requestKey(r.Project, r.ID), bytes.NewReader(data), objstore.PutOptions{IfNotExist: true}); err != nil {
		return fmt.Errorf("store erasure %s: %w", r.ID, err)
	}
	return nil
}

// Pending lists the requests of a project that are not done. Those that before,
// which may be nil, has too are not read again. An object that is no request of
// this version fails it, since what it says must not be passed over.
func (s *Store) Pending(ctx context.Context, project schema.ProjectID, before *Pending) (*Pending, error) {
	known := make(map[string]*Request)
	for _, r := range before.Requests() {
		known[r.ID] = r
	}
	var list []*Request
	for object, err := range s.bucket.List(ctx, objstore.ListOptions{Prefix: ProjectPrefix(project), Delimiter: true}) {
		if err != nil {
			return nil, fmt.Errorf("list the erasures of project %s: %w", project, err)
		}
		id, ok := strings.CutSuffix(strings.TrimPrefix(object.Key, ProjectPrefix(project)), ending)
		if !ok || !validID(id) {
			continue // a folder, or somebody else's
		}
		r := known[id]
		if r == nil {
			if r, err = s.request(ctx, project, id); errors.Is(err, ErrNotFound) {
				continue // done since it was listed
			}
			if err != nil {
				return nil, err
			}
		}
		list = append(list, r)
	}
	if next := NewPending(list); !before.Same(next) {
		return next, nil
	}
	return before, nil
}

func (s *Store) request(ctx context.Context, project schema.ProjectID, id string) (*Request, error) {
	data, err := s.get(ctx, requestKey(project, id))
	if err != nil {
		return nil, err
	}
	r, err := ParseRequest(data)
	if err == nil && (r.ID != id || r.Project != project) {
		err = fmt.Errorf("%w: it is %s of project %s", ErrRequest, r.ID, r.Project)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", requestKey(project, id), err)
	}
	return r, nil
}

// get reads an object, or returns ErrNotFound.
func (s *Store) get(ctx context.Context, key string) ([]byte, error) {
	data, object, err := s.bucket.Get(ctx, key, objstore.GetOptions{Length: maxObjectBytes})
	switch {
	case errors.Is(err, objstore.ErrNotExist):
		return nil, fmt.Errorf("%s: %w", key, ErrNotFound)
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", key, err)
	case object.Size > maxObjectBytes:
		return nil, fmt.Errorf("%s: %w: it has %d bytes, more than %d", key, ErrRequest, object.Size, maxObjectBytes)
	}
	return data, nil
}

// Projects lists the projects that have erasures, done or not.
func (s *Store) Projects(ctx context.Context) (list []schema.ProjectID, err error) {
	for folder, err := range s.bucket.List(ctx, objstore.ListOptions{Prefix: Prefix, Delimiter: true}) {
		if err != nil {
			return nil, fmt.Errorf("list the projects with erasures: %w", err)
		}
		if id, err := schema.ParseProjectID(strings.TrimSuffix(strings.TrimPrefix(folder.Key, Prefix), "/")); err == nil {
			list = append(list, id)
		}
	}
	return list, nil
}

// Find returns a request that is not done, with what was done so far, or the
// receipt of one that is: the other is nil. Returns ErrNotFound.
func (s *Store) Find(ctx context.Context, project schema.ProjectID, id string) (*Request, *Progress, *Receipt, error) {
	if !validID(id) {
		return nil, nil, nil, fmt.Errorf("%q: %w: want an id such as %s", id, ErrNotFound, "20260115-100000-0a1b2c3d")
	}
	// In this order: what is done meanwhile has its receipt before the request goes.
	r, err := s.request(ctx, project, id)
	if errors.Is(err, ErrNotFound) {
		receipt, err := s.receipt(ctx, project, id)
		return nil, nil, receipt, err
	}
	if err != nil {
		return nil, nil, nil, err
	}
	p, err := s.Progress(ctx, project, id)
	return r, p, nil, err
}

func (s *Store) receipt(ctx context.Context, project schema.ProjectID, id string) (*Receipt, error) {
	data, err := s.get(ctx, receiptKey(project, id))
	if err != nil {
		return nil, err
	}
	r := new(Receipt)
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", receiptKey(project, id), ErrRequest, err)
	}
	return r, nil
}

// Done lists the ids of the erasures of a project that are done, in order.
func (s *Store) Done(ctx context.Context, project schema.ProjectID) (ids []string, err error) {
	prefix := ProjectPrefix(project) + receiptsFolder
	for object, err := range s.bucket.List(ctx, objstore.ListOptions{Prefix: prefix}) {
		if err != nil {
			return nil, fmt.Errorf("list the receipts of project %s: %w", project, err)
		}
		if id, ok := strings.CutSuffix(strings.TrimPrefix(object.Key, prefix), ending); ok && validID(id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// remove deletes an object with all its versions.
func (s *Store) remove(ctx context.Context, key string) error {
	_, err := objstore.PurgeVersions(ctx, s.bucket, key, func(k string, _ bool) bool { return k == key })
	if errors.Is(err, objstore.ErrNoVersions) {
		return s.bucket.Delete(ctx, key)
	}
	return err
}
