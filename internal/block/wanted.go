package block

import (
	"slices"

	"github.com/spanlake/spanlake/internal/vec"
)

// wanted says what to read of rows.
type wanted struct {
	vec.Columns

	// base are the columns that every row is read from, has which of the
	// catalogue these are.
	base []int
	has  [numColumns]bool
	// spans and derived say where the attributes come from.
	spans, derived wantedAttributes
}

// wantedAttributes are the attributes of one owner to read.
type wantedAttributes struct {
	owner       owner
	shape, rest columnID
	all         bool     // as sent
	keys        []string // otherwise those of these keys: sorted
	columns     []int    // of the keys
}

// wanted finds the columns of a selection.
func (r *Reader) wanted(columns vec.Columns) *wanted {
	w := &wanted{
		Columns: columns,
		spans:   wantedAttributes{owner: ownerSpan, shape: colShape, rest: colAttributes, all: columns.Attributes},
		derived: wantedAttributes{owner: ownerDerived, shape: colDerivedShape, rest: colDerived, all: columns.Attributes},
	}
	ids := []columnID{colStart, colDuration, colSpanID}
	if columns.Bare {
		for _, key := range columns.Intrinsics {
			switch id := intrinsicColumn(key); {
			case key == vec.ParentID:
				ids = append(ids, colParentSpanID)
			case id == colScopeName, id == colScopeVersion: // read together
				ids = append(ids, colScopeName, colScopeVersion)
			default:
				ids = append(ids, id)
			}
		}
	} else {
		ids = append(ids, colParentSpanID, colName, colKind, colStatusCode, colStatusMessage,
			colServiceName, colScopeName, colScopeVersion)
	}
	for _, more := range []struct {
		wanted bool
		ids    []columnID
	}{
		{columns.Resource, []columnID{colServiceName, colResource}},
		{columns.Scope, []columnID{colScopeName, colScopeVersion, colScope}},
		{columns.Events, []columnID{colEvents}},
		{columns.Links, []columnID{colLinks}},
		{columns.Rest, []columnID{colTraceState, colFlags, colPosition, colFragment, colFragmentTime, colRest}},
	} {
		if more.wanted {
			ids = append(ids, more.ids...)
		}
	}
	for _, id := range ids {
		if id < numColumns && !w.has[id] {
			w.has[id] = true
			w.base = append(w.base, r.columns.fixed[id])
		}
	}
	for _, a := range []*wantedAttributes{&w.spans, &w.derived} {
		if !a.all {
			a.keys = slices.Compact(slices.Sorted(slices.Values(columns.Keys)))
			for _, key := range a.keys {
				a.columns = append(a.columns, r.columns.byKey[attributeKey{a.owner, key}]...)
			}
		}
	}
	return w
}

// restKeys are the keys that may be outside of columns in the row group.
func (a *wantedAttributes) restKeys(g *rowGroup) []string {
	var keys []string
	for _, key := range a.keys {
		if g.keys[a.owner].mayHave(key) {
			keys = append(keys, key)
		}
	}
	return keys
}
