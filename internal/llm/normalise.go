package llm

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"github.com/spanlake/spanlake/internal/llm/price"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// Tables gives the table of prices of a project, at any time and quickly.
type Tables func(schema.ProjectID) *price.Table

// ShippedTables is the table that comes with the program, for every project.
func ShippedTables(schema.ProjectID) *price.Table { return price.Shipped() }

// Normalizer derives attributes of rows. It serves one goroutine.
type Normalizer struct {
	prices *price.Table
	priced map[modelKey]*price.Entry // what was looked up
	layout *layout
	missed func(model string) // nil: nobody wants to know

	span    *schema.Span
	marked  bool           // it is about models
	values  []schema.Value // by slot
	filled  []int32        // slots that have a value
	details []member       // of usage_details
	meta    []schema.Attribute
	request []schema.Attribute

	derived []schema.Attribute
	arena   []byte

	lists    bool   // the span has parts of lists
	spanKind string // "" if it is not about models
	packer   *packer

	resources map[*schema.Resource]*schema.Resource // with a service's name
}

// member is a member of Langfuse's usage_details.
type member struct {
	key   string
	count int64
}

type modelKey struct{ provider, response, request string }

// New returns a Normalizer that prices by a table.
func New(prices *price.Table) *Normalizer {
	l := sharedLayout()
	return &Normalizer{
		prices: prices, priced: make(map[modelKey]*price.Entry), layout: l,
		values: make([]schema.Value, len(l.keys)), resources: make(map[*schema.Resource]*schema.Resource),
	}
}

// SetPrices changes the table.
func (n *Normalizer) SetPrices(prices *price.Table) {
	if n.prices != prices {
		n.prices = prices
		clear(n.priced)
	}
}

// Table names the prices that count.
func (n *Normalizer) Table() string { return n.prices.Version() }

// OnUnpriced lets f know of each span with usage that names a model which has no price.
// The name is f's until it returns.
func (n *Normalizer) OnUnpriced(f func(model string)) { n.missed = f }

// layout is the table with numbers in the place of keys. It is the same for all
// and never changes.
type layout struct {
	slots map[string]int32
	keys  []string // by slot

	plain []compiledRule
	usage [numCounts]compiledRule
	costs [numCosts]compiledRule

	json map[string]bool // jsonKeys
}

type compiledRule struct {
	to      int32
	form    form
	sources []source
}

type source struct {
	slot int32
	kind string // "": of every kind
}

var sharedLayout = sync.OnceValue(newLayout)

func newLayout() *layout {
	l := &layout{slots: make(map[string]int32), json: make(map[string]bool)}
	for _, r := range rules() {
		l.plain = append(l.plain, l.compile(r))
	}
	for i, r := range usageRules() {
		l.usage[i] = l.compile(r)
	}
	for i, r := range costRules() {
		l.costs[i] = l.compile(r)
	}
	for _, key := range slices.Concat([]string{
		keyOperation, keyKind, srcLevel, keyLevel, srcLangfuseType, srcOpenInference, srcLangSmithKind, srcTraceloopKind, srcOperationID,
		srcGenkitKind, srcMLflowType, srcRequestType, srcToolName, srcFirstChunk, srcCostCurrency, srcUncachedInput, srcCompletion,
	}, serviceTiers(), speeds()) {
		l.slot(key)
	}
	for _, key := range jsonKeys() {
		l.json[key] = true
	}
	return l
}

func (l *layout) slot(key string) int32 {
	if s, ok := l.slots[key]; ok {
		return s
	}
	s := int32(len(l.keys)) //nolint:gosec // a few hundred
	l.slots[key] = s
	l.keys = append(l.keys, key)
	return s
}

func (l *layout) compile(r rule) compiledRule {
	c := compiledRule{to: l.slot(r.to), form: r.form}
	if !slices.Contains(r.from, r.to) {
		c.sources = append(c.sources, source{slot: c.to})
	}
	for _, from := range r.from {
		key, kind, _ := strings.Cut(from, "?")
		c.sources = append(c.sources, source{l.slot(key), kind})
	}
	return c
}

// Derive returns the attributes that follow from a row, in the form of
// schema.Span.Derived, in an order that follows from it too. They are nil for a
// span that is not about models. The row's own Derived is not looked at. The
// bytes are the caller's, who does not append to them.
func (n *Normalizer) Derive(s *schema.Span) []byte {
	n.span, n.marked, n.lists, n.spanKind = s, false, false, ""
	for kv := otlp.SpanKeyValues(s.Attributes); kv.Next(); {
		switch interestOf(alias(kv.Key)) {
		case interestNone:
			continue
		case interestMarker:
			n.marked = true
		case interestKnown:
		}
		n.take(alias(kv.Key), kv.Value)
	}
	n.lists = n.lists && n.marked
	if n.marked {
		n.derive()
	}
	out := n.encode()
	n.reset()
	return out
}

// take notes an attribute of the span. Of several with one key the first counts,
// as in queries.
func (n *Normalizer) take(key string, value []byte) {
	if slot, ok := n.layout.slots[key]; ok {
		if n.values[slot].Kind == schema.KindEmpty {
			n.set(slot, unquoted(key, otlp.ParseValue(value)))
		}
		n.lists = n.lists || isIndexed(key)
		return
	}
	if n.layout.json[key] {
		n.takeJSON(key, value)
		return
	}
	if isIndexed(key) {
		n.lists = true
		return
	}
	if !n.takeParameters(key, value) {
		n.takeMeta(key, value)
	}
}

// unquoted is the value of an attribute. MLflow writes texts as JSON, too.
func unquoted(key string, v schema.Value) schema.Value {
	if s := v.Str; v.Kind == schema.KindString && strings.HasPrefix(key, "mlflow.") && len(s) > 1 && len(s) <= maxText && s[0] == '"' && validJSON(s) {
		return text(unquote(s))
	}
	return v
}

func (n *Normalizer) set(slot int32, v schema.Value) {
	if v.Kind == schema.KindEmpty {
		return
	}
	n.values[slot] = v
	n.filled = append(n.filled, slot)
}

// takeJSON notes the members of an object in a text.
func (n *Normalizer) takeJSON(key string, value []byte) {
	s, ok := jsonText(value)
	if !ok {
		return
	}
	left := maxMembers
	flatten(key+".", s, maxDepth, &left, func(key string, v schema.Value) {
		if name, ok := strings.CutPrefix(key, prefixUsageDetail); ok {
			if count, ok := countOf(v); ok {
				n.details = append(n.details, member{name, count})
			}
			return
		}
		if slot, ok := n.layout.slots[key]; ok && n.values[slot].Kind == schema.KindEmpty {
			n.set(slot, v)
		}
	})
}

// jsonText is a text that is JSON and not too long.
func jsonText(value []byte) (string, bool) {
	v := otlp.ParseScalar(value)
	if v.Kind != schema.KindString || len(v.Text) > maxJSON {
		return "", false
	}
	s := strings.TrimSpace(alias(v.Text))
	return s, strings.HasPrefix(s, "{") && validJSON(s)
}

func (n *Normalizer) reset() {
	for _, slot := range n.filled {
		n.values[slot] = schema.Value{}
	}
	clear(n.derived)
	clear(n.meta)
	clear(n.request)
	n.filled, n.details, n.meta, n.request, n.derived = n.filled[:0], n.details[:0], n.meta[:0], n.request[:0], n.derived[:0]
	n.span = nil
}

// derive does what the table says.
func (n *Normalizer) derive() {
	n.setText(nameOf, n.span.Name)
	n.packedFinish()
	kind := n.kind()
	n.spanKind = kind
	if kind != kindSpan || n.span.Fragment == schema.FragmentNone {
		n.emit(keyKind, text(kind)) // other pieces of the span may say more
	}
	if op := operation(kind); op != "" && !n.has(keyOperation) {
		n.emit(keyOperation, text(op))
	}
	for i := range n.layout.plain {
		if v, ok := n.first(&n.layout.plain[i], kind); ok {
			n.emit(n.layout.keys[n.layout.plain[i].to], v)
		}
	}
	n.firstChunk()
	n.level()
	n.usageAndCost(kind)
	n.requestParameters()
	n.metadata()
}

// first is the value of a rule. What a canonical attribute already has is not
// derived again, but it counts.
func (n *Normalizer) first(r *compiledRule, kind string) (schema.Value, bool) {
	for _, from := range r.sources {
		if from.kind != "" && from.kind != kind {
			continue
		}
		v := n.values[from.slot]
		if v.Kind == schema.KindEmpty {
			continue
		}
		if n.layout.keys[from.slot] == srcMillisecs {
			ms, _ := numberOf(v)
			v = schema.Value{Kind: schema.KindDouble, Double: math.Round(ms*1e6) / 1e9}
		}
		if v, ok := coerce(v, r.form); ok {
			return v, true
		}
	}
	return schema.Value{}, false
}

// emit derives an attribute, unless the span has it just so.
func (n *Normalizer) emit(key string, v schema.Value) {
	if slot, ok := n.layout.slots[key]; ok && same(n.values[slot], v) {
		return
	}
	n.derived = append(n.derived, schema.Attribute{Key: key, Value: v})
}

func (n *Normalizer) setText(key, s string) {
	if slot := n.layout.slots[key]; n.values[slot].Kind == schema.KindEmpty {
		n.set(slot, text(s))
	}
}

func (n *Normalizer) value(key string) schema.Value { return n.values[n.layout.slots[key]] }

func (n *Normalizer) has(key string) bool { return n.value(key).Kind != schema.KindEmpty }

func (n *Normalizer) hasAny(keys ...string) bool { return slices.ContainsFunc(keys, n.has) }

// text is a source as text, "" if there is none.
func (n *Normalizer) text(key string) string {
	s, _ := textOf(n.value(key))
	return s
}

// derivedValue is what was derived under a key, or sent.
func (n *Normalizer) derivedValue(key string) schema.Value {
	for i := range n.derived {
		if n.derived[i].Key == key {
			return n.derived[i].Value
		}
	}
	return n.value(key)
}

// model is the name of a model, after the rules have been followed.
func (n *Normalizer) model(key string) string {
	s, _ := textOf(n.derivedValue(key))
	return s
}

// firstChunk is how long the first piece of an answer took, where that follows
// from a time, and the span has begun.
func (n *Normalizer) firstChunk() {
	if n.derivedValue(keyFirstChunk).Kind == schema.KindDouble {
		return
	}
	at, ok := timeOf(n.value(srcFirstChunk))
	if !ok {
		for m := otlp.EventMessages(n.span.Events); m.Next() && !ok; {
			if name := otlp.EventName(m.Message); bytes.Equal(name, []byte("ai.stream.firstChunk")) || bytes.Equal(name, []byte("First Token Stream Event")) {
				at, ok = int64(otlp.EventTime(m.Message)), true //nolint:gosec // compared below
			}
		}
	}
	if start := int64(n.span.StartNanos); ok && start > 0 && at >= start { //nolint:gosec // times of this century
		n.emit(keyFirstChunk, schema.Value{Kind: schema.KindDouble, Double: float64(at-start) / 1e9})
	}
}

// statusError is OTLP's code of failed spans.
const statusError = 2

func (n *Normalizer) level() {
	level := n.text(srcLevel)
	if level == "" {
		return
	}
	if n.span.StatusCode == statusError {
		level = "ERROR"
	}
	n.emit(keyLevel, text(strings.ToUpper(level)))
}

// spanAttributes is the number of the field of a span that has attributes.
const spanAttributes = 9

// arenaBytes is how much memory derived attributes take at once.
const arenaBytes = 16 << 10

// encode writes what was derived, and forgets it with the next row.
func (n *Normalizer) encode() []byte {
	if len(n.derived) == 0 {
		return nil
	}
	need := 0
	for i := range n.derived {
		need += len(n.derived[i].Key) + valueBytes(&n.derived[i].Value) + 12
	}
	if cap(n.arena)-len(n.arena) < need {
		n.arena = make([]byte, 0, max(arenaBytes, need))
	}
	at := len(n.arena)
	for i := range n.derived {
		n.arena = otlp.AppendKeyValue(n.arena, spanAttributes, n.derived[i].Key, n.derived[i].Value)
	}
	return n.arena[at:len(n.arena):len(n.arena)]
}

// valueBytes is about what a value takes.
func valueBytes(v *schema.Value) int {
	size := len(v.Str) + 12
	for i := range v.Array {
		size += valueBytes(&v.Array[i])
	}
	return size
}

// alias is the text of b without a copy: it shares the memory of the row.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
