package vec

// KeyQuery asks which keys attributes have in some rows.
type KeyQuery struct {
	// Filter must hold for the rows.
	Filter *Filter
	// StartNanos and EndNanos are the range, Unix nanoseconds, end exclusive,
	// that a row must reach into. An EndNanos of 0 means no end.
	StartNanos, EndNanos uint64
	Scopes               []Scope // of attributes

	// Known are keys that need not be looked for. It may know of more in the
	// course of time.
	Known func(scope Scope, key string) bool
	// Add gets the other keys, some perhaps twice. It must not keep the key.
	Add func(scope Scope, key string)
}
