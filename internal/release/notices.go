package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
)

// standardLibrary is the path that moduleFolders gives the Go distribution.
const standardLibrary = "std"

// notice matches the files that a module's licence asks to pass on.
var notice = regexp.MustCompile(`(?i)^(licen[cs]e|copying|copyright|notice|patents|authors)([._-].*)?$`)

// readme matches where a module without such a file names its licence.
var readme = regexp.MustCompile(`(?i)^readme(\..*)?$`)

// notices returns the licences and notices of everything that is linked, module
// by module. It fails for a module that has none, because it could not be
// published then.
func notices(info *debug.BuildInfo, dirs map[string]string) ([]byte, error) {
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s contains the following software.\n", program)
	modules := append([]*debug.Module{{Path: standardLibrary, Version: info.GoVersion}}, linked(info)...)
	for _, m := range modules {
		texts, err := filesOf(dirs[m.Path], notice)
		if err == nil && len(texts) == 0 {
			texts, err = filesOf(dirs[m.Path], readme)
		}
		if err == nil && len(texts) == 0 {
			err = errors.New("there is none")
		}
		if err != nil {
			return nil, fmt.Errorf("licence of %s: %w", m.Path, err)
		}
		fmt.Fprintf(&out, "\n%s\n%s %s\n", bytes.Repeat([]byte("="), 80), m.Path, m.Version)
		for _, text := range texts {
			fmt.Fprintf(&out, "\n%s\n", bytes.TrimSpace(text))
		}
	}
	return out.Bytes(), nil
}

// filesOf returns the files of a module's folder that match, in the order of
// their names.
func filesOf(dir string, pattern *regexp.Regexp) ([][]byte, error) {
	if dir == "" {
		return nil, errors.New("its source is not here")
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var texts [][]byte
	for _, e := range entries {
		if !e.Type().IsRegular() || !pattern.MatchString(e.Name()) || filepath.Ext(e.Name()) == ".go" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, nil
}

// moduleFolders asks the go command where the source of every module is.
func moduleFolders() (map[string]string, error) {
	ctx := context.Background()
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	list, err := exec.CommandContext(ctx, "go", "list", "-m", "-json", "all").Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	dirs := map[string]string{standardLibrary: string(bytes.TrimSpace(root))}
	decoder := json.NewDecoder(bytes.NewReader(list))
	for {
		var m struct {
			Path, Dir string
			Replace   *struct{ Path string }
		}
		if err := decoder.Decode(&m); errors.Is(err, io.EOF) {
			return dirs, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		if m.Replace != nil {
			m.Path = m.Replace.Path
		}
		dirs[m.Path] = m.Dir
	}
}
