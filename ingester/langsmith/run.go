package langsmith

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/jsonvalue"
	"github.com/spanlake/spanlake/schema"
)

// run is a run, or what an update says of one, as a client sent it.
type run struct {
	patch bool // an update

	ID          jsonvalue.Value `json:"id"`
	TraceID     jsonvalue.Value `json:"trace_id"`
	ParentRunID jsonvalue.Value `json:"parent_run_id"`
	DottedOrder jsonvalue.Value `json:"dotted_order"`
	Name        jsonvalue.Value `json:"name"`
	RunType     jsonvalue.Value `json:"run_type"`
	StartTime   jsonvalue.Value `json:"start_time"`
	EndTime     jsonvalue.Value `json:"end_time"`
	Inputs      jsonvalue.Value `json:"inputs"`
	Outputs     jsonvalue.Value `json:"outputs"`
	Error       jsonvalue.Value `json:"error"`
	Extra       jsonvalue.Value `json:"extra"`
	Events      jsonvalue.Value `json:"events"`
	Tags        jsonvalue.Value `json:"tags"`
	SessionName jsonvalue.Value `json:"session_name"`

	attachments []attachment
}

// attachment is a file that belongs to a run.
type attachment struct {
	name, contentType string
	content           []byte
	text              string // what the row has of it: a data URI or a reference to a medium
}

// moveOut makes media of the large files of runs: attachments, and data URIs in
// inputs and outputs.
func (b *batch) moveOut(ctx context.Context, media *ingester.Media, project schema.ProjectID) (err error) {
	for _, r := range b.runs {
		for _, field := range [...]*jsonvalue.Value{&r.Inputs, &r.Outputs} {
			if *field, err = media.MoveOut(ctx, project, *field); err != nil {
				return err
			}
		}
		for i := range r.attachments {
			a := &r.attachments[i]
			if a.text, err = media.MoveFile(ctx, project, a.contentType, a.content); err != nil {
				return err
			}
		}
	}
	return nil
}

// read takes what an object says. Fields that came as parts of their own stay, also
// if they came before it. It fails if there is no object.
func (r *run) read(object []byte) error {
	read := run{patch: r.patch}
	if err := json.Unmarshal(object, &read); err != nil {
		return err
	}
	for _, f := range [...]struct{ to, from *jsonvalue.Value }{
		{&read.Inputs, &r.Inputs}, {&read.Outputs, &r.Outputs}, {&read.Error, &r.Error}, {&read.Extra, &r.Extra}, {&read.Events, &r.Events},
	} {
		if !jsonvalue.Absent(*f.from) {
			*f.to = *f.from
		}
	}
	*r = read
	return nil
}

// field is one of the fields that come as parts of their own, nil if it is none
// that is kept.
func (r *run) field(name string) *jsonvalue.Value {
	switch name {
	case "inputs":
		return &r.Inputs
	case "outputs":
		return &r.Outputs
	case "error":
		return &r.Error
	case "extra":
		return &r.Extra
	case "events":
		return &r.Events
	}
	return nil
}

// place is where a run stands, by what it says itself.
type place struct {
	id, trace, parent string // "" where it does not say
	start             uint64 // Unix nanoseconds, 0 likewise
}

// place reads the ids of a run. What is missing is in dotted_order:
// YYYYMMDDTHHMMSSffffffZ and the run's id for each run from the root down to this
// one, joined by dots.
func (r *run) place() place {
	p := place{id: jsonvalue.Text(r.ID), trace: jsonvalue.Text(r.TraceID), parent: jsonvalue.Text(r.ParentRunID), start: jsonvalue.Nanos(r.StartTime)}
	order := jsonvalue.Text(r.DottedOrder)
	if order == "" {
		return p
	}
	root, _, _ := strings.Cut(order, ".")
	rest, last := "", order
	if i := strings.LastIndexByte(order, '.'); i >= 0 {
		rest, last = order[:i], order[i+1:]
	}
	above := rest[strings.LastIndexByte(rest, '.')+1:]
	orderedStart, id := segment(last)
	_, rootID := segment(root)
	_, parentID := segment(above)
	if p.start == 0 {
		p.start = orderedStart
	}
	for _, f := range [...]struct {
		to   *string
		from string
	}{{&p.id, id}, {&p.trace, rootID}, {&p.parent, parentID}} {
		if *f.to == "" {
			*f.to = f.from
		}
	}
	return p
}

const orderTime = "20060102T150405.000000Z"

// segment reads one of dotted_order.
func segment(s string) (start uint64, id string) {
	const length = len(orderTime) - 1 // without the dot that Go wants before microseconds
	if len(s) < length || s[length-1] != 'Z' {
		return 0, ""
	}
	t, err := time.Parse(orderTime, s[:15]+"."+s[15:length])
	if err != nil {
		return 0, ""
	}
	return jsonvalue.NanosOf(t), s[length:]
}
