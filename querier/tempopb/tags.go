package tempopb

// MetadataMetrics say what a list of names or values read.
type MetadataMetrics struct {
	InspectedBytes  uint64
	TotalJobs       uint32
	CompletedJobs   uint32
	TotalBlocks     uint32
	TotalBlockBytes uint64
}

func (m *MetadataMetrics) write(e *encoder) {
	start := e.open(2, "metrics")
	e.uint64(1, "inspectedBytes", m.InspectedBytes)
	e.uint32(2, "totalJobs", m.TotalJobs)
	e.uint32(3, "completedJobs", m.CompletedJobs)
	e.uint32(4, "totalBlocks", m.TotalBlocks)
	e.uint64(5, "totalBlockBytes", m.TotalBlockBytes)
	e.close(start)
}

// Texts is a SearchTagsResponse or SearchTagValuesResponse: names of tags, or
// values, as texts.
type Texts struct {
	Name    string // of the list in JSON: NamesOfTags or ValuesOfTag
	List    []string
	Metrics MetadataMetrics
}

// The names of the list of Texts.
const (
	NamesOfTags = "tagNames"
	ValuesOfTag = "tagValues"
)

func (r *Texts) elements() int                     { return len(r.List) }
func (r *Texts) list() (string, bool)              { return r.Name, true }
func (r *Texts) rest(e *encoder)                   { r.Metrics.write(e) }
func (r *Texts) element(e *encoder, i, _ int) bool { e.textItem(1, r.List[i]); return false }

// Scopes is a SearchTagsV2Response: names of tags by scope.
type Scopes struct {
	List    []Scope
	Metrics MetadataMetrics
}

// Scope is the names of the tags of one scope.
type Scope struct {
	Name string
	Tags []string
}

func (r *Scopes) elements() int        { return len(r.List) }
func (r *Scopes) list() (string, bool) { return "scopes", true }
func (r *Scopes) rest(e *encoder)      { r.Metrics.write(e) }

// element writes a scope. A cut halves its names: a list to choose from has
// enough of them.
func (r *Scopes) element(e *encoder, i, cut int) bool {
	s := &r.List[i]
	tags := s.Tags[:len(s.Tags)>>min(cut, 32)]
	start := e.item(1)
	e.text(1, "name", s.Name)
	e.list(2, "tags")
	for _, t := range tags {
		e.textItem(2, t)
	}
	e.endList()
	e.close(start)
	return len(tags) > 0
}

// Values is a SearchTagValuesV2Response: values with their types.
type Values struct {
	List    []Value
	Metrics MetadataMetrics
}

// Value is a value as text, and the type that it has in a query: string, int,
// float, bool, duration or keyword.
type Value struct{ Type, Value string }

func (r *Values) elements() int        { return len(r.List) }
func (r *Values) list() (string, bool) { return "tagValues", true }
func (r *Values) rest(e *encoder)      { r.Metrics.write(e) }

func (r *Values) element(e *encoder, i, _ int) bool {
	start := e.item(1)
	e.text(1, "type", r.List[i].Type)
	e.text(2, "value", r.List[i].Value)
	e.close(start)
	return false
}
