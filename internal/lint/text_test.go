package lint

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTexts(t *testing.T) {
	root := moduleRoot(t)
	private := append(registries(t), root+"/")
	files := listFiles(t, root)
	require.NotEmpty(t, files)
	for _, name := range files {
		content, err := os.ReadFile(filepath.Join(root, name))
		if os.IsNotExist(err) {
			continue // deleted, but still known to git
		}
		require.NoError(t, err)
		for _, fault := range checkText(name, content, private) {
			t.Error(fault)
		}
	}
}

// listFiles returns what is, or is about to be, in the repository: paths
// within root. Without git, as in an unpacked archive, it is everything.
func listFiles(t *testing.T, root string) (files []string) {
	t.Helper()
	git := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	git.Dir = root
	everything := walk(t, root)
	if out, err := git.Output(); err == nil {
		return strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 })
	}
	return everything
}

// walk returns all files below root. Besides, it tells go test which folders a
// test depends on: without it a cached result would outlive a change.
func walk(t *testing.T, root string) (files []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != root && (entry.Name() == ".git" || entry.Name() == "bin"):
			return filepath.SkipDir
		case entry.Type().IsRegular():
			name, err := filepath.Rel(root, path)
			files = append(files, name)
			return err
		}
		return nil
	}))
	return files
}

// registries returns the hosts that this machine downloads modules from.
func registries(t *testing.T) (hosts []string) {
	t.Helper()
	for _, setting := range strings.FieldsFunc(string(run(t, ".", "go", "env", "GOPROXY")), isListSeparator) {
		if u, err := url.Parse(setting); err == nil && u.Host != "" {
			hosts = append(hosts, u.Host)
		}
	}
	return hosts
}

func isListSeparator(r rune) bool { return strings.ContainsRune(",|\n", r) }

func TestCheckText(t *testing.T) {
	for _, test := range []struct {
		name, file, content string
		want                int
	}{
		{"nothing", "a.go", "package a\n", 0},
		{"path", "a.md", "see /" + "home/me/notes and\n`/" + "root/go`\n", 2},
		{"end of a path", "a.md", "https://example.com/" + "home/page ./" + "root/x ~/wo" + "rk/y\n", 0},
		{"registry", "a.yml", "url: https://registry.npmjs." + "org/x\n", 1},
		{"private", "a.txt", "on build-7.example\n", 1},
		{"binary", "a.bin", "/" + "home/me/\x00", 0},
		{"long", "a.go", strings.Repeat("\n", maxLines+1), 1},
		{"as long as may be", "a.go", strings.Repeat("\n", maxLines), 0},
		{"long but generated", "a_gen.go", strings.Repeat("\n", maxLines+1), 0},
		{"long but no source", "a.json", strings.Repeat("\n", maxLines+1), 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.Len(t, checkText(test.file, []byte(test.content), []string{"build-7.example"}), test.want)
		})
	}
}
