// Package settings holds the configuration keys that the service and the
// functions have in common: each section registers its flags and checks its
// values.
package settings
