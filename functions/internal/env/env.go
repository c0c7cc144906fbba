// Package env reads the configuration of a function from its environment.
package env

import (
	"errors"
	"flag"
	"fmt"
	"strings"
)

// Prefix begins the variables that are the functions' own.
const Prefix = "SPANLAKE_"

// Name is the variable of a flag: SPANLAKE_NATS_URL for nats.url.
func Name(flagName string) string {
	return Prefix + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(flagName))
}

// Parse sets the flags of f from environ, which is in the form of os.Environ. It
// names every variable that begins with Prefix and is no flag's, and every one
// whose value cannot be used, without quoting it: it may be a secret.
func Parse(f *flag.FlagSet, environ []string) error {
	names := map[string]string{} // of flags, by variable
	f.VisitAll(func(f *flag.Flag) { names[Name(f.Name)] = f.Name })
	var errs []error
	for _, entry := range environ {
		variable, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(variable, Prefix) {
			continue
		}
		name, known := names[variable]
		if !known {
			errs = append(errs, fmt.Errorf("unknown variable %s: the keys of docs/configuration.md that this function has are listed in docs/functions.md", variable))
			continue
		}
		if err := f.Set(name, value); err != nil {
			errs = append(errs, fmt.Errorf("%s is not valid, see -%s in docs/configuration.md", variable, name))
		}
	}
	return errors.Join(errs...)
}
