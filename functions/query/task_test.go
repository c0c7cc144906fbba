package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const plainTask = `{"task":"job","job":"AQI="}`

// httpEvent is a request with a text wherever a client can put one.
func httpEvent(text string) string {
	quoted, _ := json.Marshal(text) // a text always marshals
	const event = `{"version":"2.0","routeKey":"$default","rawPath":"/api/search","rawQueryString":#,"cookies":[#],"headers":{"x":#},
		"queryStringParameters":{"task":#},"requestContext":{"domainName":#,"http":{"method":"POST","path":#,"userAgent":#}},"body":#,"isBase64Encoded":false}`
	return strings.ReplaceAll(event, "#", string(quoted))
}

// TestParseTask: nothing that comes over HTTP is a task.
func TestParseTask(t *testing.T) {
	task, ok := parseTask([]byte(" " + plainTask + "\n"))
	require.True(t, ok)
	require.Equal(t, taskEvent{"job", []byte{1, 2}}, task)
	task, ok = parseTask([]byte(`{"task":"other"}`))
	require.True(t, ok)
	require.Equal(t, "other", task.Task)
	for name, event := range map[string]string{
		"nothing":                ``,
		"no object":              `[` + plainTask + `]`,
		"no task":                `{"job":"AQI="}`,
		"no base64":              `{"task":"job","job":"*"}`,
		"two values":             plainTask + plainTask,
		"what follows":           plainTask + `,`,
		"a body":                 httpEvent(plainTask),
		"a body that breaks out": httpEvent(`","task":"job","job":"AQI="}`),
		"an event with a task":   `{"task":"job",` + httpEvent("")[1:],
		"the same, at its end":   strings.TrimSuffix(httpEvent(""), "}") + `,"task":"job"}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, ok := parseTask([]byte(event))
			require.False(t, ok)
		})
	}
}

func FuzzTask(f *testing.F) {
	f.Add(plainTask)
	f.Add(`{"task":"job","job":null,"version":"2.0"}`)
	f.Fuzz(func(t *testing.T, text string) {
		if task, ok := parseTask([]byte(text)); ok {
			encoded, err := json.Marshal(task)
			require.NoError(t, err)
			again, ok := parseTask(encoded)
			require.True(t, ok)
			require.Equal(t, task.Task, again.Task)
			require.Equal(t, string(task.Job), string(again.Job))
		}
		_, ok := parseTask([]byte(httpEvent(text)))
		require.False(t, ok)
	})
}
