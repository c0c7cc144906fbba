package block

import (
	"github.com/spanlake/spanlake/internal/block/cells"
	"github.com/spanlake/spanlake/schema"
)

const (
	// A larger dictionary costs every reader of a few rows too much.
	maxDictBytes = 1 << 20
	// maxHeaderDictBytes is that of whole resources and scopes, which are many
	// times larger than the codes for them.
	maxHeaderDictBytes = 16 << 20
)

// column returns a column of the row group that was gathered. It is asked for
// once.
func (e *encoder) column(i int) cells.Column {
	c := &e.dir.columns[i]
	switch c.attribute.owner {
	case ownerNone:
		return e.fixed(c.id)
	case ownerResource:
		return e.resource(c.attribute)
	default:
		return taken(&e.gathered.columns[i]).Column()
	}
}

// fixed returns a fixed column.
func (e *encoder) fixed(id columnID) cells.Column {
	g := e.gathered
	resources, scopes := &e.survey.resources, &e.survey.scopes
	switch id {
	case colServiceName:
		return ofShared(e, resources, maxDictBytes, func(r *schema.Resource) string { return r.ServiceName })
	case colResource:
		return ofShared(e, resources, maxHeaderDictBytes, func(r *schema.Resource) string { return alias(r.Wire) })
	case colScopeName:
		return ofShared(e, scopes, maxDictBytes, func(s *schema.Scope) string { return s.Name })
	case colScopeVersion:
		return ofShared(e, scopes, maxDictBytes, func(s *schema.Scope) string { return s.Version })
	case colScope:
		return ofShared(e, scopes, maxHeaderDictBytes, func(s *schema.Scope) string { return alias(s.Wire) })
	case colShape:
		return taken(&g.shapes[0]).Column()
	case colDerivedShape:
		return taken(&g.shapes[1]).Column()
	case colAttributes:
		return taken(&g.rests[0]).Column()
	case colDerived:
		return taken(&g.rests[1]).Column()
	case colEventName:
		return taken(&g.names).Column()
	default:
		return e.cells.column(id)
	}
}

// ofShared is a text of the resources or scopes of the rows.
func ofShared[T comparable](e *encoder, table *sharedTable[T], maxDictBytes int, value func(T) string) cells.Column {
	rows := table.codes[e.first:][:e.rows]
	texts := cells.NewPointed(rows, len(table.list), func(n uint32) (string, bool) { return value(table.list[n]), true })
	return texts.Required(maxDictBytes)
}

// resource is the column of an attribute of resources, which only other programs
// read.
func (e *encoder) resource(a attribute) cells.Column {
	s := e.survey
	rows := s.resources.codes[e.first:][:e.rows]
	values := cells.NewPointed(rows, len(s.resources.list), func(n uint32) (string, bool) {
		v, ok := s.resourceValues[n][a]
		return v, ok
	})
	return values.Small(a.kind.cells())
}

// cells is how a column of the kind is gathered.
func (k valueKind) cells() cells.Kind {
	return [numKinds]cells.Kind{kindInt: cells.Int, kindDouble: cells.Double, kindBool: cells.Bool}[k]
}
