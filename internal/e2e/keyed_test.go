package e2e_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// keyed is what a program is told of a server that asks for keys.
type keyed struct{ http, grpc, public, secret string }

// makeKey makes a project and a key that may write to it and read it.
func makeKey(t *testing.T, dir string, place place, project string) (at keyed) {
	t.Helper()
	where := []string{"-data-dir=" + dir, "-bucket=" + place.url}
	code, _, stderr := runProgram(t, append([]string{"project", "create", project}, where...)...)
	require.Zero(t, code, stderr)
	code, stdout, stderr := runProgram(t, append([]string{"project", "add-key", project, "-scopes=ingest,query", "-output=json"}, where...)...)
	require.Zero(t, code, stderr)
	var key struct{ Public, Secret string }
	require.NoError(t, json.Unmarshal([]byte(stdout), &key))
	return keyed{public: key.Public, secret: key.Secret}
}
