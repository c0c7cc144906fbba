package wire

import (
	"fmt"

	"github.com/klauspost/compress/s2"
)

// Status says how a job ended.
type Status uint8

// The ends of a job. What is not StatusDone has a Message instead of an Answer.
const (
	StatusDone        Status = iota
	StatusGone               // a block or a part of the log is gone: list anew
	StatusRefused            // the query exceeds a limit, which Message names
	StatusBusy               // this worker has too much to do: ask another one
	StatusUnavailable        // the log cannot be reached
	StatusFailed             // anything else
	numStatuses
)

// Reply is the answer to a job, or why there is none.
type Reply struct {
	Status   Status
	Limit    string // of StatusRefused: which limit it is, for whoever knows
	Message  string
	Bytes    int64 // that were read of blocks
	Requests int64 // to the bucket, for blocks
	Answer   []byte
}

// Append encodes the reply.
func (y *Reply) Append(dst []byte) []byte {
	b := AppendText(AppendText([]byte{byte(y.Status)}, y.Limit), y.Message)
	b = AppendText(AppendInt(AppendInt(b, y.Bytes), y.Requests), y.Answer)
	return append(append(dst, Version), s2.Encode(nil, b)...)
}

// ParseReply reads an encoded reply. Returns ErrMessage for what is none.
func ParseReply(data []byte) (*Reply, error) {
	body, err := open(data, maxReplyBytes)
	if err != nil {
		return nil, fmt.Errorf("read a reply: %w", err)
	}
	r := NewReader(body)
	y := &Reply{
		Status: Status(r.Small(int(numStatuses) - 1)), Limit: r.Text(), Message: r.Text(), //nolint:gosec // bounded on this line
		Bytes: r.Int(), Requests: r.Int(), Answer: r.Bytes(),
	}
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("read a reply: %w", err)
	}
	return y, nil
}
