package querier_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/querier"
)

func TestBuildInfo(t *testing.T) {
	for version, want := range map[string]string{
		"v1.2.3":                             "2.10.0+spanlake.1.2.3",
		"":                                   "2.10.0+spanlake.dev",
		"v0.0.0-20260101000000-abcdef+dirty": "2.10.0+spanlake.0.0.0-20260101000000-abcdef-dirty",
		"a/b_c":                              "2.10.0+spanlake.a-b-c",
	} {
		require.Equal(t, querier.BuildInfo{Version: want, Revision: "r"}, querier.NewBuildInfo(version, "r"))
	}
}
