package wal

import (
	"context"
	"errors"
	"time"
)

// Errors of the log. Test with errors.Is.
var (
	// ErrFull means that the log has no room: nothing was stored. Answer
	// 429 / RESOURCE_EXHAUSTED with a retry hint.
	ErrFull = errors.New("log is full")
	// ErrUnavailable means that the log could not be asked: nothing was stored.
	// Answer 503 / UNAVAILABLE.
	ErrUnavailable = errors.New("log is unavailable")
	// ErrUnknownOutcome means that a publish was sent but not answered: the
	// message may or may not be stored, now or a little later. Answer 503.
	ErrUnknownOutcome = errors.New("publish has an unknown outcome")
	// ErrTooLarge means that the payload exceeds MaxPayload. Nothing was stored.
	ErrTooLarge = errors.New("payload is too large for the log")
	// ErrReset means that a reader cannot prove that it has seen every message:
	// drop everything read from this stream and read again.
	ErrReset = errors.New("log reader was reset")
	// ErrEpochEnded means that the stream's epoch is over: the stream was lost
	// and another took its place. Ask for the partition's stream again. It
	// always comes with ErrReset or ErrUnavailable.
	ErrEpochEnded = errors.New("epoch of the log has ended")
	// ErrPayload means that a payload is damaged or of an unknown version.
	ErrPayload = errors.New("not a valid log payload")
	// ErrWeak means that the server or a stream has settings under which an
	// acknowledged message may be lost.
	ErrWeak = errors.New("log settings are too weak to acknowledge durably")
	// ErrConflict means that what is stored with the log contradicts the
	// options or itself; a person must decide.
	ErrConflict = errors.New("log does not fit its record")
	// ErrReadOnly means that the log was opened without Options.Covered.
	ErrReadOnly = errors.New("log is open for reading only")
	// ErrClosed means that Close was called.
	ErrClosed = errors.New("log is closed")
)

// Message is one message of a partition as it is stored. The receiver may keep
// Payload.
type Message struct {
	Position uint64
	Time     time.Time // the server's clock; it can step back
	Payload  []byte    // for DecodePayload and IsCut; may be damaged or foreign
}

// State is what the leader of a partition's stream says of it at one moment.
type State struct {
	First      uint64    // position of the first message; Last+1 when there is none
	Last       uint64    // highest position ever given, 0 for a new log
	FirstIsCut bool      // the message at First exists and is a cut
	FirstTime  time.Time // when it was published, by the log's clock; zero when there is none
	Bytes      uint64    // stored, with the server's overhead
	MaxBytes   uint64    // the limit on Bytes above which Publish returns ErrFull
}

// Floor is the position up to which everything is in blocks: First if that is a
// kept cut, else one less. A cut that is message number 1 is not a kept one,
// for nothing was purged before it.
func (s State) Floor() uint64 {
	if s.FirstIsCut && s.First > 1 {
		return s.First
	}
	return s.First - 1
}

// Empty reports whether the log holds no message.
func (s State) Empty() bool { return s.First > s.Last }

// Stream is one partition of the log in one epoch. Implementations are safe for
// concurrent use and pass waltest.Run. When the epoch has ended every method
// returns an error that is ErrEpochEnded: on to the partition's new stream.
//
// Errors not named below are ErrUnavailable, ErrClosed, or the context's.
type Stream interface {
	// Epoch identifies the stream's incarnation. A later one is greater.
	Epoch() uint64

	// Publish stores a payload and returns its position once it is durable.
	// Two messages with one id, not empty, are stored once as long as the
	// server remembers the id (minutes, and not across purge and restart): the
	// second call returns the first one's position. The payload may be reused
	// after the return. Returns ErrFull, ErrTooLarge, ErrUnavailable (not
	// stored), ErrUnknownOutcome (context ended or connection lost while the
	// message was on its way) or ErrReadOnly.
	Publish(ctx context.Context, payload []byte, id string) (position uint64, err error)

	// MakeRoom raises the limit of a log that has no room for a cut marker, so
	// that a batch which fills the whole log can still be ended; if there is
	// room, it does nothing. Others may be faster: publish the marker at once,
	// and call again if there is ErrFull again. On a server the limit is back at
	// the configured one after the next reconnect.
	MakeRoom(ctx context.Context) error

	// State asks the stream's leader.
	State(ctx context.Context) (State, error)

	// Read calls handle with every message from the log's first on, in order,
	// without end, from one goroutine: the caller's. It waits for the log while
	// that is not ready. It returns the context's error when that ends,
	// handle's error as it is, and ErrReset with the reason when the next
	// message cannot be proven to be the next.
	Read(ctx context.Context, handle func(Message) error) error

	// ReadRange calls handle with the messages from position first to last,
	// both included, in order, from the caller's goroutine, and returns nil
	// after the last one; at once when first is above last. For whoever
	// reads a part of the log once: it does not wait for a log that is not
	// ready. Returns handle's error as it is, and ErrReset when messages of the
	// range were purged or do not exist: what handle was given is void.
	ReadRange(ctx context.Context, first, last uint64, handle func(Message) error) error

	// Purge removes the messages below position before: the commit of the
	// batches up to the cut at before, which is kept. Purging again or to a
	// lower position does nothing. Returns ErrReset when the log ends below
	// before, which means that it is not the log that the caller has read.
	// After any other error the purge may have been done, in part or whole.
	Purge(ctx context.Context, before uint64) error

	// FastForward makes every later message's position greater than last and
	// removes all messages up to last, if the log ends below last; else it does
	// nothing. It leaves an empty cut at the log's beginning, as a commit would,
	// so that a first message that happens to be a cut is not taken for a kept
	// one. Only for a log that ends below what blocks cover.
	FastForward(ctx context.Context, last uint64) error
}
