package block

import (
	"strconv"

	"github.com/spanlake/spanlake/schema"
)

func pageName(p int) string { return "page " + strconv.Itoa(p) }

// textPage is a page of a text column: the text of a row is texts[codes[row]].
// Codes are comparable within the row group if it is shared, else within the
// page.
type textPage struct {
	texts  []string
	codes  []uint32
	shared bool
}

// text is the text of a row, "" for a column that was not read.
func (t *textPage) text(row int) string {
	if t.codes == nil {
		return ""
	}
	return t.texts[t.codes[row]]
}

// code is the code of a row, 0 for a column that was not read.
func (t *textPage) code(row int) uint32 {
	if t.codes == nil {
		return 0
	}
	return t.codes[row]
}

// textPage decodes a page of a text column, valid until the column's next
// page; its strings may be kept.
func (g *groupReader) textPage(id columnID, p int) (textPage, error) {
	if !g.selected(id) {
		return textPage{shared: true}, nil
	}
	if g.group.chunks[id].encoding == encodingCodes {
		codes, err := g.pageCodes(id, p)
		return textPage{texts: g.dicts[id].texts, codes: codes, shared: true}, err
	}
	data, err := g.page(id, p)
	if err != nil {
		return textPage{}, err
	}
	texts, err := splitTexts(data.body, data.rows)
	if err != nil {
		return textPage{}, g.corruptPage(id, p, err)
	}
	codes := resize(&g.scratch.codes[id], data.rows)
	for i := range codes {
		codes[i] = uint32(i)
	}
	return textPage{texts: texts, codes: codes}, nil
}

func (g *groupReader) texts(p int, dst []schema.Span, skip int) error {
	for _, id := range [...]columnID{colName, colStatusMessage, colTraceState} {
		t, err := g.textPage(id, p)
		if err != nil {
			return err
		}
		for i := range dst {
			switch id {
			case colName:
				dst[i].Name = t.text(skip + i)
			case colStatusMessage:
				dst[i].StatusMessage = t.text(skip + i)
			default:
				dst[i].TraceState = t.text(skip + i)
			}
		}
	}
	return nil
}

// resourceKey and scopeKey tell shared values of a row group apart.
type (
	resourceKey struct{ wire, service uint32 }
	scopeKey    struct{ wire, name, version uint32 }
)

// owners sets the resource and the scope of rows: one value for every
// combination of codes.
func (g *groupReader) owners(p int, dst []schema.Span, skip int) error {
	if err := g.resourcesOf(p, dst, skip); err != nil {
		return err
	}
	return g.scopesOf(p, dst, skip)
}

func (g *groupReader) resourcesOf(p int, dst []schema.Span, skip int) error {
	wire, err := g.textPage(colResource, p)
	if err != nil {
		return err
	}
	service, err := g.textPage(colServiceName, p)
	if err != nil {
		return err
	}
	if !wire.shared || !service.shared {
		clear(g.resources)
	}
	var last resourceKey
	for i := range dst {
		row := skip + i
		key := resourceKey{wire.code(row), service.code(row)}
		if i > 0 && key == last {
			dst[i].Resource = dst[i-1].Resource
			continue
		}
		last = key
		resource, ok := g.resources[key]
		if !ok {
			resource = &schema.Resource{Wire: fragment(wire.text(row)), ServiceName: service.text(row)}
			g.resources[key] = resource
		}
		dst[i].Resource = resource
	}
	return nil
}

func (g *groupReader) scopesOf(p int, dst []schema.Span, skip int) error {
	wire, err := g.textPage(colScope, p)
	if err != nil {
		return err
	}
	name, err := g.textPage(colScopeName, p)
	if err != nil {
		return err
	}
	version, err := g.textPage(colScopeVersion, p)
	if err != nil {
		return err
	}
	if !wire.shared || !name.shared || !version.shared {
		clear(g.scopes)
	}
	var last scopeKey
	for i := range dst {
		row := skip + i
		key := scopeKey{wire.code(row), name.code(row), version.code(row)}
		if i > 0 && key == last {
			dst[i].Scope = dst[i-1].Scope
			continue
		}
		last = key
		scope, ok := g.scopes[key]
		if !ok {
			scope = &schema.Scope{Wire: fragment(wire.text(row)), Name: name.text(row), Version: version.text(row)}
			g.scopes[key] = scope
		}
		dst[i].Scope = scope
	}
	return nil
}

// fragment copies a message out of a dictionary, so that keeping it does not
// keep the dictionary. It is nil when empty.
func fragment(text string) []byte {
	if text == "" {
		return nil
	}
	return []byte(text)
}
