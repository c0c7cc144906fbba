package block

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spanlake/spanlake/internal/block/parquet"
	"github.com/spanlake/spanlake/schema"
)

// Derivation says by what the derived attributes of a block's rows were made. The
// zero value is that of blocks that do not say it.
type Derivation struct {
	Norm   int      // the version of the rules (llm.Version), the lowest of several
	Tables []string // of prices, sorted, each once
}

// IsZero reports whether nothing is known.
func (d Derivation) IsZero() bool { return d.Norm == 0 && len(d.Tables) == 0 }

// Equal reports whether two are the same.
func (d Derivation) Equal(other Derivation) bool {
	return d.Norm == other.Norm && slices.Equal(d.Tables, other.Tables)
}

// with is what rows of both are made by: what one does not say is not known of the
// whole.
func (d Derivation) with(other Derivation) Derivation {
	if d.IsZero() || other.IsZero() {
		return Derivation{}
	}
	tables := slices.Concat(d.Tables, other.Tables)
	slices.Sort(tables)
	return Derivation{min(d.Norm, other.Norm), slices.Compact(tables)}
}

// note writes it into the footer.
func (d Derivation) note(f *parquet.File) error {
	if d.IsZero() {
		return nil
	}
	if err := f.Note(metaNorm, strconv.Itoa(d.Norm)); err != nil {
		return err
	}
	return f.Note(metaTables, strings.Join(d.Tables, " "))
}

// EncodeDerived is Encode of rows whose derived attributes were made by by, which is
// kept with the block.
func EncodeDerived(project schema.ProjectID, by Derivation, pages ...[]schema.Span) (*Object, error) {
	return encodeBy(project, pages, by, defaultLimits())
}

// Derivation reads the tail once more and returns by what the derived attributes of
// the rows were made, and whether there are any.
func (r *Reader) Derivation(ctx context.Context) (by Derivation, some bool, err error) {
	defer r.guard("tail", &err)
	f, _, err := r.readFooter(ctx)
	if err != nil {
		return by, false, fmt.Errorf("read what a block was derived by: %w", err)
	}
	for _, m := range f.metadata {
		switch m.Key {
		case metaNorm:
			if by.Norm, err = strconv.Atoi(m.Value); err != nil {
				return Derivation{}, false, r.corrupt("footer", r.dir.dataBytes, fmt.Errorf("%s: %w", metaNorm, err), hintRestore)
			}
		case metaTables:
			by.Tables = strings.Fields(m.Value)
		}
	}
	return by, r.derives(), nil
}

// derives reports whether a row has derived attributes: a column of theirs has values.
func (r *Reader) derives() bool {
	for i := range r.dir.columns {
		column := describeColumn(&r.dir.columns[i])
		if column.Scope != "derived" && column.Name != ColumnDerived {
			continue
		}
		for g := range r.dir.groups {
			if !r.dir.groups[g].chunks[i].absent {
				return true
			}
		}
	}
	return false
}
