package block

import (
	"errors"
	"fmt"
)

var (
	// ErrTooLarge is returned by Encode for a value of more than 256 MiB, or
	// for more rows than a block's structure can hold.
	ErrTooLarge = errors.New("too large for a block")
	// ErrCorrupt matches every CorruptError. The rows of the block that could
	// not be read are lost unless the store has another copy of the object.
	ErrCorrupt = errors.New("block is corrupt")
	// ErrVersion is returned by Open for a block that a newer program wrote.
	ErrVersion = errors.New("unknown format version")
)

// CorruptError says that an object is not what was written, or is not a block.
// It matches ErrCorrupt.
type CorruptError struct {
	Name    string // the object's key
	Section string // what was being read
	Offset  int64  // where Section begins, in bytes from the object's start
	Err     error  // what is wrong with it
	Hint    string // what an operator can do
}

// Error names the object, the section, the offset, the reason and the hint.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("block %s is corrupt: %s at offset %d: %v; %s", e.Name, e.Section, e.Offset, e.Err, e.Hint)
}

// Unwrap returns the reason.
func (e *CorruptError) Unwrap() error { return e.Err }

// Is makes every CorruptError match ErrCorrupt.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// Damage lists the CorruptErrors that err holds, in their order: those that
// Verify has found.
func Damage(err error) []*CorruptError {
	if corrupt, ok := err.(*CorruptError); ok { //nolint:errorlint // the tree is walked here
		return []*CorruptError{corrupt}
	}
	var parts []error
	switch e := err.(type) { //nolint:errorlint // likewise
	case interface{ Unwrap() []error }:
		parts = e.Unwrap()
	case interface{ Unwrap() error }:
		parts = []error{e.Unwrap()}
	}
	var found []*CorruptError
	for _, part := range parts {
		found = append(found, Damage(part)...)
	}
	return found
}

const (
	hintRestore = "restore the object from a replica or an earlier version; its other sections may still be readable"
	hintName    = "the object does not belong to this key: find out who copied, renamed or cut it"
	hintDefect  = "its checksums are right, so it was written like this: report what wrote it; queries on it may find too much or too little"
)

// Reasons inside a CorruptError.
var (
	errChecksum  = errors.New("checksum mismatch")
	errTruncated = errors.New("bytes are missing")
	errStructure = errors.New("impossible structure")
	errMismatch  = errors.New("name and content disagree")
	errDisagree  = errors.New("page directory and Parquet footer disagree")
	errMagic     = errors.New("not a Parquet file")
	errRows      = errors.New("the rows say otherwise")
)

// errPanic turns a recovered panic into a reason.
func errPanic(value any) error { return fmt.Errorf("decoder panicked: %v", value) }
