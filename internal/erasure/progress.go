package erasure

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/schema"
)

// Replaced is an object that held rows of an erasure.
type Replaced struct {
	Object string    `json:"object"`
	Spans  int       `json:"spans"` // rows that were to be gone
	By     string    `json:"by"`    // the object without them; "" if it has expired
	At     time.Time `json:"at"`    // when that was stored
}

// Progress is what was done so far.
type Progress struct {
	Replaced []Replaced `json:"replaced"` // by object
	// Media are the keys of what the rows refer to, in order: those that no other
	// trace refers to go with them.
	Media []string `json:"media,omitempty"`

	etag string // of the object it was read from, "" if there was none
}

// Add notes objects that are not noted yet, and reports whether there are any.
func (p *Progress) Add(list []Replaced) (more bool) {
	for _, r := range list {
		at, found := slices.BinarySearchFunc(p.Replaced, r, func(a, b Replaced) int { return strings.Compare(a.Object, b.Object) })
		if !found {
			p.Replaced, more = slices.Insert(p.Replaced, at, r), true
		}
	}
	return more
}

// AddMedia notes media that are not noted yet, and reports whether there are any.
func (p *Progress) AddMedia(keys []string) (more bool) {
	for _, key := range keys {
		if at, found := slices.BinarySearch(p.Media, key); !found {
			p.Media, more = slices.Insert(p.Media, at, key), true
		}
	}
	return more
}

// Spans is how many rows are gone. A row may have been in several objects, one
// made of the other: it counts in the one that had it last.
func (p *Progress) Spans() (n int) {
	var names []schema.BlockName
	spans := make(map[schema.BlockName]int)
	for _, r := range p.Replaced {
		if name, err := schema.ParseBlockName(r.Object); err == nil {
			names = append(names, name)
			spans[name] = r.Spans
		}
	}
	for _, name := range schema.Visible(names) {
		n += spans[name]
	}
	return n
}

// Progress returns what was done so far for a request.
func (s *Store) Progress(ctx context.Context, project schema.ProjectID, id string) (*Progress, error) {
	key := progressKey(project, id)
	data, object, err := s.bucket.Get(ctx, key, objstore.GetOptions{})
	if errors.Is(err, objstore.ErrNotExist) {
		return new(Progress), nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	p := &Progress{etag: object.ETag}
	if err := json.Unmarshal(data, p); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", key, ErrRequest, err)
	}
	return p, nil
}

// progressTries is how often somebody else may be faster.
const progressTries = 10

// Note notes objects that held rows of a request, before they are deleted: nothing
// else could tell afterwards.
func (s *Store) Note(ctx context.Context, project schema.ProjectID, id string, list []Replaced) error {
	return s.change(ctx, project, id, func(p *Progress) bool { return p.Add(list) })
}

// NoteMedia notes media that rows of a request refer to, before these are gone.
func (s *Store) NoteMedia(ctx context.Context, project schema.ProjectID, id string, keys []string) error {
	return s.change(ctx, project, id, func(p *Progress) bool { return p.AddMedia(keys) })
}

// change stores a progress unless change has nothing to change in it.
func (s *Store) change(ctx context.Context, project schema.ProjectID, id string, change func(*Progress) bool) error {
	for range progressTries {
		p, err := s.Progress(ctx, project, id)
		if err != nil || !change(p) {
			return err
		}
		data, err := json.MarshalIndent(p, "", " ")
		if err != nil {
			return fmt.Errorf("encode the progress of erasure %s: %w", id, err)
		}
		opts := objstore.PutOptions{IfMatch: p.etag, IfNotExist: p.etag == ""}
		err = s.bucket.Put(ctx, progressKey(project, id), bytes.NewReader(append(data, '\n')), opts)
		if !errors.Is(err, objstore.ErrExist) && !errors.Is(err, objstore.ErrChanged) {
			return err
		}
	}
	return fmt.Errorf("note the progress of erasure %s: %w", id, objstore.ErrChanged)
}

// Receipt says what was done. It does not say whom the request was about: of a
// query there is only what its text can be compared with.
type Receipt struct {
	Version    int              `json:"version"`
	ID         string           `json:"id"`
	Project    schema.ProjectID `json:"project"`
	By         string           `json:"by,omitempty"`
	AcceptedAt time.Time        `json:"accepted_at"`
	// WhereDigest is that of Request.WhereDigest.
	WhereDigest string     `json:"where_sha256,omitempty"`
	Marks       []Mark     `json:"log"`
	Traces      []string   `json:"traces"`
	Spans       int        `json:"spans"` // that are gone
	Replaced    []Replaced `json:"replaced"`
	Versions    int        `json:"versions"` // earlier versions of objects that were deleted
	Media       int        `json:"media"`    // that no other trace referred to
	GoneAt      time.Time  `json:"gone_at"`  // nothing was left then
}

// Request is the request that the receipt is for, without its query.
func (r *Receipt) Request() (*Request, error) {
	ids, err := parseTraces(r.Traces)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	request := &Request{ID: r.ID, Project: r.Project, By: r.By, AcceptedAt: r.AcceptedAt, Marks: r.Marks, Traces: ids}
	return request, request.Validate()
}

// Gone is what is gone at the end, besides rows and the objects that held them.
type Gone struct {
	Versions, Media int
	At              time.Time
}

// Complete writes the receipt of a request and then removes the request, which was
// what hid its rows. A crash in between leaves both: the request then still counts,
// and whoever looks next completes it again.
func (s *Store) Complete(ctx context.Context, r *Request, gone Gone) (*Receipt, error) {
	p, err := s.Progress(ctx, r.Project, r.ID)
	if err != nil {
		return nil, err
	}
	receipt := &Receipt{
		Version: version, ID: r.ID, Project: r.Project, By: r.By, AcceptedAt: r.AcceptedAt, WhereDigest: r.WhereDigest(),
		Marks: r.Marks, Traces: texts(r.Traces), Spans: p.Spans(), Replaced: p.Replaced, Versions: gone.Versions, Media: gone.Media, GoneAt: gone.At.UTC(),
	}
	data, err := json.MarshalIndent(receipt, "", " ")
	if err != nil {
		return nil, fmt.Errorf("encode the receipt of erasure %s: %w", r.ID, err)
	}
	err = s.bucket.Put(ctx, receiptKey(r.Project, r.ID), bytes.NewReader(append(data, '\n')), objstore.PutOptions{IfNotExist: true})
	if err != nil && !errors.Is(err, objstore.ErrExist) {
		return nil, fmt.Errorf("store the receipt of erasure %s: %w", r.ID, err)
	}
	// The request last: without it nobody looks for what is left of it.
	for _, key := range []string{progressKey(r.Project, r.ID), requestKey(r.Project, r.ID)} {
		if err := s.remove(ctx, key); err != nil {
			return nil, fmt.Errorf("delete %s: %w", key, err)
		}
	}
	return receipt, nil
}
