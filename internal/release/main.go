// Command release packs binaries that were built before into what is published:
// an archive for each platform with the licences of everything that is linked,
// a bill of materials for each, and the checksums of all of them. The same
// binaries give the same bytes. "make release" runs it, and "make functions" for
// the zips that AWS Lambda takes.
package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// program is the name of the binary and the beginning of every archive's name.
const program = "spanlake"

// bootstrap is what AWS Lambda calls the binary of a function.
const bootstrap = "bootstrap"

// config is the command line.
type config struct {
	version string
	epoch   int64
	from    string
	to      string
	texts   []string // files that go into every archive
}

func main() {
	var cfg config
	flag.StringVar(&cfg.version, "version", "dev", "version of the release")
	flag.Int64Var(&cfg.epoch, "epoch", 0, "time of everything that is written, Unix seconds")
	flag.StringVar(&cfg.from, "from", "", "folder with <os>_<arch>/"+program+" for each platform, or <function>_<os>_<arch>/"+bootstrap)
	flag.StringVar(&cfg.to, "to", "dist", "folder to write to")
	flag.Parse()
	cfg.texts = flag.Args()
	if err := run(cfg, moduleFolders); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// run writes archives, bills and checksums. folders tells where the source of
// each module lies.
func run(cfg config, folders func() (map[string]string, error)) error {
	platforms, err := filepath.Glob(filepath.Join(cfg.from, "*", program))
	functions, functionsErr := filepath.Glob(filepath.Join(cfg.from, "*", bootstrap))
	if platforms = append(platforms, functions...); len(platforms) == 0 {
		return errors.Join(fmt.Errorf("no binaries in %s", cfg.from), err, functionsErr)
	}
	dirs, err := folders()
	if err != nil {
		return fmt.Errorf("find the modules: %w", err)
	}
	if err := os.MkdirAll(cfg.to, 0o750); err != nil {
		return err
	}
	var sums strings.Builder
	for _, path := range platforms { // sorted by Glob
		if err := cfg.pack(path, dirs, &sums); err != nil {
			return fmt.Errorf("pack %s: %w", path, err)
		}
	}
	return os.WriteFile(filepath.Join(cfg.to, "SHA256SUMS"), []byte(sums.String()), 0o644)
}

// pack writes what is published for one platform.
func (cfg *config) pack(path string, dirs map[string]string, sums *strings.Builder) error {
	binary, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	info, err := buildinfo.Read(bytes.NewReader(binary))
	if err != nil {
		return err
	}
	notices, err := notices(info, dirs)
	if err != nil {
		return err
	}
	files := []file{{filepath.Base(path), 0o755, binary}, {"NOTICES", 0o644, notices}}
	for _, text := range cfg.texts {
		data, err := os.ReadFile(text)
		if err != nil {
			return err
		}
		files = append(files, file{filepath.Base(text), 0o644, data})
	}
	name, ending, pack := cfg.form(path)
	when := time.Unix(cfg.epoch, 0).UTC()
	archived, err := pack(name, when, files)
	if err != nil {
		return err
	}
	bill, err := sbom(name, cfg.version, when, info, sha256.Sum256(binary))
	if err != nil {
		return err
	}
	return errors.Join(
		cfg.write(name+ending, archived, sums),
		cfg.write(name+".spdx.json", bill, sums))
}

// form is how a binary is published: under which name and in what.
func (cfg *config) form(path string) (name, ending string, pack func(string, time.Time, []file) ([]byte, error)) {
	version, of := strings.TrimPrefix(cfg.version, "v"), filepath.Base(filepath.Dir(path))
	if filepath.Base(path) != bootstrap {
		return fmt.Sprintf("%s_%s_%s", program, version, of), ".tar.gz", archive
	}
	function, platform, _ := strings.Cut(of, "_")
	return fmt.Sprintf("%s-%s_%s_%s", program, function, version, platform), ".zip", zipped
}

// write writes a file and adds its line to the checksums.
func (cfg *config) write(name string, data []byte, sums *strings.Builder) error {
	sum := sha256.Sum256(data)
	fmt.Fprintf(sums, "%s  %s\n", hex.EncodeToString(sum[:]), name)
	return os.WriteFile(filepath.Join(cfg.to, name), data, 0o644)
}
