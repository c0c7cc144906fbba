package app

import (
	"strings"

	"github.com/spanlake/spanlake/querier"
)

// grafanaVersion is the version of the Tempo API that is answered: Grafana
// versions that ask compare it to decide what they may use.
const grafanaVersion = "2.10.0"

func (a *App) buildInfo() querier.BuildInfo {
	return querier.BuildInfo{
		Version:  grafanaVersion + "+spanlake." + semverLabel(a.cfg.Version),
		Revision: a.cfg.Revision,
	}
}

// semverLabel makes a version fit into the build part of a semantic version.
func semverLabel(version string) string {
	label := strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r == '-', r == '.':
			return r
		}
		return '-'
	}, strings.TrimPrefix(version, "v"))
	return orWord(label, "dev")
}
