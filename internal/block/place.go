package block

import (
	"slices"

	"github.com/spanlake/spanlake/internal/block/encoding"
	"github.com/spanlake/spanlake/internal/block/verdict"
	"github.com/spanlake/spanlake/internal/vec"
)

// probe is a predicate in one row group: the places where its field's value may
// stand. For each row the first place that has a value decides.
type probe struct {
	predicate *vec.Predicate
	places    []place
	cost      int
}

// place is a column that may hold values of a predicate's field.
type place struct {
	column int
	rank   int // the smaller decides; of equal ones, one has a value at most
	kind   placeKind
	text   bool // bytes that are text
	// decide decides values of bytes; literal, if not empty, is in all for
	// which the predicate holds.
	decide  verdict.Decider
	literal []byte

	// What the dictionary's entries decided, nil of other columns: codes for
	// which the predicate holds, and for which the field is there. present
	// is nil if it is for all.
	holds, present *encoding.CodeSet
	// never says that the predicate holds for no value that stands here.
	never bool
	// always says that it holds for every row of the group.
	always bool
}

// placeKind says how values are decided that are not in a dictionary.
type placeKind uint8

const (
	placeBytes placeKind = iota // by place.decide
	placeInts
	placeDoubles
	placeBools
)

// What reading a byte of a column costs: codes are matched as they are, plain
// values one by one, messages are parsed.
const (
	costCodes   = 1
	costNumbers = 2
	costTexts   = 8
	costParsed  = 32
)

// newProbe finds the places of a predicate's field.
func (g *groupReader) newProbe(p *vec.Predicate) *probe {
	pr := &probe{predicate: p}
	switch p.Field.Scope {
	case vec.ScopeIntrinsic:
		pr.intrinsic(g, p.Field.Key)
	case vec.ScopeSpan:
		pr.attributes(g, ownerDerived, colDerived, verdict.Attributes(p))
		pr.attributes(g, ownerSpan, colAttributes, verdict.Attributes(p))
	case vec.ScopeResource:
		pr.add(g, g.fixed(colResource), 0, verdict.Resource(p))
	case vec.ScopeInstrumentation:
		pr.add(g, g.fixed(colScope), 0, verdict.Scope(p))
	case vec.ScopeEvent:
		pr.attributes(g, ownerEvent, colEvents, verdict.Events(p))
	case vec.ScopeLink:
		pr.attributes(g, ownerLink, colLinks, verdict.Links(p))
	}
	return pr
}

// intrinsicColumn is the column of an intrinsic, numColumns if there is none.
func intrinsicColumn(key string) columnID {
	switch key {
	case vec.Name:
		return colName
	case vec.Kind:
		return colKind
	case vec.StatusCode:
		return colStatusCode
	case vec.StatusMessage:
		return colStatusMessage
	case vec.Duration:
		return colDuration
	case vec.ServiceName:
		return colServiceName
	case vec.ScopeName:
		return colScopeName
	case vec.ScopeVersion:
		return colScopeVersion
	case vec.EventName:
		return colEventName
	default:
		return numColumns
	}
}

func (pr *probe) intrinsic(g *groupReader, key string) {
	id := intrinsicColumn(key)
	switch {
	case id == numColumns:
	case id == colEventName && g.group.keys[ownerNone].mayHave(ColumnEventName):
		pr.add(g, g.fixed(colEvents), 0, verdict.EventNames(pr.predicate))
	case id == colEventName:
		pr.add(g, g.fixed(id), 0, verdict.List(pr.predicate))
	case columns[id].physical == physicalBytes:
		pr.add(g, g.fixed(id), 0, verdict.Text(pr.predicate))
	default:
		pr.addNumbers(g, g.fixed(id), 0, placeInts)
	}
}

// attributes adds the columns of a key's attributes, and the column of the
// fragments that may have it.
func (pr *probe) attributes(g *groupReader, from owner, rest columnID, fragments verdict.Decider) {
	key, rank := pr.predicate.Field.Key, 0
	if n := len(pr.places); n > 0 {
		rank = pr.places[n-1].rank + 1 // behind those of another owner
	}
	for _, c := range g.reader.columns.byKey[attributeKey{from, key}] {
		switch g.column(c).attribute.kind {
		case kindString:
			pr.add(g, c, rank, verdict.Text(pr.predicate))
		case kindInt:
			pr.addNumbers(g, c, rank, placeInts)
		case kindDouble:
			pr.addNumbers(g, c, rank, placeDoubles)
		case kindBool:
			pr.addNumbers(g, c, rank, placeBools)
		case kindAny:
			pr.add(g, c, rank, verdict.AnyValue(pr.predicate))
		case kindList, numKinds:
			pr.add(g, c, rank, verdict.List(pr.predicate))
		}
	}
	if g.group.keys[from].mayHave(key) {
		pr.add(g, g.fixed(rest), rank+1, fragments)
	}
}

// add adds a column of bytes.
func (pr *probe) add(g *groupReader, c, rank int, decide verdict.Decider) {
	if g.chunk(c).absent {
		return
	}
	pl := place{column: c, rank: rank, kind: placeBytes, text: g.column(c).predicateText(), decide: decide}
	if pl.text {
		pl.never = pr.predicate.Text == nil
		pl.literal = []byte(pr.predicate.Contains)
	}
	pr.places = append(pr.places, pl)
}

// predicateText reports whether the column's values are texts as a predicate
// sees them, and not lists of such.
func (c *fileColumn) predicateText() bool {
	if c.id < numColumns {
		return columns[c.id].text && c.id != colEventName
	}
	return c.attribute.kind == kindString
}

// addNumbers adds a column of any other type.
func (pr *probe) addNumbers(g *groupReader, c, rank int, kind placeKind) {
	if g.chunk(c).absent {
		return
	}
	p := pr.predicate
	never := kind == placeInts && p.Int == nil || kind == placeDoubles && p.Float == nil ||
		kind == placeBools && (p.Bool == nil || !p.Bool(true) && !p.Bool(false))
	pr.places = append(pr.places, place{column: c, rank: rank, kind: kind, never: never})
}

// coded reports whether the values of a place stand in a dictionary.
func (g *groupReader) coded(pl *place) bool { return g.hasDictionary(pl.column) }

// decideEntries decides the entries of the dictionary. REQUIRES: it was
// fetched.
func (g *groupReader) decideEntries(p *vec.Predicate, pl *place) error {
	d, err := g.dictionary(pl.column)
	if err != nil {
		return err
	}
	k := g.chunk(pl.column)
	holds, present := make([]bool, k.entries), make([]bool, k.entries)
	if err := pl.entries(d, p, holds, present); err != nil {
		return g.corrupt(pl.column, "dictionary", k.dict.extent(), err)
	}
	pl.never = !slices.Contains(holds, true)
	pl.always = !slices.Contains(holds, false) && !g.column(pl.column).optional
	if slices.Contains(present, false) {
		pl.present = encoding.NewCodeSet(present)
	}
	pl.holds = encoding.NewCodeSet(holds)
	return nil
}

func (pl *place) entries(d *dictionary, p *vec.Predicate, holds, present []bool) error {
	switch pl.kind {
	case placeInts:
		for i, v := range d.ints {
			holds[i], present[i] = p.Int(v), true
		}
	case placeDoubles:
		for i, v := range d.doubles {
			holds[i], present[i] = p.Float(v), true
		}
	case placeBytes:
		if len(pl.literal) > 0 {
			return pl.literalEntries(d, holds, present)
		}
		for i, v := range d.texts {
			said := pl.decide(v)
			holds[i], present[i] = said == verdict.Holds, said != verdict.Absent
			if said == verdict.Malformed {
				return errStructure
			}
		}
	case placeBools:
		return errStructure // have no dictionary
	}
	return nil
}

// literalEntries decides texts, only those that have the literal.
func (pl *place) literalEntries(d *dictionary, holds, present []bool) error {
	found := vec.NewBitmap(len(d.texts))
	if err := encoding.FindBytes(found, d.raw, pl.literal, len(d.texts)); err != nil {
		return err
	}
	for i := found.Next(0); i < len(d.texts); i = found.Next(i + 1) {
		holds[i] = pl.decide(d.texts[i]) == verdict.Holds
	}
	for i := range present {
		present[i] = true
	}
	return nil
}

// settle orders the places and leaves out those that need not be read, now that
// the dictionaries are decided.
func (pr *probe) settle(g *groupReader) {
	// Places that only say that there is a value come last in their rank.
	order := func(pl *place) int {
		if pl.never {
			return 2*pl.rank + 1
		}
		return 2 * pl.rank
	}
	slices.SortStableFunc(pr.places, func(a, b place) int { return order(&a) - order(&b) })
	later := pr.predicate.Absent
	for i := len(pr.places) - 1; i >= 0; i-- {
		pl := &pr.places[i]
		if pl.never && !later {
			pr.places = slices.Delete(pr.places, i, i+1)
			continue
		}
		later = later || !pl.never
		pr.cost += g.costOf(pl)
	}
	if pr.always() {
		pr.cost = 0
	}
}

// always reports whether the predicate holds for all rows.
func (pr *probe) always() bool {
	return len(pr.places) == 0 && pr.predicate.Absent || len(pr.places) > 0 && pr.places[0].always
}

// none reports whether the predicate holds for no row.
func (pr *probe) none() bool { return len(pr.places) == 0 && !pr.predicate.Absent }

func (g *groupReader) costOf(pl *place) int {
	size := g.chunk(pl.column).data().size()
	if g.framed(pl.column) {
		size += int64(g.chunk(pl.column).dict.size)
	}
	return int(size)/256*g.weight(pl) + 1
}

func (g *groupReader) weight(pl *place) int {
	switch {
	case g.coded(pl):
		return costCodes
	case pl.kind != placeBytes:
		return costNumbers
	case pl.text:
		return costTexts
	}
	return costParsed
}
