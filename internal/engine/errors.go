package engine

import (
	"errors"
	"fmt"
)

// ErrSplit means that an operand may give several spansets, where an operator
// joins one with one: the query must coalesce them first.
var ErrSplit = errors.New("by() in an operand gives several spansets: write | coalesce() after it")

// GroupsError means that by() makes more spansets than an answer may have. The
// query must group by something with fewer values.
type GroupsError struct {
	Groups int // in the answer as it would be
	Limit  int
}

// Error says how many there are and how many there may be.
func (e *GroupsError) Error() string {
	return fmt.Sprintf("the answer has %d groups, more than the limit of %d", e.Groups, e.Limit)
}
