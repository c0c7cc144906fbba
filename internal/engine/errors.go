package engine

import "errors"

// ErrSplit means that an operand may give several spansets, where an operator
// joins one with one: the query must coalesce them first.
var ErrSplit = errors.New("by() in an operand gives several spansets: write | coalesce() after it")
