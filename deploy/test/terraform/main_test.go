package terraform_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// bin holds the programs, built from this tree: spanlake, nats-server, and the
// functions as function-<name>.
var bin string

const tree = "../../.."

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "spanlake-terraform-*")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }()
		bin = dir
		if err := buildAll(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// functionNames are the functions that this tree has.
func functionNames() (names []string, err error) {
	mains, err := filepath.Glob(filepath.Join(tree, "functions", "*", "main.go"))
	for _, file := range mains {
		names = append(names, filepath.Base(filepath.Dir(file)))
	}
	return names, err
}

func buildAll() error {
	programs := map[string]string{"spanlake": "./cmd/spanlake", "nats-server": "github.com/nats-io/nats-server/v2"}
	functions, err := functionNames()
	if err != nil {
		return err
	}
	for _, name := range functions {
		programs["function-"+name] = "./functions/" + name
	}
	for name, path := range programs {
		build := exec.CommandContext(context.Background(), "go", "build", "-tags", "lambda.norpc", "-o", filepath.Join(bin, name), path)
		build.Dir = tree
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", path, err, out)
		}
	}
	return nil
}

// spanlake runs the program.
func spanlake(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), filepath.Join(bin, "spanlake"), args...).CombinedOutput()
	return string(out), err
}
