// Package app is the process: its configuration, the parts it consists of and
// the order in which they start and stop, and its ports.
//
// The order is the table in modules.go. The API port opens first and closes
// last, so that /ready can always tell what is missing. At the end receiving
// stops first; then the builder stores what it holds, with the log and the
// bucket still there and queries still answered.
package app
