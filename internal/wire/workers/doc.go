// Package workers carries jobs and replies over NATS. Whoever works is in one
// queue group, of which the server gives each job to one member (N is the version
// of messages):
//
//	Ask ──job──▶ <name>.jobs.vN ──▶ a worker
//	 ▲                                │ beats while it works, then the reply in chunks
//	 └────────────── inbox ◀──────────┘
//
// Nobody listens on the inbox of a job that is no longer wanted, and the server
// says so to a worker that beats: it stops. An asker that hears nothing for a
// while gives up on the worker. So neither has to know how the other one ended.
package workers
