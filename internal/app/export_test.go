package app

// PartitionsOn is how many partitions a new log gets on a machine with so many
// processors.
func (c *Config) PartitionsOn(processors int) int { return c.partitions(processors) }

// DeletePaths are where clients of other protocols than OTLP delete.
var DeletePaths = deletePaths
