package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spanlake/spanlake/functions/internal/event"
	"github.com/spanlake/spanlake/functions/internal/host"
	"github.com/spanlake/spanlake/functions/internal/lambda"
	"github.com/spanlake/spanlake/internal/wire"
)

// taskJob is the task of a part of a query.
const taskJob = "job"

// taskEvent is an event by which the function invokes itself: who may do that is
// decided by IAM alone. It has nothing else, so that an event of HTTP is none,
// whatever the request holds: AWS has made it, with fields that this one has not.
type taskEvent struct {
	Task string `json:"task"`
	Job  []byte `json:"job"` // an encoded wire.Job
}

// taskReply is the answer to it.
type taskReply struct {
	Reply []byte `json:"reply"` // an encoded wire.Reply
}

// errNoTasks means that a task came to a function that gives out none.
var errNoTasks = errors.New("this function does no parts of queries: SPANLAKE_FUNCTION_FAN_OUT is 0")

// parseTask reports whether an event has the form of a task.
func parseTask(raw []byte) (task taskEvent, ok bool) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if d.Decode(&task) != nil || task.Task == "" {
		return taskEvent{}, false
	}
	_, err := d.Token()
	return task, errors.Is(err, io.EOF)
}

// work does a part of a query.
func (f *function) work(ctx context.Context, task taskEvent) (lambda.Reply, error) {
	switch {
	case f.cfg.fanOut == 0:
		return lambda.Reply{}, errNoTasks
	case task.Task != taskJob:
		return lambda.Reply{}, fmt.Errorf("unknown task %q: want %q", task.Task, taskJob)
	}
	ctx, cancel := host.Answer(ctx, 0)
	defer cancel()
	answers, err := f.answers(ctx)
	if err != nil {
		unavailable := wire.Reply{Status: wire.StatusUnavailable, Message: err.Error()}
		return reply(taskReply{unavailable.Append(nil)})
	}
	encoded := answers.querier.Work(ctx, task.Job)
	if frame := len(`{"reply":""}`); (len(encoded)+2)/3*4+frame > event.MaxAnswerBytes {
		tooLarge := wire.Reply{Status: wire.StatusFailed, Message: fmt.Sprintf("the reply has %d bytes, more than Lambda passes on", len(encoded))}
		encoded = tooLarge.Append(nil)
	}
	return reply(taskReply{encoded})
}
