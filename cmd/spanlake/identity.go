package main

import "strings"

// keyVariable has the secret of a key for query and canary. Not a flag: other
// users of a machine see its command lines.
const keyVariable = "SPANLAKE_KEY"

// identity is as whom a request is made.
type identity struct {
	project string // "" for the key's, or the default
	key     string // the secret; "" where none is needed
}

// identityOf reads the key from the environment.
func identityOf(project string, e env) identity {
	key, _ := e.lookupEnv(keyVariable)
	return identity{project, strings.TrimSpace(key)}
}

// headers are names and values, in turns.
func (i identity) headers() (pairs []string) {
	if i.project != "" {
		pairs = append(pairs, "X-Scope-OrgID", i.project)
	}
	if i.key != "" {
		pairs = append(pairs, "Authorization", "Bearer "+i.key)
	}
	return pairs
}

// String is the project for a person to read.
func (i identity) String() string {
	switch {
	case i.project != "":
		return i.project
	case i.key != "":
		return "of the key in " + keyVariable
	}
	return "default"
}

// setOn adds the headers to those of a request.
func (i identity) setOn(header interface{ Set(name, value string) }) {
	pairs := i.headers()
	for n := 0; n < len(pairs); n += 2 {
		header.Set(pairs[n], pairs[n+1])
	}
}
