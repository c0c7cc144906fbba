// Package jobs decides about parts of queries, whatever they ask: into which
// traces a query is split, whose job is next within the limits of a process,
// and when a job that somebody else does is given to another one as well.
package jobs
