package objstore

// LifecycleRule is a rule by which a store deletes objects on its own: those
// whose keys begin with Prefix, each so many days after it was put. Zero days
// mean that nothing is done.
type LifecycleRule struct {
	ID      string
	Enabled bool
	Prefix  string // of the keys as the store has them
	// ExpireDays is when an object is deleted, NoncurrentDays when a version of
	// it that was replaced or deleted is, AbortDays when the parts of an upload
	// are that was not completed.
	ExpireDays, NoncurrentDays, AbortDays int
	// Tagged: only objects with certain tags. Sized: only those of certain
	// sizes. Dated: deletes on a day of the calendar. More: does something else
	// besides.
	Tagged, Sized, Dated, More bool
}
