// Package random makes queries and traces of all odd shapes, to compare engines
// by. What it makes depends on nothing but the source of random numbers. Keys
// and values are few, so that conditions often meet what they ask for.
package random
