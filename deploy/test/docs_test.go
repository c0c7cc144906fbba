package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The files of the page on the single binary are ones that the program takes,
// and its unit starts the program with them.
func TestSingleBinary(t *testing.T) {
	page, err := os.ReadFile("../../docs/deploy/single.md")
	require.NoError(t, err)
	config := regexp.MustCompile("(?s)```yaml\n# (\\S+)\n(.*?)```").FindStringSubmatch(string(page))
	require.NotNil(t, config)
	unit := regexp.MustCompile(`(?m)^ExecStart=\S+ serve -config\.file=(\S+)$`).FindStringSubmatch(string(page))
	require.NotNil(t, unit)
	require.Equal(t, config[1], unit[1])

	file := filepath.Join(t.TempDir(), "spanlake.yaml")
	require.NoError(t, os.WriteFile(file, []byte(config[2]), 0o600))
	out, err := exec.CommandContext(t.Context(), program, "config", "-config.file="+file).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "default: 30d")

	folder := regexp.MustCompile(`(?m)^StateDirectory=(\S+)$`).FindStringSubmatch(string(page))
	require.NotNil(t, folder)
	require.Contains(t, config[2], "data_dir: /var/lib/"+folder[1]+"\n")
}

// Files that the pages name are there.
func TestLinks(t *testing.T) {
	pages, err := filepath.Glob("../../docs/deploy/*.md")
	require.NoError(t, err)
	require.NotEmpty(t, pages)
	for _, page := range pages {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, link := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(string(text), -1) {
			target, anchor, _ := strings.Cut(link[1], "#")
			file := filepath.Join(filepath.Dir(page), target)
			if target == "" {
				file = page
			}
			linked, err := os.ReadFile(file)
			require.NoError(t, err, "%s in %s", link[1], page)
			require.True(t, anchor == "" || hasHeading(string(linked), anchor), "%s in %s", link[1], page)
		}
		for _, file := range regexp.MustCompile(`-f (deploy/\S+)`).FindAllStringSubmatch(string(text), -1) {
			require.FileExists(t, filepath.Join("../..", file[1]))
		}
	}
}

// hasHeading reports whether a page has a heading with an anchor, as GitHub forms
// them.
func hasHeading(page, anchor string) bool {
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(page, -1) {
		formed := strings.ReplaceAll(strings.ToLower(heading[1]), " ", "-")
		if regexp.MustCompile(`[^\w-]`).ReplaceAllString(formed, "") == anchor {
			return true
		}
	}
	return false
}
