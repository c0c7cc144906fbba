package settings

import (
	"errors"
	"flag"
	"math"
	"strconv"
	"strings"

	"github.com/grafana/dskit/flagext"
)

// Size is the value of a flag that is a number of bytes: with a unit, such as
// 64MiB, or without one.
type Size flagext.Bytes

// String is the size with units.
func (s *Size) String() string { return (*flagext.Bytes)(s).String() }

// Set parses a size.
func (s *Size) Set(text string) error { return SetSize((*flagext.Bytes)(s), text) }

// SetSize parses a number of bytes into dst: it is how flags and the file are read.
func SetSize(dst *flagext.Bytes, text string) error {
	if n, err := strconv.ParseUint(text, 10, 63); err == nil {
		*dst = flagext.Bytes(n)
		return nil
	}
	var parsed flagext.Bytes
	if err := parsed.Set(text); err != nil || strings.HasPrefix(text, "-") || parsed > math.MaxInt64 {
		return errors.New("want a number of bytes, such as 1500, 900KiB, 64MiB or 1GiB")
	}
	*dst = parsed
	return nil
}

// AcceptSizes lets all flags that are sizes take them with and without units.
func AcceptSizes(f *flag.FlagSet) {
	f.VisitAll(func(f *flag.Flag) {
		if bytes, ok := f.Value.(*flagext.Bytes); ok {
			f.Value = (*Size)(bytes)
		}
	})
}
