package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// ErrNotTask means that an event does not ask for the function's task: whatever
// has sent it must be told what to send.
var ErrNotTask = errors.New("not an event of this function")

// Task checks that an event asks for the task of a name, and for nothing else:
// {"task":"flush"}. Schedules send what they are told to.
func Task(raw json.RawMessage, name string) error {
	var e struct {
		Task *string `json:"task"`
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&e)
	if err == nil {
		if _, after := decoder.Token(); !errors.Is(after, io.EOF) {
			err = errors.New("something follows")
		}
	}
	switch {
	case err != nil:
	case e.Task == nil:
		err = errors.New("no task")
	case *e.Task != name:
		err = fmt.Errorf("task %q", *e.Task)
	default:
		return nil
	}
	return fmt.Errorf("%w: %w: have the schedule send {\"task\":%q} as its input", ErrNotTask, err, name)
}
