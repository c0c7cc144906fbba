package main

import (
	"fmt"
	"io"
)

// verifyReport is what "blocks verify" finds. Lists are in the order of keys.
type verifyReport struct {
	RowsCompared bool           `json:"rows_compared"` // not only checksums
	Blocks       int            `json:"blocks"`        // that were read
	Good         blockSum       `json:"good"`
	Damaged      []damagedBlock `json:"damaged"`
	Failed       []failedBlock  `json:"failed"`
	Gone         []goneBlock    `json:"gone"`
}

type damagedBlock struct {
	Key       string         `json:"key"`
	Spans     uint64         `json:"spans"`
	CoveredBy string         `json:"covered_by,omitempty"` // the block that hides this one, so nothing is lost
	Damage    []damageReport `json:"damage"`
}

// failedBlock is a block that could not be read to its end.
type failedBlock struct {
	Key   string `json:"key"`
	Error string `json:"error"`
}

// goneBlock is a block that was removed between listing and reading.
type goneBlock struct {
	Key       string `json:"key"`
	Spans     uint64 `json:"spans"`
	CoveredBy string `json:"covered_by,omitempty"` // the block that replaces it
}

// err is what the command fails with.
func (r *verifyReport) err() error {
	switch bad, all := len(r.Damaged), r.Blocks+len(r.Failed); {
	case bad > 0 && len(r.Failed) > 0:
		return fmt.Errorf("%d of %d blocks are damaged, %d could not be read", bad, all, len(r.Failed))
	case bad > 0:
		return fmt.Errorf("%d of %d blocks are damaged", bad, all)
	case len(r.Failed) > 0:
		return fmt.Errorf("%d of %d blocks could not be read", len(r.Failed), all)
	}
	return nil
}

// print writes the sum. What was found is printed when it is.
func (r *verifyReport) print(w io.Writer) error {
	what := "checksums and rows"
	if !r.RowsCompared {
		what = "checksums only"
	}
	_, err := fmt.Fprintf(w, "%s verified (%s): %d good with %s in %s, %d damaged, %d not read, %d gone\n",
		counted(r.Blocks, "block"), what, r.Good.Blocks, counted(int(r.Good.Spans), "span"), formatBytes(r.Good.Bytes), len(r.Damaged), len(r.Failed), len(r.Gone))
	return err
}

func (b *damagedBlock) print(w io.Writer) {
	fmt.Fprintf(w, "DAMAGED %s\n", b.Key)
	if b.CoveredBy != "" {
		fmt.Fprintf(w, "  queries do not read it: it is hidden by %s\n", b.CoveredBy)
	}
	hint := ""
	for i, d := range b.Damage {
		if i > 0 && d.Hint != hint {
			fmt.Fprintf(w, "    %s\n", hint)
		}
		fmt.Fprintf(w, "  %s at offset %d: %s\n", d.Section, d.Offset, d.Reason)
		hint = d.Hint
	}
	fmt.Fprintf(w, "    %s\n", hint)
}

func (b *failedBlock) print(w io.Writer) {
	fmt.Fprintf(w, "NOT READ %s\n  %s\n", b.Key, b.Error)
}

func (b *goneBlock) print(w io.Writer) {
	fmt.Fprintf(w, "gone %s\n", b.Key)
	if b.CoveredBy != "" {
		fmt.Fprintf(w, "  replaced by %s\n", b.CoveredBy)
	} else {
		fmt.Fprintln(w, "  no block has its positions: was it removed on purpose?")
	}
}
