package lint

import (
	"bytes"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// maxLines of a source file. Whoever reaches it looks for the seam.
const maxLines = 600

// machinePath is a path that exists on somebody's machine only. The separators
// before it tell it from the end of a longer path or URL.
func machinePath() *regexp.Regexp {
	return regexp.MustCompile(`(^|[^\w./~-])/(root|work|home|Users)/\w[^\s"'` + "`" + `)]*`)
}

// registryHost names a server that packages are downloaded from: which one is
// the business of whoever builds.
func registryHost() *regexp.Regexp {
	return regexp.MustCompile(`(?i)\b(proxy|sum|index)\.golang\.` + `org|\bregistry\.(npmjs|yarnpkg)\.\w+|` +
		`\b(files\.pythonhosted|pypi)\.org|\b(static|index)\.crates\.io|\b(artifactory|nexus|goproxy)\.[\w.-]+`)
}

// checkText returns what is wrong with the content of a file; private are
// texts that only occur on this machine. Binary files pass.
func checkText(name string, content []byte, private []string) (faults []string) {
	if bytes.IndexByte(content, 0) >= 0 {
		return nil
	}
	path, host := machinePath(), registryHost()
	for i, line := range strings.Split(string(content), "\n") {
		found := path.FindString(line) + host.FindString(line)
		for _, text := range private {
			if found == "" && strings.Contains(line, text) {
				found = text
			}
		}
		if found != "" {
			faults = append(faults, fmt.Sprintf("%s:%d holds %q, which means nothing elsewhere", name, i+1, strings.TrimSpace(found)))
		}
	}
	if lines := bytes.Count(content, []byte("\n")); lines > maxLines && isSource(name) {
		faults = append(faults, fmt.Sprintf("%s has %d lines, more than %d", name, lines, maxLines))
	}
	return faults
}

func isSource(name string) bool {
	switch filepath.Ext(name) {
	case ".go":
		return !strings.HasSuffix(name, "_gen.go")
	case ".sh", ".tf", ".yml", ".yaml":
		return true
	default:
		return filepath.Base(name) == "Makefile"
	}
}
