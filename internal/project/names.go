package project

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spanlake/spanlake/schema"
)

const (
	// prefix is what the keys of all objects of this package begin with.
	prefix = "projects/"
	// allFolder stands for every project. No project has this name.
	allFolder = "_all"

	settingsName = "settings.json"
	keysFolder   = "keys"
	objectEnding = ".json"
)

// All stands in place of a project in a key that is good for every project.
const All schema.ProjectID = ""

// folder is where the objects of a project are, with a slash at its end.
func folder(id schema.ProjectID) string {
	if id == All {
		return prefix + allFolder + "/"
	}
	return prefix + string(id) + "/"
}

func settingsKey(id schema.ProjectID) string { return folder(id) + settingsName }

func keysPrefix(id schema.ProjectID) string { return folder(id) + keysFolder + "/" }

func keyKey(id schema.ProjectID, key string) string { return keysPrefix(id) + key + objectEnding }

// place says what an object of the bucket is: the settings of a project, or if
// keyID is not empty a key.
type place struct {
	project schema.ProjectID
	keyID   string
}

// parsePlace reads an object's key. It is false for everything else that may
// lie there.
func parsePlace(key string) (place, bool) {
	name, rest, _ := strings.Cut(strings.TrimPrefix(key, prefix), "/")
	var p place
	if name != allFolder {
		var err error
		if p.project, err = schema.ParseProjectID(name); err != nil {
			return place{}, false
		}
		if rest == settingsName {
			return p, true
		}
	}
	id, ok := strings.CutPrefix(rest, keysFolder+"/")
	if !ok {
		return place{}, false
	}
	if p.keyID, ok = strings.CutSuffix(id, objectEnding); !ok || !validKeyID(p.keyID) {
		return place{}, false
	}
	return p, true
}

const (
	maxAliases    = 100
	maxAliasBytes = 128
)

var errAlias = errors.New("not an alias")

// checkAlias refuses what can be no alias: above all the name of a project,
// which always means that project.
func checkAlias(alias string) error {
	if _, err := schema.ParseProjectID(alias); err == nil {
		return fmt.Errorf("%w: %q is itself a project's name", errAlias, alias)
	}
	switch {
	case alias == "" || len(alias) > maxAliasBytes:
		return fmt.Errorf("%w: want 1 to %d bytes, have %d", errAlias, maxAliasBytes, len(alias))
	case !utf8.ValidString(alias) || strings.ContainsFunc(alias, func(r rune) bool { return r == '|' || !unicode.IsPrint(r) }):
		return fmt.Errorf("%w: %q: want printable characters without |", errAlias, alias)
	case strings.TrimSpace(alias) != alias:
		return fmt.Errorf("%w: %q: want no blanks at its ends", errAlias, alias)
	}
	return nil
}
