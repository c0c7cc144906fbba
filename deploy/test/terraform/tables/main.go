// Command tables writes what is generated of the module in terraform/: the tables of
// its pages, and what modules/plan makes of an example.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spanlake/spanlake/deploy/test/terraform"
)

func main() {
	if err := run(terraform.Root); err != nil {
		fmt.Fprintln(os.Stderr, "tables:", err)
		os.Exit(1)
	}
}

func run(root string) error {
	files, err := terraform.Files(root)
	if err != nil {
		return err
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(root, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
