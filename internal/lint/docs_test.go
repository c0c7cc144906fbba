package lint

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Links, files, packages and benchmarks that the documents name are there.
// Design documents tell of their time, and may name what is gone.
func TestDocumentsNameWhatIsThere(t *testing.T) {
	root := moduleRoot(t)
	files := listFiles(t, root)
	there := map[string]bool{}
	var benchmarks strings.Builder
	for _, name := range files {
		there[name], there[filepath.Base(name)] = true, true
		for dir := filepath.Dir(name); dir != "."; dir = filepath.Dir(dir) {
			there[dir] = true
		}
		if strings.HasSuffix(name, "_test.go") {
			content, err := os.ReadFile(filepath.Join(root, name))
			require.NoError(t, err)
			benchmarks.Write(content)
		}
	}
	link := regexp.MustCompile(`\]\(([^)#: ]+)(#[^)]*)?\)`)
	path := regexp.MustCompile("`((?:cmd|docs|ingester|internal|querier|schema|traceql)/[\\w/.-]+|[a-z_]+\\.go)`")
	benchmark := regexp.MustCompile(`Benchmark[A-Z]\w+`)
	for _, name := range files {
		if filepath.Ext(name) != ".md" || strings.HasPrefix(name, "docs/design/") {
			continue
		}
		content, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		for _, m := range link.FindAllSubmatch(content, -1) {
			require.FileExists(t, filepath.Join(root, filepath.Dir(name), string(m[1])), name)
		}
		for _, m := range path.FindAllSubmatch(content, -1) {
			named := strings.TrimSuffix(string(m[1]), "/")
			require.True(t, there[named] || strings.Contains(named, "NNNN"), "%s names %s", name, named)
		}
		for _, named := range benchmark.FindAll(content, -1) {
			defined := strings.Contains(benchmarks.String(), "\nfunc "+string(named)+"(")
			require.True(t, defined, "%s names %s", name, named)
		}
	}
}
