package schema

// Kind is the type of a Value, the alternatives of OTLP's AnyValue.
type Kind uint8

// The kinds of a Value.
const (
	KindEmpty  Kind = iota // an AnyValue that holds nothing
	KindString             // Str
	KindBool               // Bool
	KindInt                // Int
	KindDouble             // Double
	KindBytes              // Str holds the bytes
	KindArray              // Array
	KindMap                // Map
)

// Value is one attribute's value. Only the field that Kind names is set.
type Value struct {
	Kind   Kind
	Bool   bool
	Int    int64
	Double float64
	Str    string // of KindString (may not be UTF-8) and KindBytes
	Array  []Value
	Map    []Attribute
}

// Attribute is a key with its value. Keys may be empty and may repeat in a list.
type Attribute struct {
	Key   string
	Value Value
}
