// Package wire has the messages between queriers and whoever works for them: a
// Job, the Reply to it, and the primitives that answers are written with. They
// are plain bytes with a version, and know nothing of what carries them; the
// package nats below carries them over NATS.
package wire
