// Package objstore defines the bucket: the few operations that spanlake needs
// of an object store, what each of them promises, and decorators around any
// implementation. The implementations are child packages; objstoretest holds
// the suite that every one of them passes.
package objstore

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"
)

// Errors of a Bucket. Adapters translate their provider's errors into these,
// wrapped with operation and key: compare with errors.Is.
var (
	// ErrNotExist: there is no object of that key. A block may have been
	// compacted away: list again.
	ErrNotExist = errors.New("object does not exist")
	// ErrExist: PutOptions.IfNotExist is set and the key is taken.
	ErrExist = errors.New("object exists already")
	// ErrChanged: the object is not, or no longer, the one of IfMatch. Drop
	// what was read of it and start again.
	ErrChanged = errors.New("object has changed")
	// ErrRange: the range begins at or after the end of the object, or is
	// malformed.
	ErrRange = errors.New("range not satisfiable")
	// ErrTransient marks an error that may vanish when the operation is
	// repeated: throttling, a timeout, a lost connection. Retry acts on it.
	ErrTransient = errors.New("transient error")
)

// Object describes one object, or, in a listing with a delimiter, one folder.
type Object struct {
	// Key is the whole key. That of a folder ends in a slash.
	Key string
	// Size of the whole object in bytes, also when a range was read.
	Size int64
	// ETag changes whenever the content of the key does. It is opaque, and
	// comparable only with another one of the same bucket and key.
	ETag string
	// ModTime is when the object was last put, by the clock of the store.
	ModTime time.Time
}

// PutOptions are the conditions of a Put, one of them at most.
type PutOptions struct {
	// IfNotExist refuses to replace an object: of any number of writers, also
	// in other processes, one succeeds and all others get ErrExist.
	IfNotExist bool
	// IfMatch refuses to replace any other object than the one with this ETag:
	// of any number of writers that have read the same object, one succeeds and
	// all others get ErrChanged, as they do when it was deleted. Empty for any.
	IfMatch string
}

// GetOptions select what a Get returns. The zero value is the whole object.
type GetOptions struct {
	// Offset of the first byte. A negative one means the last -Offset bytes,
	// or the whole object when it is shorter; Length must then be 0.
	Offset int64
	// Length in bytes, 0 for all up to the end. Fewer bytes are returned when
	// the object ends earlier.
	Length int64
	// IfMatch is the ETag that the object must have, empty for any.
	IfMatch string
}

// ListOptions select what a List yields. The zero value is every object.
type ListOptions struct {
	// Prefix that keys begin with. It need not end at a slash. A prefix that
	// no valid key can have yields nothing.
	Prefix string
	// StartAfter yields only entries whose key is greater. It need not exist.
	StartAfter string
	// Delimiter yields one folder in place of all objects that have the same
	// key up to the first slash after Prefix. Only the Key of a folder is set.
	Delimiter bool
}

// Bucket is an object store, or a part of one. All methods are safe for
// concurrent use, also by other processes on the same store, and strongly
// consistent: what an operation has done is seen by every operation that
// begins after it returned. They return the context's error once it is done;
// whether a write that was cut short by it took effect is then unknown. A key
// that CheckKey rejects gets ErrBadKey.
//
// No key may continue another one after a slash ("a" and "a/b"): a folder
// cannot hold both, so such a Put may return ErrBadKey.
type Bucket interface {
	// Put stores an object, all of body from its start to its end, and
	// replaces the one that has the key. Readers see the old object or the
	// new one, never a part. When Put returns nil the object survives the
	// crash of every machine involved. Returns ErrExist and ErrChanged as
	// PutOptions says; after ErrExist the existing object is as durable as one
	// of our own. The body stays the caller's, who must not use it before Put returns.
	Put(ctx context.Context, key string, body io.ReadSeeker, opts PutOptions) error

	// Get returns the content of an object, or a range of it, and describes
	// the object that the bytes belong to. The bytes are the caller's to keep
	// and change. Of an empty object any Offset that is not positive selects
	// nothing, without error. Returns ErrNotExist, ErrChanged and ErrRange.
	Get(ctx context.Context, key string, opts GetOptions) ([]byte, Object, error)

	// List yields objects in the order of their keys, compared byte by byte.
	// Objects that are there from the call to the end of the iteration are
	// yielded exactly once, those put or deleted meanwhile at most once. An
	// error is yielded last and once, with a zero Object. Nothing is read
	// before the iteration begins; a second iteration lists again.
	List(ctx context.Context, opts ListOptions) iter.Seq2[Object, error]

	// Delete removes an object. Returns nil also when there is none. When it
	// returns nil the object stays gone after a crash.
	Delete(ctx context.Context, key string) error

	// Stat describes an object without reading it. Returns ErrNotExist.
	Stat(ctx context.Context, key string) (Object, error)
}
