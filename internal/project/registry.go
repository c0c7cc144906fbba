package project

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/schema"
)

// Errors of a Registry.
var (
	// ErrNotFound: there is no such project, or no such key.
	ErrNotFound = errors.New("does not exist")
	// ErrExists: a project of this name has settings already.
	ErrExists = errors.New("exists already")
	// ErrDeleted: the project was deleted, and its name is not free yet.
	ErrDeleted = errors.New("was deleted")
	// ErrManaged: somebody else owns the settings.
	ErrManaged = errors.New("is managed by terraform: change it there")
	// ErrBusy: others kept changing the object. Try again.
	ErrBusy = errors.New("others are changing it, try again")
	// ErrInvalid: what was asked for cannot be.
	ErrInvalid = errors.New("not possible")
)

// Registry writes projects, as OwnerAPI. It keeps nothing in memory and is safe
// for concurrent use, also with registries of other processes.
type Registry struct {
	bucket objstore.Bucket
}

// NewRegistry returns the registry of a bucket.
func NewRegistry(bucket objstore.Bucket) *Registry { return &Registry{bucket} }

// Settings returns what is stored of a project, a tombstone too. Returns
// ErrNotFound and ErrSettings.
func (r *Registry) Settings(ctx context.Context, id schema.ProjectID) (Settings, error) {
	s, _, err := r.read(ctx, id)
	return s, err
}

func (r *Registry) read(ctx context.Context, id schema.ProjectID) (Settings, string, error) {
	data, object, err := r.bucket.Get(ctx, settingsKey(id), objstore.GetOptions{Length: maxObjectBytes})
	if errors.Is(err, objstore.ErrNotExist) {
		return Settings{}, "", fmt.Errorf("project %s: %w", id, ErrNotFound)
	}
	if err != nil {
		return Settings{}, "", fmt.Errorf("read project %s: %w", id, err)
	}
	s, err := ParseSettings(data)
	if err != nil {
		return Settings{}, "", fmt.Errorf("project %s: %w", id, err)
	}
	return s, object.ETag, nil
}

// List returns the names of the projects that have settings, also of those that
// were deleted, in order.
func (r *Registry) List(ctx context.Context) (ids []schema.ProjectID, err error) {
	for object, err := range r.bucket.List(ctx, objstore.ListOptions{Prefix: prefix}) {
		if err != nil {
			return nil, fmt.Errorf("list projects: %w", err)
		}
		if p, ok := parsePlace(object.Key); ok && p.keyID == "" {
			ids = append(ids, p.project)
		}
	}
	return ids, nil
}

// Create stores the settings of a new project. Returns ErrExists, ErrDeleted
// and ErrInvalid.
func (r *Registry) Create(ctx context.Context, id schema.ProjectID, s Settings) error {
	return r.store(ctx, id, s, objstore.PutOptions{IfNotExist: true})
}

func (r *Registry) store(ctx context.Context, id schema.ProjectID, s Settings, opts objstore.PutOptions) error {
	s.ManagedBy = OwnerAPI
	if s.CreatedAt.IsZero() {
		s.CreatedAt = time.Now().UTC().Truncate(time.Second)
	}
	if err := s.Validate(); err != nil {
		return fmt.Errorf("project %s: %w: %w", id, ErrInvalid, err)
	}
	if err := r.checkAliases(ctx, id, s.Aliases); err != nil {
		return err
	}
	data, err := encode(s)
	if err != nil {
		return fmt.Errorf("encode project %s: %w", id, err)
	}
	err = r.bucket.Put(ctx, settingsKey(id), bytes.NewReader(data), opts)
	if errors.Is(err, objstore.ErrExist) {
		if there, _, readErr := r.read(ctx, id); readErr == nil && there.Deleted() {
			return fmt.Errorf("project %s %w on %s", id, ErrDeleted, there.DeletedAt.Format(time.DateTime))
		}
		return fmt.Errorf("project %s %w", id, ErrExists)
	}
	if err != nil {
		return fmt.Errorf("store project %s: %w", id, err)
	}
	return nil
}

// checkAliases refuses aliases that other projects have. Two that take one at
// the same moment both succeed: then nobody can use it (Directory.Resolve).
func (r *Registry) checkAliases(ctx context.Context, id schema.ProjectID, aliases []string) error {
	if len(aliases) == 0 {
		return nil
	}
	ids, err := r.List(ctx)
	if err != nil {
		return err
	}
	for _, other := range ids {
		if other == id {
			continue
		}
		s, _, err := r.read(ctx, other)
		if err != nil {
			continue // one that cannot be used has no aliases
		}
		for _, alias := range aliases {
			if slices.Contains(s.Aliases, alias) {
				return fmt.Errorf("alias %q: %w: project %s has it", alias, ErrInvalid, other)
			}
		}
	}
	return nil
}

// maxUpdates bounds how often an update begins anew because others were faster.
const maxUpdates = 20

// Update changes the settings of a project, which is created if it has none and
// create is set. No change of others gets lost: change is called again with
// what they have made of it. Returns ErrNotFound, ErrDeleted, ErrManaged,
// ErrInvalid, ErrBusy and what change returns.
func (r *Registry) Update(ctx context.Context, id schema.ProjectID, create bool, change func(*Settings) error) (Settings, error) {
	for range maxUpdates {
		s, etag, err := r.read(ctx, id)
		opts := objstore.PutOptions{IfMatch: etag}
		switch {
		case errors.Is(err, ErrNotFound) && create:
			s, opts = Settings{ManagedBy: OwnerAPI}, objstore.PutOptions{IfNotExist: true}
		case err != nil:
			return Settings{}, err
		case s.ManagedBy != OwnerAPI:
			return Settings{}, fmt.Errorf("project %s %w", id, ErrManaged)
		case s.Deleted():
			return Settings{}, fmt.Errorf("project %s %w on %s", id, ErrDeleted, s.DeletedAt.Format(time.DateTime))
		}
		if err := change(&s); err != nil {
			return Settings{}, err
		}
		err = r.store(ctx, id, s, opts)
		if !errors.Is(err, objstore.ErrChanged) && !errors.Is(err, ErrExists) {
			return s, err
		}
	}
	return Settings{}, fmt.Errorf("project %s: %w", id, ErrBusy)
}

// Delete makes the settings of a project a tombstone, and removes its keys after
// that: when it is cut short, nobody can use what is left, and it can be
// repeated. The compactor removes the data.
func (r *Registry) Delete(ctx context.Context, id schema.ProjectID) error {
	_, err := r.Update(ctx, id, false, func(s *Settings) error {
		s.DeletedAt, s.Aliases = time.Now().UTC().Truncate(time.Second), nil
		return nil
	})
	if err != nil && !errors.Is(err, ErrDeleted) {
		return err
	}
	for object, err := range r.bucket.List(ctx, objstore.ListOptions{Prefix: keysPrefix(id)}) {
		if err != nil {
			return fmt.Errorf("list the keys of project %s: %w", id, err)
		}
		if err := r.bucket.Delete(ctx, object.Key); err != nil {
			return fmt.Errorf("delete a key of project %s: %w", id, err)
		}
	}
	return nil
}

// Revive stores settings in place of a tombstone, once nothing of the deleted
// project is left: no object in the bucket, and, which stored says, nothing in
// the log that was acknowledged up to a time. Returns ErrDeleted with what is
// left, and ErrExists if the project was not deleted.
func (r *Registry) Revive(ctx context.Context, id schema.ProjectID, s Settings, stored func(context.Context, time.Time) (bool, error)) error {
	old, etag, err := r.read(ctx, id)
	if err != nil {
		return err
	}
	if !old.Deleted() {
		return fmt.Errorf("project %s %w", id, ErrExists)
	}
	if old.ManagedBy != OwnerAPI {
		return fmt.Errorf("project %s %w", id, ErrManaged)
	}
	// Spans are taken until the last process has seen the tombstone.
	done, err := stored(ctx, old.DeletedAt.Add(MaxStale))
	if err != nil {
		return fmt.Errorf("look for spans of project %s in the log: %w", id, err)
	}
	if !done {
		return fmt.Errorf("project %s %w on %s, and the log may still hold spans of it: try again in some minutes",
			id, ErrDeleted, old.DeletedAt.Format(time.DateTime))
	}
	for _, prefix := range []string{schema.ProjectPrefix(id), schema.ClaimsPrefix + string(id) + "/", schema.ProjectMedia(id), keysPrefix(id)} {
		for object, err := range r.bucket.List(ctx, objstore.ListOptions{Prefix: prefix}) {
			if err != nil {
				return fmt.Errorf("look for objects of project %s: %w", id, err)
			}
			return fmt.Errorf("project %s %w on %s, and %s is still there: try again when the compactor has removed all of it",
				id, ErrDeleted, old.DeletedAt.Format(time.DateTime), object.Key)
		}
	}
	err = r.store(ctx, id, s, objstore.PutOptions{IfMatch: etag})
	if errors.Is(err, objstore.ErrChanged) {
		return fmt.Errorf("project %s: %w", id, ErrBusy)
	}
	return err
}

// AddKey makes a key for a project, or All of them, and returns it with its
// secret, which cannot be had again. Returns ErrNotFound and ErrDeleted if there
// is no such project, and ErrInvalid.
func (r *Registry) AddKey(ctx context.Context, id schema.ProjectID, name string, scopes []Scope) (Key, string, error) {
	if id != All {
		s, _, err := r.read(ctx, id)
		if err != nil {
			return Key{}, "", err
		}
		if s.Deleted() {
			return Key{}, "", fmt.Errorf("project %s %w", id, ErrDeleted)
		}
	}
	k, secret, err := newKey(id, name, scopes, time.Now())
	if err != nil {
		return Key{}, "", fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	data, err := encode(k)
	if err != nil {
		return Key{}, "", fmt.Errorf("encode a key: %w", err)
	}
	if err := r.bucket.Put(ctx, keyKey(id, k.ID), bytes.NewReader(data), objstore.PutOptions{IfNotExist: true}); err != nil {
		return Key{}, "", fmt.Errorf("store a key: %w", err)
	}
	return k, secret, nil
}

// Keys returns the keys of a project, or of All, by id. An object that is none
// is left out.
func (r *Registry) Keys(ctx context.Context, id schema.ProjectID) (keys []Key, err error) {
	for object, err := range r.bucket.List(ctx, objstore.ListOptions{Prefix: keysPrefix(id)}) {
		if err != nil {
			return nil, fmt.Errorf("list keys: %w", err)
		}
		at, ok := parsePlace(object.Key)
		if !ok {
			continue
		}
		data, _, err := r.bucket.Get(ctx, object.Key, objstore.GetOptions{Length: maxObjectBytes})
		if errors.Is(err, objstore.ErrNotExist) {
			continue // revoked meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("read a key: %w", err)
		}
		if k, err := parseKey(data, at); err == nil {
			keys = append(keys, *k)
		}
	}
	return keys, nil
}

// RevokeKey deletes the key of an id, which may be written as the public half of
// the pair. Processes refuse it within seconds. Returns ErrNotFound.
func (r *Registry) RevokeKey(ctx context.Context, id schema.ProjectID, key string) error {
	key = strings.TrimPrefix(key, publicPrefix)
	if !validKeyID(key) {
		return fmt.Errorf("key %q: %w: want the id of a key, or its public half", key, ErrInvalid)
	}
	if _, err := r.bucket.Stat(ctx, keyKey(id, key)); errors.Is(err, objstore.ErrNotExist) {
		return fmt.Errorf("key %s: %w", key, ErrNotFound)
	} else if err != nil {
		return fmt.Errorf("look for key %s: %w", key, err)
	}
	if err := r.bucket.Delete(ctx, keyKey(id, key)); err != nil {
		return fmt.Errorf("delete key %s: %w", key, err)
	}
	return nil
}
