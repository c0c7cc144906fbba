package app

// PartitionsOn is how many partitions a new log gets on a machine with so many
// processors.
func (c *Config) PartitionsOn(processors int) int { return c.partitions(processors) }

// Reads are the paths by which clients of other protocols than OTLP read.
var Reads = reads

// DeletePaths are where they delete.
var DeletePaths = deletePaths
