// Package mem is the log in memory, for tests and simulation. It keeps the
// contract of wal.Stream and adds what a test wants to happen to a log: resets,
// half-done purges, restarts, restored backups, lost streams, failing requests.
//
// It starts no goroutines and waits only on channels, so that it can be used
// inside a testing/synctest bubble.
package mem
