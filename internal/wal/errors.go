package wal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Error codes of the server that the client library does not name.
const (
	codeInsufficientResources jetstream.ErrorCode = 10023 // an account or server limit
	codeStorageExceeded       jetstream.ErrorCode = 10047 // a stream larger than the storage
	codeMessageTooLarge       jetstream.ErrorCode = 10054
	codeReplicasUnsupported   jetstream.ErrorCode = 10074 // replicas without a cluster
	codeStoreFailed           jetstream.ErrorCode = 10077 // the stream is full, or the disk is
	codeTooManyRequests       jetstream.ErrorCode = 10167 // the stream's queue is full
)

// isAPIError reports whether err is the server's error with the code.
func isAPIError(err error, code jetstream.ErrorCode) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == code
}

// publishError maps what the client library returns for a publish, and raises
// the alarms for errors that do not pass by themselves.
func (st *stream) publishError(s *session, err error) error {
	var api *jetstream.APIError
	switch {
	case errors.As(err, &api):
		return st.refusal(api)
	case errors.Is(err, jetstream.ErrNoStreamResponse), errors.Is(err, nats.ErrNoResponders):
		// The stream is gone or has no leader. A new session finds out.
		err = fmt.Errorf("%w: no answer from stream %s", ErrUnavailable, st.name)
		s.end(err)
		return err
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	default:
		// The context's end, a lost connection, an answer that cannot be read.
		return fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
	}
}

// refusal maps the server's own word: nothing was stored.
func (st *stream) refusal(api *jetstream.APIError) error {
	switch api.ErrorCode {
	case codeStoreFailed:
		if strings.Contains(api.Description, "maximum bytes exceeded") {
			return fmt.Errorf("%w: partition %d", ErrFull, st.partition)
		}
		st.log.alarm(alarmStore, "server could not store a message", slog.Int("partition", st.partition), slog.Any("err", api))
	case codeInsufficientResources:
		st.log.alarm(alarmServerLimit, "storage limit of the server or account is reached", slog.Int("partition", st.partition), slog.Any("err", api))
		return fmt.Errorf("%w: storage limit of the server or account: %w", ErrFull, api)
	case codeTooManyRequests:
		return fmt.Errorf("%w: too many messages on their way: %w", ErrFull, api)
	case codeMessageTooLarge:
		return fmt.Errorf("%w: %w", ErrTooLarge, api)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, api)
}

// requestError maps what the client library returns for every other request. A
// stream that is gone ends the session, so that the next one makes an epoch.
func (st *stream) requestError(ctx context.Context, s *session, op string, err error) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", op, ctx.Err())
	case errors.Is(err, jetstream.ErrStreamNotFound), isAPIError(err, jetstream.JSErrCodeStreamNotFound):
		err = fmt.Errorf("%w: stream %s is gone", ErrUnavailable, st.name)
		s.end(err)
		return err
	default:
		return fmt.Errorf("%w: %s: %w", ErrUnavailable, op, err)
	}
}
