package langfuse

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spanlake/spanlake/internal/jsonvalue"
)

// event is one of a batch.
type event struct {
	id, kind string
	at       uint64 // when it was made, Unix nanoseconds
	order    uint64 // of the pieces of a span
	body     jsonvalue.Value
}

// envelope is a batch and who sent it.
type envelope struct {
	events []jsonvalue.Value
	sender jsonvalue.Object
}

// errEnvelope means that a request is no batch of events.
var errEnvelope = errors.New("want a JSON object with the events in an array: batch")

func parseEnvelope(body []byte) (envelope, error) {
	var request struct {
		Batch    []jsonvalue.Value `json:"batch"`
		Metadata jsonvalue.Value   `json:"metadata"`
	}
	if err := json.Unmarshal(body, &request); err != nil {
		return envelope{}, fmt.Errorf("%w: %w", errEnvelope, err)
	}
	if request.Batch == nil {
		return envelope{}, errEnvelope
	}
	return envelope{request.Batch, jsonvalue.Pick(request.Metadata, "service.name", "sdk_name", "sdk_version", "sdk_variant")}, nil
}

// Why an event cannot be stored.
var (
	errNoID   = errors.New("the event has no id")
	errNoType = errors.New("the event has no type")
	errNoBody = errors.New("the event has no body, or one that is not an object")
	errType   = errors.New("unknown type of an event")
)

// parseEvent reads an event. One without a time gets that of its arrival.
func parseEvent(v jsonvalue.Value, now time.Time) (event, error) {
	fields := jsonvalue.Pick(v, "id", "type", "timestamp", "body")
	e := event{id: jsonvalue.Text(fields["id"]), kind: jsonvalue.Text(fields["type"]), body: fields["body"]}
	switch {
	case e.id == "":
		return e, errNoID
	case e.kind == "":
		return e, errNoType
	case e.ignored():
		return e, nil
	case len(e.body) == 0 || e.body[0] != '{':
		return e, errNoBody
	}
	e.at = jsonvalue.Nanos(fields["timestamp"])
	if e.at == 0 {
		e.at = jsonvalue.NanosOf(now)
	}
	e.order = e.at + e.tie()
	return e, nil
}

// tie is what makes events of one moment come one after the other, always in the same
// order: SDKs tell milliseconds or microseconds, in which there are several.
func (e *event) tie() uint64 {
	sum := sha256.Sum256([]byte(e.id))
	room := uint64(time.Microsecond)
	if e.at%uint64(time.Millisecond) == 0 {
		room = uint64(time.Millisecond)
	}
	return binary.BigEndian.Uint64(sum[:]) % room
}

// ignored reports whether the event is about nothing that is stored here.
func (e *event) ignored() bool { return e.kind == "sdk-log" || e.kind == "dataset-run-item-create" }

// observation is the type of the observation that the event is about, in lower case,
// "" if it is about none; updates says that it changes one.
func (e *event) observation() (kind string, updates bool) {
	kind, isCreate := strings.CutSuffix(e.kind, "-create")
	if !isCreate {
		if kind, updates = strings.CutSuffix(e.kind, "-update"); !updates {
			return "", false
		}
	}
	if kind == "observation" {
		kind = strings.ToLower(jsonvalue.Text(jsonvalue.At(e.body, "type")))
		if kind == "" {
			kind = kindSpan
		}
	}
	return kind, updates
}
