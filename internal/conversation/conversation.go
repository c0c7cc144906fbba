// Package conversation sees a trace as somebody sees it who reads what an application
// said to a model: input and output, what was called on the way, what it used and
// cost, and what was said of it later. It is a view of rows that were read whole and
// folded; nothing of it is stored.
package conversation

import (
	"cmp"
	"slices"
	"strings"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/llm"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// Kinds of spans (spanlake.kind) that mean something here.
const (
	KindTrace = "trace"
	KindScore = "score"
	KindEvent = "event"
)

// The codes of statuses.
const statusError = 2

// Trace is a trace. It shares memory with the spans that it is made of.
type Trace struct {
	TraceID schema.TraceID
	// ID is the trace's id as its client has it: what it called it, else TraceID.
	ID   string
	Root *Observation // the first span without a parent, else the first one; nil if there are only scores

	StartNanos, EndNanos uint64 // of its spans, and if there are none of its scores

	// Texts are "" if nobody said so.
	Name, User, Session, Release, Version, Environment string
	Tags                                               []string
	Public                                             bool
	Metadata                                           []schema.Attribute // keys without their prefix

	Input, Output llm.Body

	Observations []*Observation // in the order of their starts, without a row that stands for the trace
	Scores       []Score        // in the order of their times

	Usage  Usage    // of the observations whose usage counts
	Models []string // that these name, each once, in their order
	Errors int      // observations that failed
}

// Observation is a span.
type Observation struct {
	Span     *schema.Span
	ID       string // as its client has it: what it called it, else its span id
	ParentID string // of the span above it, "" for none or the trace itself
	Kind     string // spanlake.kind, "" for a span that is not about models
	Usage    Usage
	Counted  bool // the usage counts
	Model    string

	attributes map[string]schema.Value
}

// Usage is what models used.
type Usage struct {
	Input, Output, Total             int64
	CacheRead, CacheCreation, Reason int64
	HasTokens                        bool

	Cost, InputCost, OutputCost float64 // dollars
	HasCost                     bool
}

// Add adds what something else used.
func (u *Usage) Add(o *Usage) {
	u.Input, u.Output, u.Total = u.Input+o.Input, u.Output+o.Output, u.Total+o.Total
	u.CacheRead, u.CacheCreation, u.Reason = u.CacheRead+o.CacheRead, u.CacheCreation+o.CacheCreation, u.Reason+o.Reason
	u.Cost, u.InputCost, u.OutputCost = u.Cost+o.Cost, u.InputCost+o.InputCost, u.OutputCost+o.OutputCost
	u.HasTokens, u.HasCost = u.HasTokens || o.HasTokens, u.HasCost || o.HasCost
}

// Of is the view of a trace: spans are all of one, folded, at least one.
func Of(spans []schema.Span) *Trace {
	t := &Trace{TraceID: spans[0].TraceID, ID: spans[0].TraceID.String()}
	counted := engine.Counted(spans)
	all := make([]*Observation, 0, len(spans))
	byID := make(map[schema.SpanID]*Observation, len(spans))
	for i := range spans {
		o := newObservation(&spans[i], counted[i])
		all = append(all, o)
		if o.Kind != KindScore {
			byID[o.Span.SpanID] = o
		}
	}
	slices.SortStableFunc(all, func(a, b *Observation) int { return cmp.Compare(a.Span.StartNanos, b.Span.StartNanos) })
	for _, o := range all {
		if id := o.Text("langfuse.trace.id"); id != "" {
			t.ID = id
			break
		}
	}
	var first *Observation
	for _, o := range all {
		if above := byID[o.Span.ParentSpanID]; above != nil && above.Kind != KindTrace {
			o.ParentID = above.ID
		} else if above == nil && !o.Span.ParentSpanID.IsZero() {
			o.ParentID = o.Span.ParentSpanID.String()
		}
		if o.Kind == KindScore {
			t.Scores = append(t.Scores, scoreOf(o, t, byID[o.Span.ParentSpanID]))
			continue
		}
		if first == nil {
			first = o
		}
		if t.Root == nil && o.Span.ParentSpanID.IsZero() {
			t.Root = o
		}
		t.takes(o)
	}
	if t.Root == nil {
		t.Root = first
	}
	t.describe(all)
	return t
}

// takes takes one that is no score.
func (t *Trace) takes(o *Observation) {
	if t.StartNanos == 0 || o.Span.StartNanos < t.StartNanos {
		t.StartNanos = o.Span.StartNanos
	}
	t.EndNanos = max(t.EndNanos, o.Span.StartNanos, o.Span.EndNanos)
	if o.Kind == KindTrace {
		return
	}
	t.Observations = append(t.Observations, o)
	if o.Failed() {
		t.Errors++
	}
	if !o.Counted {
		return
	}
	t.Usage.Add(&o.Usage)
	if o.Model != "" && !slices.Contains(t.Models, o.Model) {
		t.Models = append(t.Models, o.Model)
	}
}

// describe says what a trace is as a whole: as its root does, else as the first does
// that says something.
func (t *Trace) describe(all []*Observation) {
	if t.Root == nil {
		t.StartNanos, t.EndNanos = all[0].Span.StartNanos, all[len(all)-1].Span.StartNanos
		t.Session, t.Environment = t.first(all, "session.id"), t.first(all, "deployment.environment.name")
		return
	}
	said := make([]*Observation, 0, len(t.Observations)+1)
	said = append(append(said, t.Root), t.Observations...)
	t.Name = cmp.Or(t.first(said, "langfuse.trace.name"), t.Root.Span.Name)
	t.User, t.Session = t.first(said, "user.id"), t.first(said, "session.id")
	t.Release = t.first(said, "langfuse.release", "service.version")
	t.Version = t.first(said, "spanlake.version", "langfuse.version")
	t.Environment = t.first(said, "deployment.environment.name")
	for _, o := range said {
		if t.Tags == nil {
			t.Tags = o.Texts("spanlake.tags")
		}
		t.Public = t.Public || o.attributes["langfuse.trace.public"].Bool
		content := llm.TraceContentOf(o.Span)
		if t.Input.Form == llm.FormNone {
			t.Input = content.Input
		}
		if t.Output.Form == llm.FormNone {
			t.Output = content.Output
		}
	}
	own := llm.ContentOf(t.Root.Span)
	if t.Input.Form == llm.FormNone {
		t.Input = own.Input
	}
	if t.Output.Form == llm.FormNone {
		t.Output = own.Output
	}
	t.Metadata = t.Root.Metadata()
}

// First is the first text that a span of the trace has under one of the keys, its root
// before all others.
func (t *Trace) First(keys ...string) string {
	if t.Root == nil {
		return ""
	}
	return cmp.Or(t.first([]*Observation{t.Root}, keys...), t.first(t.Observations, keys...))
}

// first is the first text that one of them has under one of the keys.
func (*Trace) first(list []*Observation, keys ...string) string {
	for _, o := range list {
		for _, key := range keys {
			if text := o.Text(key); text != "" {
				return text
			}
		}
	}
	return ""
}

func newObservation(s *schema.Span, counted bool) *Observation {
	o := &Observation{Span: s, Counted: counted, attributes: make(map[string]schema.Value)}
	for _, fields := range [...][]byte{s.Attributes, s.Derived} { // derived ones come before those that were sent
		for key, value := range otlp.Attributes(fields) {
			o.attributes[key] = value
		}
	}
	o.Kind = o.Text("spanlake.kind")
	o.ID = cmp.Or(o.Text("langfuse.observation.id"), o.Text("langsmith.run.id"), s.SpanID.String())
	o.Model = cmp.Or(o.Text("gen_ai.response.model"), o.Text("gen_ai.request.model"))
	u := &o.Usage
	for key, field := range map[string]*int64{
		"input_tokens": &u.Input, "output_tokens": &u.Output, "total_tokens": &u.Total,
		"cache_read.input_tokens": &u.CacheRead, "cache_creation.input_tokens": &u.CacheCreation, "reasoning.output_tokens": &u.Reason,
	} {
		if v, ok := o.attributes["gen_ai.usage."+key]; ok && v.Kind == schema.KindInt {
			*field, u.HasTokens = v.Int, true
		}
	}
	if u.Total == 0 {
		u.Total = u.Input + u.Output
	}
	var has [3]bool
	u.Cost, has[0] = o.Number("gen_ai.usage.cost")
	u.InputCost, has[1] = o.Number("gen_ai.usage.cost.input")
	u.OutputCost, has[2] = o.Number("gen_ai.usage.cost.output")
	u.HasCost = has[0] || has[1] || has[2]
	if !has[0] {
		u.Cost = u.InputCost + u.OutputCost
	}
	return o
}

// Value is an attribute of the span, or of its resource.
func (o *Observation) Value(key string) (schema.Value, bool) {
	if v, ok := o.attributes[key]; ok {
		return v, true
	}
	return otlp.LookupResource(o.Span.Resource, key)
}

// Text is an attribute that is a text, "" if it is none.
func (o *Observation) Text(key string) string {
	v, ok := o.Value(key)
	if !ok || v.Kind != schema.KindString {
		return ""
	}
	return v.Str
}

// Texts are those of a list.
func (o *Observation) Texts(key string) (list []string) {
	v := o.attributes[key]
	if v.Kind == schema.KindString && v.Str != "" {
		return []string{v.Str}
	}
	for i := range v.Array {
		if v.Array[i].Kind == schema.KindString {
			list = append(list, v.Array[i].Str)
		}
	}
	return list
}

// Number is an attribute that is a number.
func (o *Observation) Number(key string) (float64, bool) {
	switch v := o.attributes[key]; v.Kind {
	case schema.KindDouble:
		return v.Double, true
	case schema.KindInt:
		return float64(v.Int), true
	default:
		return 0, false
	}
}

// Failed reports whether the span says so.
func (o *Observation) Failed() bool { return o.Span.StatusCode == statusError }

// Content is what went in and came out.
func (o *Observation) Content() llm.Content { return llm.ContentOf(o.Span) }

// metadataPrefix is what keys of metadata begin with.
const metadataPrefix = "metadata."

// Metadata is that of the span, sorted, without the prefix of its keys.
func (o *Observation) Metadata() (list []schema.Attribute) { return o.Under(metadataPrefix) }

// Under are the attributes of the span whose keys begin so, sorted, without that.
func (o *Observation) Under(prefix string) (list []schema.Attribute) {
	for key, value := range o.attributes {
		if rest, ok := strings.CutPrefix(key, prefix); ok {
			list = append(list, schema.Attribute{Key: rest, Value: value})
		}
	}
	slices.SortFunc(list, func(a, b schema.Attribute) int { return cmp.Compare(a.Key, b.Key) })
	return list
}
