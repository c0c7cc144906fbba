// Package compactor keeps the bucket small: it merges blocks into larger ones,
// deletes those that a merge has covered, and those that have expired. What is to
// be done is decided by a pure function of a listing, the log's floors and the
// clock (NewPlan); any number of Compactors may act on it at once, and be killed
// at any time.
//
// There is no compatibility promise.
package compactor
