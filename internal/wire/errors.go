package wire

import "errors"

// What whoever carries a job returns when there is no reply to it.
var (
	// ErrNobody means that there is no worker, or that none can be reached: do
	// it yourself.
	ErrNobody = errors.New("there is no worker")
	// ErrLost means that a worker has taken the job and nothing was heard of it
	// any more: ask again.
	ErrLost = errors.New("the worker is lost")
	// ErrTooLarge means that the job is larger than a message may be.
	ErrTooLarge = errors.New("the job is too large for a message")
)
