package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// built is a folder with a binary for two platforms: this test's own, which
// notes its modules as every Go binary does.
func built(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	binary, err := os.ReadFile(self)
	require.NoError(t, err)
	from := t.TempDir()
	for _, platform := range []string{"linux_amd64", "darwin_arm64"} {
		require.NoError(t, os.Mkdir(filepath.Join(from, platform), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(from, platform, program), binary, 0o600))
	}
	return from
}

func testConfig(t *testing.T) config {
	t.Helper()
	text := filepath.Join(t.TempDir(), "LICENSE")
	require.NoError(t, os.WriteFile(text, []byte("terms"), 0o600))
	return config{version: "v1.2.3", epoch: 1_700_000_000, from: built(t), to: t.TempDir(), texts: []string{text}}
}

func TestRelease(t *testing.T) {
	cfg := testConfig(t)
	require.NoError(t, run(cfg, moduleFolders))
	sums, err := os.ReadFile(filepath.Join(cfg.to, "SHA256SUMS"))
	require.NoError(t, err)
	var names []string
	for line := range strings.Lines(string(sums)) {
		sum, name, found := strings.Cut(strings.TrimSpace(line), "  ")
		require.True(t, found)
		data, err := os.ReadFile(filepath.Join(cfg.to, name))
		require.NoError(t, err)
		have := sha256.Sum256(data)
		require.Equal(t, sum, hex.EncodeToString(have[:]))
		names = append(names, name)
	}
	require.Equal(t, []string{
		"spanlake_1.2.3_darwin_arm64.tar.gz", "spanlake_1.2.3_darwin_arm64.spdx.json",
		"spanlake_1.2.3_linux_amd64.tar.gz", "spanlake_1.2.3_linux_amd64.spdx.json",
	}, names)

	files := unpack(t, filepath.Join(cfg.to, "spanlake_1.2.3_linux_amd64.tar.gz"))
	require.Len(t, files, 3)
	require.Equal(t, "terms", string(files["spanlake_1.2.3_linux_amd64/LICENSE"]))
	notices := string(files["spanlake_1.2.3_linux_amd64/NOTICES"])
	require.Contains(t, notices, "\nstd go1.")
	require.Contains(t, notices, "The Go Authors")

	requireSameAgain(t, cfg, sums)
}

// requireSameAgain: the same binaries give the same bytes.
func requireSameAgain(t *testing.T, cfg config, sums []byte) {
	t.Helper()
	cfg.to = t.TempDir()
	require.NoError(t, run(cfg, moduleFolders))
	same, err := os.ReadFile(filepath.Join(cfg.to, "SHA256SUMS"))
	require.NoError(t, err)
	require.Equal(t, string(sums), string(same))
}

// TestFunctions packs a function for two processors.
func TestFunctions(t *testing.T) {
	cfg := testConfig(t)
	for from, to := range map[string]string{"linux_amd64": "ingest_linux_amd64", "darwin_arm64": "ingest_linux_arm64"} {
		require.NoError(t, os.Rename(filepath.Join(cfg.from, from), filepath.Join(cfg.from, to)))
		require.NoError(t, os.Rename(filepath.Join(cfg.from, to, program), filepath.Join(cfg.from, to, bootstrap)))
	}
	require.NoError(t, run(cfg, moduleFolders))
	const name = "spanlake-ingest_1.2.3_linux_arm64.zip"
	sums, err := os.ReadFile(filepath.Join(cfg.to, "SHA256SUMS"))
	require.NoError(t, err)
	require.Contains(t, string(sums), "  "+name+"\n")
	require.Contains(t, string(sums), "  spanlake-ingest_1.2.3_linux_amd64.spdx.json\n")
	packed, err := zip.OpenReader(filepath.Join(cfg.to, name))
	require.NoError(t, err)
	defer func() { require.NoError(t, packed.Close()) }()
	var names []string
	for _, f := range packed.File {
		names = append(names, f.Name)
		require.Equal(t, int64(1_700_000_000), f.Modified.Unix())
		require.Equal(t, f.Name == bootstrap, f.Mode() == 0o755, f.Mode())
	}
	require.Equal(t, []string{bootstrap, "NOTICES", "LICENSE"}, names)

	requireSameAgain(t, cfg, sums)
}

// unpack returns the files of an archive and checks what must not depend on
// the machine.
func unpack(t *testing.T, path string) map[string][]byte {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	gz, err := gzip.NewReader(f)
	require.NoError(t, err)
	require.True(t, gz.ModTime.IsZero())
	files := map[string][]byte{}
	for r := tar.NewReader(gz); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		require.NoError(t, err)
		require.Zero(t, header.Uid+header.Gid)
		require.Empty(t, header.Uname+header.Gname)
		require.Equal(t, int64(1_700_000_000), header.ModTime.Unix())
		if strings.HasSuffix(header.Name, "/"+program) {
			require.EqualValues(t, 0o755, header.Mode)
		}
		files[header.Name], err = io.ReadAll(r)
		require.NoError(t, err)
	}
}

func TestReleaseFails(t *testing.T) {
	cfg := testConfig(t)
	require.ErrorContains(t, run(config{from: t.TempDir()}, moduleFolders), "no binaries")
	none := func() (map[string]string, error) { return map[string]string{}, nil }
	require.ErrorContains(t, run(cfg, none), "licence of std: its source is not here")
	broken := errors.New("broken")
	require.ErrorIs(t, run(cfg, func() (map[string]string, error) { return nil, broken }), broken)
	cfg.texts = []string{"none"}
	require.ErrorIs(t, run(cfg, moduleFolders), os.ErrNotExist)
	require.NoError(t, os.WriteFile(filepath.Join(cfg.from, "linux_amd64", program), []byte("#!/bin/sh"), 0o600))
	require.ErrorContains(t, run(cfg, moduleFolders), "pack")
}

func TestBill(t *testing.T) {
	info := &debug.BuildInfo{
		GoVersion: "go1.26.0", Main: debug.Module{Path: "github.com/spanlake/spanlake"},
		Deps: []*debug.Module{
			{Path: "github.com/A/b", Version: "v1.0.0", Sum: "h1:x="},
			{Path: "example.com/old", Version: "v1.0.0", Replace: &debug.Module{Path: "example.com/new", Version: "v2.0.0+incompatible"}},
		},
	}
	bill, err := sbom("spanlake_1.2.3_linux_amd64", "v1.2.3", time.Unix(0, 0).UTC(), info, sha256.Sum256(nil))
	require.NoError(t, err)
	var document spdxDocument
	require.NoError(t, json.Unmarshal(bill, &document))
	require.Equal(t, "SPDX-2.3", document.Version)
	require.Equal(t, "1970-01-01T00:00:00Z", document.Creation.Created)
	var packages []string
	ids := map[string]bool{document.ID: true}
	for _, p := range document.Packages {
		packages = append(packages, p.References[0].Locator)
		require.False(t, ids[p.ID], "ids are unique")
		ids[p.ID] = true
	}
	require.Equal(t, []string{
		"pkg:golang/github.com/spanlake/spanlake@v1.2.3", "pkg:golang/stdlib@1.26.0",
		"pkg:golang/github.com/a/b@v1.0.0", "pkg:golang/example.com/new@v2.0.0%2Bincompatible",
	}, packages)
	require.Len(t, document.Relationships, 4)
	for _, r := range document.Relationships {
		require.True(t, ids[r.Element] && ids[r.Related], fmt.Sprint(r))
	}
	require.Equal(t, fmt.Sprintf("%x", sha256.Sum256(nil)), document.Packages[0].Checksums[0].Value)
	require.Equal(t, "go.sum: h1:x=", document.Packages[2].Comment)
	require.True(t, bytes.HasSuffix(bill, []byte("}\n")))
}

// A module may name its licence in its readme only, and must name one.
func TestNotices(t *testing.T) {
	dir := t.TempDir()
	write := func(module, name, text string) {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, module), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, module, name), []byte(text), 0o600))
	}
	write("std", "LICENSE", "go")
	write("a", "LICENCE.md", "terms of a\n\n")
	write("a", "NOTICE", "notice of a")
	write("a", "license.go", "package a")
	write("a", "README.md", "about a")
	write("b", "README", "b is MIT")
	write("c", "c.go", "package c")
	dirs := map[string]string{}
	for _, module := range []string{"std", "a", "b", "c"} {
		dirs[module] = filepath.Join(dir, module)
	}
	info := &debug.BuildInfo{GoVersion: "go1", Deps: []*debug.Module{{Path: "a", Version: "v1"}, {Path: "b", Version: "v2"}}}
	text, err := notices(info, dirs)
	require.NoError(t, err)
	line := strings.Repeat("=", 80)
	require.Equal(t, "spanlake contains the following software.\n"+
		"\n"+line+"\nstd go1\n\ngo\n"+
		"\n"+line+"\na v1\n\nterms of a\n\nnotice of a\n"+
		"\n"+line+"\nb v2\n\nb is MIT\n", string(text))

	info.Deps = append(info.Deps, &debug.Module{Path: "c"})
	_, err = notices(info, dirs)
	require.EqualError(t, err, "licence of c: there is none")
}
