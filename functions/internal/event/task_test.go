package event_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/functions/internal/event"
)

func TestTask(t *testing.T) {
	for _, text := range []string{`{"task":"flush"}`, " {\n\"task\" : \"flush\" } "} {
		require.NoError(t, event.Task(json.RawMessage(text), "flush"))
	}
	for name, test := range map[string]struct{ event, want string }{
		"another task":   {`{"task":"compact"}`, `task "compact"`},
		"no task":        {`{}`, "no task"},
		"null":           {`null`, "no task"},
		"more":           {`{"task":"flush","force":true}`, "force"},
		"two":            {`{"task":"flush"}{"task":"flush"}`, "something follows"},
		"type":           {`{"task":1}`, "cannot unmarshal"},
		"nothing":        {``, "EOF"},
		"HTTP":           {`{"version":"2.0","rawPath":"/"}`, "version"},
		"rule's default": {`{"version":"0","id":"1","detail-type":"Scheduled Event","source":"aws.events","detail":{}}`, "version"},
		"text":           {`"flush"`, "cannot unmarshal"},
	} {
		t.Run(name, func(t *testing.T) {
			err := event.Task(json.RawMessage(test.event), "flush")
			require.ErrorIs(t, err, event.ErrNotTask)
			require.ErrorContains(t, err, test.want)
			require.ErrorContains(t, err, `have the schedule send {"task":"flush"}`)
		})
	}
}

func FuzzTask(f *testing.F) {
	f.Add([]byte(`{"task":"flush"}`))
	f.Add([]byte(`{"task":"compact","x":[1,{}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := event.Task(text, "flush"); err != nil {
			require.ErrorIs(t, err, event.ErrNotTask)
			return
		}
		var e map[string]string
		require.NoError(t, json.Unmarshal(text, &e))
	})
}
