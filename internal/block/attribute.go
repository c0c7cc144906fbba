package block

import "strings"

// owner says whose attributes a column holds, as the directory numbers it.
type owner uint8

const (
	ownerNone     owner = iota // a fixed column
	ownerResource              // for other programs; this one reads the column resource
	ownerSpan
	ownerDerived
	ownerEvent // a JSON list per row, kindList
	ownerLink  // likewise
	numOwners
)

// valueKind is the type of an attribute's values in a column, as the directory
// numbers it.
type valueKind uint8

const (
	kindString valueKind = iota // UTF-8
	kindInt
	kindDouble
	kindBool
	kindAny  // an OTLP AnyValue message that is none of the above
	kindList // a JSON list of strings, ints and bools, one for each event or link that has the key
	numKinds
)

// attribute is what a column of attributes holds: the values of one key that
// are of one type. Null: the row has no such value.
type attribute struct {
	owner owner
	kind  valueKind
	key   string
}

// String names the owner as Column.Scope does.
func (o owner) String() string { return strings.TrimSuffix(ownerPrefixes[o], ".") }

// String names the kind as Column.Kind does.
func (k valueKind) String() string {
	return [numKinds]string{"string", "int", "double", "bool", "any", "list"}[k]
}

var (
	ownerPrefixes = [numOwners]string{"", "resource.", "span.", "derived.", "event.", "link."}
	kindSuffixes  = [numKinds]string{":string", ":int", ":double", ":bool", ":any", ""}
	kindTypes     = [numKinds]physical{physicalBytes, physicalInt64, physicalDouble, physicalBool, physicalBytes, physicalBytes}
)

// name is the name of the attribute's column. Strings have no suffix unless
// the key could be taken for one with a suffix.
func (a attribute) name() string {
	suffix := kindSuffixes[a.kind]
	if a.kind == kindString && !strings.Contains(a.key, ":") {
		suffix = ""
	}
	return ownerPrefixes[a.owner] + a.key + suffix
}
