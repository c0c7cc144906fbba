package erasure

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/spanlake/spanlake/schema"
)

// MaxTraces is how many traces one request may name: what every process keeps in
// memory of it while it is not done is some 6 MB.
const MaxTraces = 100_000

// ErrRequest is returned for an object that is no request of this version, and for
// one that cannot be.
var ErrRequest = errors.New("not an erasure")

// Mark is the end of a partition's log when a request was accepted.
type Mark struct {
	Epoch    uint64 `json:"epoch"`
	Position uint64 `json:"position"`
}

// Request is an erasure that was accepted. It never changes.
type Request struct {
	ID         string
	Project    schema.ProjectID
	By         string // who asked: the public half of a key, "" without one
	AcceptedAt time.Time
	Where      string           // the query that has found the traces, "" if they were named
	Marks      []Mark           // of each partition of the log
	Traces     []schema.TraceID // in ascending order, each once
}

// stored is the form of a request in the bucket.
type stored struct {
	Version    int              `json:"version"`
	ID         string           `json:"id"`
	Project    schema.ProjectID `json:"project"`
	By         string           `json:"by,omitempty"`
	AcceptedAt time.Time        `json:"accepted_at"`
	Where      string           `json:"where,omitempty"`
	Marks      []Mark           `json:"log"`
	Traces     []string         `json:"traces"`
}

const version = 1

// NewID returns an id that is later in order than those of earlier seconds.
func NewID(now time.Time) string {
	var random [4]byte
	_, _ = rand.Read(random[:]) // never fails
	return now.UTC().Format(idTime) + "-" + hex.EncodeToString(random[:])
}

const (
	idTime  = "20060102-150405"
	idBytes = len(idTime) + 1 + 8
)

// validID reports whether text is an id, and so a safe part of a key.
func validID(text string) bool {
	return len(text) == idBytes && strings.Trim(text, "0123456789abcdef-") == ""
}

// encode is the stored form, one line for each trace: for people to read, too.
func (r *Request) encode() ([]byte, error) {
	s := stored{version, r.ID, r.Project, r.By, r.AcceptedAt, r.Where, r.Marks, texts(r.Traces)}
	data, err := json.MarshalIndent(s, "", " ")
	return append(data, '\n'), err
}

func texts(ids []schema.TraceID) []string {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = id.String()
	}
	return list
}

// ParseRequest reads a request. Returns ErrRequest.
func ParseRequest(data []byte) (*Request, error) {
	var s stored
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	if s.Version != version {
		return nil, fmt.Errorf("%w: version %d, want %d: a newer spanlake has written it", ErrRequest, s.Version, version)
	}
	r := &Request{ID: s.ID, Project: s.Project, By: s.By, AcceptedAt: s.AcceptedAt, Where: s.Where, Marks: s.Marks}
	var err error
	if r.Traces, err = parseTraces(s.Traces); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	return r, r.Validate()
}

func parseTraces(list []string) ([]schema.TraceID, error) {
	ids := make([]schema.TraceID, len(list))
	for i, text := range list {
		var err error
		if ids[i], err = schema.ParseTraceID(text); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// Validate returns ErrRequest with what cannot be.
func (r *Request) Validate() error {
	_, err := schema.ParseProjectID(string(r.Project))
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrRequest, err)
	case !validID(r.ID):
		return fmt.Errorf("%w: bad id %q", ErrRequest, r.ID)
	case !schema.ValidPartitionCount(len(r.Marks)):
		return fmt.Errorf("%w: %d partitions of the log, want a power of two", ErrRequest, len(r.Marks))
	case len(r.Traces) > MaxTraces:
		return fmt.Errorf("%w: %d traces, more than %d", ErrRequest, len(r.Traces), MaxTraces)
	}
	for i := 1; i < len(r.Traces); i++ {
		if schema.CompareTraceIDs(r.Traces[i-1], r.Traces[i]) >= 0 {
			return fmt.Errorf("%w: traces are not in ascending order", ErrRequest)
		}
	}
	return nil
}

// Sorted returns ids in ascending order, each once, as a request has them.
func Sorted(ids []schema.TraceID) []schema.TraceID {
	sorted := slices.SortedFunc(slices.Values(ids), schema.CompareTraceIDs)
	return slices.Compact(sorted)
}

// Place is a partition of a log in one epoch: what positions are of.
type Place struct {
	Partition, Partitions int
	Epoch                 uint64
}

// PlaceOf is that of a block.
func PlaceOf(n *schema.BlockName) Place { return Place{n.Partition, n.Partitions, n.Epoch} }

// UpTo is the last position of a place that the request reaches, 0 for none. A
// log only ever gets more partitions and later epochs: what has fewer, or an
// earlier one, was there before.
func (r *Request) UpTo(at Place) uint64 {
	switch count := len(r.Marks); {
	case at.Partitions < count:
		return math.MaxUint64
	case at.Partitions > count:
		return 0
	}
	switch mark := r.Marks[at.Partition]; {
	case at.Epoch < mark.Epoch:
		return math.MaxUint64
	case at.Epoch > mark.Epoch:
		return 0
	default:
		return mark.Position
	}
}

// WhereDigest stands for a query where its text must not stay, since it names
// whom the request is about: the SHA-256 in hexadecimal digits, "" for none.
func (r *Request) WhereDigest() string {
	if r.Where == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(r.Where))
	return hex.EncodeToString(sum[:])
}
