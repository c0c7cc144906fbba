package project

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spanlake/spanlake/internal/llm/price"
)

// Owner says who writes the settings of a project. Nobody else does.
type Owner string

// The owners of settings.
const (
	OwnerAPI       Owner = "api" // the HTTP API and the command line
	OwnerTerraform Owner = "terraform"
)

// Settings are what is stored of a project besides its keys.
type Settings struct {
	ManagedBy Owner `json:"managed_by"`
	// Retention is how long spans are kept, nil for the default of the process.
	Retention *Retention `json:"retention,omitempty"`
	// Rules keep traces for longer, or not as long.
	Rules  []Rule `json:"rules,omitempty"`
	Limits Limits `json:"limits,omitzero"`
	// Prices of models are asked before those that come with the program.
	Prices []price.Entry `json:"prices,omitempty"`
	// Reprice asks that what is stored is priced anew, nil if nobody ever did.
	Reprice *Reprice `json:"reprice,omitempty"`
	// Aliases are other spellings of the name in the header, such as "Team A".
	Aliases   []string  `json:"aliases,omitempty"`
	CreatedAt time.Time `json:"created_at,omitzero"`
	// DeletedAt is when the project was deleted, zero while it is not.
	DeletedAt time.Time `json:"deleted_at,omitzero"`

	unknown string // what of the stored form this version does not know
}

// Deleted reports whether these are a tombstone.
func (s *Settings) Deleted() bool { return !s.DeletedAt.IsZero() }

// Validate says what cannot be.
func (s *Settings) Validate() error {
	var errs []error
	if s.ManagedBy != OwnerAPI && s.ManagedBy != OwnerTerraform {
		errs = append(errs, fmt.Errorf("managed_by %q: want %s or %s", s.ManagedBy, OwnerTerraform, OwnerAPI))
	}
	if len(s.Aliases) > maxAliases {
		errs = append(errs, fmt.Errorf("aliases: want %d at most, have %d", maxAliases, len(s.Aliases)))
	}
	for _, alias := range s.Aliases {
		errs = append(errs, checkAlias(alias))
	}
	return errors.Join(append(errs, validateRules(s.Rules), s.Limits.validate(), price.Validate(s.Prices), s.Reprice.validate())...)
}

// ErrSettings is returned for settings that cannot be used.
var ErrSettings = errors.New("settings cannot be used")

// maxObjectBytes is the size of the largest object that is read.
const maxObjectBytes = 64 << 10

// Unknown is the first of the stored keys that this version does not know, as
// text, "" if it knows them all. A newer version may have written it, so it is
// no error.
func (s *Settings) Unknown() string { return s.unknown }

// ParseSettings reads settings. Returns ErrSettings.
func ParseSettings(data []byte) (Settings, error) {
	var s Settings
	var unknown string
	strict := json.NewDecoder(bytes.NewReader(data))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&s); err != nil {
		if !strings.HasPrefix(err.Error(), "json: unknown field") {
			return Settings{}, fmt.Errorf("%w: %w", ErrSettings, err)
		}
		unknown = strings.TrimPrefix(err.Error(), "json: ")
		s = Settings{}
		if err := json.Unmarshal(data, &s); err != nil {
			return Settings{}, fmt.Errorf("%w: %w", ErrSettings, err)
		}
	} else if _, err := strict.Token(); !errors.Is(err, io.EOF) {
		return Settings{}, fmt.Errorf("%w: more than one JSON value", ErrSettings)
	}
	if err := s.Validate(); err != nil {
		return Settings{}, fmt.Errorf("%w: %w", ErrSettings, err)
	}
	s.unknown = unknown
	return s, nil
}

// encode is the form in which an object is stored: for people to read, too.
func encode(v any) ([]byte, error) {
	data, err := json.MarshalIndent(v, "", "  ")
	return append(data, '\n'), err
}
