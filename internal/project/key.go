package project

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spanlake/spanlake/schema"
)

// Scope is what a key may be used for.
type Scope string

// The scopes of keys. None includes another.
const (
	ScopeIngest  Scope = "ingest"  // send spans
	ScopeQuery   Scope = "query"   // ask for them
	ScopeAdmin   Scope = "admin"   // change settings and keys
	ScopeMetrics Scope = "metrics" // read /metrics, which names all projects: of keys for all projects only
)

// Scopes lists all scopes.
func Scopes() []Scope { return []Scope{ScopeIngest, ScopeQuery, ScopeAdmin, ScopeMetrics} }

// Key gives access to a project. It is created and deleted, and never changed.
type Key struct {
	ID      string           `json:"id"`
	Project schema.ProjectID `json:"project,omitempty"` // All: every project
	Name    string           `json:"name,omitempty"`    // for people
	Scopes  []Scope          `json:"scopes"`
	// SHA256 is that of the secret, in hexadecimal digits. A secret has 256
	// random bits: nobody can try them, so no slower function is needed.
	SHA256    string    `json:"sha256"`
	CreatedAt time.Time `json:"created_at,omitzero"`
}

// Has reports whether the key has a scope.
func (k *Key) Has(s Scope) bool { return slices.Contains(k.Scopes, s) }

// Public is the first half of the pair, which is no secret.
func (k *Key) Public() string { return publicPrefix + k.ID }

const (
	publicPrefix = "pk-sl-"
	secretPrefix = "sk-sl-"

	idBytes     = 10 // 80 bits: never the same twice
	secretBytes = 32
	idLen       = 16 // letters and digits
	secretLen   = 52

	maxKeyNameBytes = 128
)

// letters are those of base32 in lower case, without padding.
var letters = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newKey returns a new key and its secret, which is nowhere else.
func newKey(id schema.ProjectID, name string, scopes []Scope, now time.Time) (Key, string, error) {
	scopes = slices.Compact(slices.Sorted(slices.Values(scopes)))
	random := make([]byte, idBytes+secretBytes)
	_, _ = rand.Read(random) // never fails
	k := Key{
		ID: letters.EncodeToString(random[:idBytes]), Project: id, Name: name, Scopes: scopes, CreatedAt: now.UTC().Truncate(time.Second),
	}
	secret := secretPrefix + k.ID + "-" + letters.EncodeToString(random[idBytes:])
	digest := sha256.Sum256([]byte(secret))
	k.SHA256 = hex.EncodeToString(digest[:])
	return k, secret, k.validate()
}

func (k *Key) validate() error {
	if len(k.Scopes) == 0 {
		return errors.New("a key needs a scope")
	}
	for _, s := range k.Scopes {
		if !slices.Contains(Scopes(), s) {
			return fmt.Errorf("scope %q: want %s, %s, %s or %s", s, ScopeIngest, ScopeQuery, ScopeAdmin, ScopeMetrics)
		}
	}
	if k.Has(ScopeMetrics) && k.Project != All {
		return fmt.Errorf("scope %s is for keys that are good for all projects: it names them all", ScopeMetrics)
	}
	if len(k.Name) > maxKeyNameBytes {
		return fmt.Errorf("name of a key: want %d bytes at most, have %d", maxKeyNameBytes, len(k.Name))
	}
	return nil
}

// errKey is returned for an object that is no key of its place.
var errKey = errors.New("not a key")

// parseKey reads the key that is stored at a place. A key that was copied
// to another place is none.
func parseKey(data []byte, at place) (*Key, error) {
	k := new(Key)
	if err := json.Unmarshal(data, k); err != nil {
		return nil, fmt.Errorf("%w: %w", errKey, err)
	}
	if k.ID != at.keyID || k.Project != at.project {
		return nil, fmt.Errorf("%w: it says that it is key %q of project %q", errKey, k.ID, k.Project)
	}
	if digest, err := hex.DecodeString(k.SHA256); err != nil || len(digest) != sha256.Size {
		return nil, fmt.Errorf("%w: sha256 is no such digest", errKey)
	}
	if err := k.validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", errKey, err)
	}
	return k, nil
}

func validKeyID(id string) bool {
	return len(id) == idLen && strings.Trim(id, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// keyIDOf is the id within a secret, "" if it is none.
func keyIDOf(secret string) string {
	rest, ok := strings.CutPrefix(secret, secretPrefix)
	if !ok || len(rest) != idLen+1+secretLen || rest[idLen] != '-' || !validKeyID(rest[:idLen]) {
		return ""
	}
	return rest[:idLen]
}

// nobody is compared with where there is no key, so that the answer takes as
// long as with one.
var nobody = Key{SHA256: strings.Repeat("00", sha256.Size)}

// opens reports whether the secret is the key's, in a time that does not depend
// on how much of it is right.
func (k *Key) opens(secret string) bool {
	digest := sha256.Sum256([]byte(secret))
	return subtle.ConstantTimeCompare([]byte(hex.EncodeToString(digest[:])), []byte(k.SHA256)) == 1
}
