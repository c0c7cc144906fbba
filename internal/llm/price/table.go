package price

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// Format is what a table's file says it is.
const Format = "spanlake-model-prices/1"

//go:embed prices.json
var shipped []byte

// Table is a list of prices. It is immutable and safe for concurrent use.
type Table struct {
	version string
	entries []Entry
	literal map[string][]int // of them, by the one name that they match
	others  []int            // those that match several
	base    *Table           // asked for what is not in this one; nil: none
}

// Shipped is the table that comes with the program.
var Shipped = sync.OnceValue(func() *Table {
	t, err := parse(shipped)
	if err != nil {
		panic(err) // a test reads it
	}
	return t
})

func parse(data []byte) (*Table, error) {
	var file struct {
		Format   string  `json:"format"`
		Currency string  `json:"currency"`
		AsOf     string  `json:"as_of"`
		Models   []Entry `json:"models"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("read a table of prices: %w", err)
	}
	if file.Format != Format || file.Currency != "USD" {
		return nil, fmt.Errorf("a table of prices says format %q and currency %q: want %s and USD", file.Format, file.Currency, Format)
	}
	t := &Table{version: file.AsOf, entries: file.Models}
	return t, t.index()
}

func (t *Table) index() error {
	t.literal = make(map[string][]int)
	var errs []error
	for i := range t.entries {
		e := &t.entries[i]
		if err := e.prepare(); err != nil {
			errs = append(errs, err)
			continue
		}
		if e.match == nil {
			t.literal[e.literal] = append(t.literal[e.literal], i)
		} else {
			t.others = append(t.others, i)
		}
	}
	return errors.Join(errs...)
}

// Version names the table: the month of the shipped one, and behind a plus a
// digest of the prices that With was given.
func (t *Table) Version() string { return t.version }

// Entries are all prices in the order in which they are asked, and how many of
// them, from the first on, With added. The caller does not change them.
func (t *Table) Entries() (list []Entry, own int) {
	if t.base == nil {
		return t.entries, 0
	}
	list, _ = t.base.Entries()
	return slices.Concat(t.entries, list), len(t.entries)
}

// maxOwn bounds the prices of a project.
const maxOwn = 200

// Validate says what is wrong with prices for With.
func Validate(own []Entry) error {
	if len(own) > maxOwn {
		return fmt.Errorf("prices: want %d at most, have %d", maxOwn, len(own))
	}
	return (&Table{entries: slices.Clone(own)}).index()
}

// With returns a table of prices that are asked before t's. Those that cannot be
// used are left out: Validate says which.
func (t *Table) With(own []Entry) *Table {
	usable := slices.DeleteFunc(slices.Clone(own), func(e Entry) bool { return e.prepare() != nil })
	if len(usable) == 0 {
		return t
	}
	text, err := json.Marshal(usable)
	if err == nil {
		digest := sha256.Sum256(text)
		u := &Table{version: t.version + "+" + hex.EncodeToString(digest[:4]), entries: usable, base: t}
		if err = u.index(); err == nil {
			return u
		}
	}
	panic(err) // each entry was prepared before, and has finite numbers
}

// Find returns the price of a model, nil if there is none. Names are tried from
// the most exact one on; of several entries for a name one that With added counts
// first, then the provider's, then the first.
func (t *Table) Find(providerName, model string) *Entry {
	if model == "" {
		return nil
	}
	short := provider(providerName)
	for _, name := range Names(model) {
		for u := t; u != nil; u = u.base {
			if e := u.named(short, name); e != nil {
				return e
			}
		}
	}
	return nil
}

func (t *Table) named(short, name string) *Entry {
	found := slices.Clone(t.literal[name])
	for _, i := range t.others {
		if t.entries[i].match.MatchString(name) {
			found = append(found, i)
		}
	}
	if len(found) == 0 {
		return nil
	}
	slices.Sort(found)
	for _, i := range found {
		if short != "" && provider(t.entries[i].Provider) == short {
			return &t.entries[i]
		}
	}
	return &t.entries[found[0]]
}
