// Package embedded runs a JetStream server in this process, for the log of a
// single binary and for tests. It syncs every write before it acknowledges, and
// keeps everything in one folder that no second process can use.
//
// One server promises that acknowledged messages survive a crash and the loss
// of power of a healthy disk. It does not promise to survive the loss of the disk.
package embedded
