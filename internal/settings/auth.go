package settings

import (
	"flag"
	"fmt"

	"github.com/spanlake/spanlake/internal/access"
)

// Auth says who may do what.
type Auth struct {
	Mode     string `yaml:"mode"`
	Insecure bool   `yaml:"insecure"`
}

// RegisterFlags registers every key as a flag and sets its default.
func (c *Auth) RegisterFlags(f *flag.FlagSet) {
	f.StringVar(&c.Mode, "auth.mode", access.ModeNone, "Who may write and read: none (whoever reaches a port; X-Scope-OrgID picks the project), header (a proxy in front has authenticated them, and names the project in X-Scope-OrgID) or keys (who brings a project's key).")
	f.BoolVar(&c.Insecure, "auth.insecure", false, "Allow addresses that other machines can reach with -auth.mode=none: whoever reaches a port can write and read everything.")
}

// Validate names the key whose value cannot work.
func (c *Auth) Validate() error {
	switch {
	case c.Mode != access.ModeNone && c.Mode != access.ModeHeader && c.Mode != access.ModeKeys:
		return fmt.Errorf("auth.mode %q: want %s, %s or %s", c.Mode, access.ModeNone, access.ModeHeader, access.ModeKeys)
	case c.Insecure && c.Mode != access.ModeNone:
		return fmt.Errorf("auth.insecure is for auth.mode=%s only: with %s nothing is open that it could allow", access.ModeNone, c.Mode)
	}
	return nil
}
