package catalog

// Projects is how many projects' views are in memory.
func (c *Catalog) Projects() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.projects)
}
