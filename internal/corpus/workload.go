package corpus

import (
	"iter"
	"math/rand/v2"
)

// Mix is what the traces of a workload are about.
type Mix string

// The mixes.
const (
	// MixMicro is requests through a web shop of forty services: HTTP, RPC,
	// databases and queues after OpenTelemetry's conventions.
	MixMicro Mix = "micro"
	// MixLLM is runs of agents: calls of models with the conversation so far,
	// tools and retrieval, with gen_ai, OpenInference and Langfuse attributes.
	MixLLM Mix = "llm"
	// MixBoth is six spans of the first to four of the second.
	MixBoth Mix = "mix"
)

// llmShare is the share of LLM spans of a mix.
func (m Mix) llmShare() float64 {
	switch m {
	case MixMicro:
		return 0
	case MixLLM:
		return 1
	case MixBoth:
		return 0.4
	default:
		return MixBoth.llmShare()
	}
}

const (
	// WorkloadStart is when the first trace of every workload begins, Unix
	// nanoseconds: 2026-01-15T10:00:00Z.
	WorkloadStart = DatasetStart * second
	// workloadGap is the mean time between the starts of two traces.
	workloadGap = 40 * millisecond
)

// Workload yields the export requests of clients that sent the given number of
// spans, in traces of about 15. Each request has one resource and up to 512
// spans of several traces; the spans of a trace come in several requests, as
// each service sends its own. The same arguments give the same bytes. A request
// is an OTLP TracesData message as well; the caller may keep and change it.
func Workload(seed uint64, spans int, mix Mix) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		w := newWorkload(seed, mix, yield)
		for w.open && w.sent < spans {
			w.trace(spans - w.sent)
		}
		w.flush()
	}
}

// workload is the world that traces happen in.
type workload struct {
	random
	yield func([]byte) bool
	open  bool // yield wants more

	now      uint64 // start of the current trace, Unix nanoseconds
	sent     int    // spans so far
	llmSent  int    // of these the LLM spans
	llmShare float64
	pods     []*pod // all that have something to send, in order of creation

	shop   shop
	agents agents
}

func newWorkload(seed uint64, mix Mix, yield func([]byte) bool) *workload {
	rng := rand.New(rand.NewPCG(seed, 0x7370616e))
	w := &workload{random: newRandom(rng), yield: yield, open: true, now: WorkloadStart, llmShare: mix.llmShare()}
	w.shop = newShop(w)
	w.agents = newAgents(w)
	return w
}

// trace makes one trace and cuts it to limit spans.
func (w *workload) trace(limit int) {
	w.now += uint64(w.rng.ExpFloat64() * workloadGap)
	llm := w.llmShare > 0 && float64(w.llmSent) <= w.llmShare*float64(w.sent)
	t := &trace{world: w}
	t.id = w.bytes16()
	if llm {
		t.agentRun()
	} else {
		t.shopRequest()
	}
	t.spans = t.spans[:min(len(t.spans), limit)]
	for _, s := range t.spans {
		w.send(t, s)
	}
	w.sent += len(t.spans)
	if llm {
		w.llmSent += len(t.spans)
	}
}

// send gives a span to the pod that made it.
func (w *workload) send(t *trace, s *traceSpan) {
	if s.pod.add(t.id, s) {
		w.export(s.pod)
	}
}

// flush sends what is left.
func (w *workload) flush() {
	for _, p := range w.pods {
		w.export(p)
	}
}

func (w *workload) export(p *pod) {
	if request := p.request(); w.open && request != nil {
		w.open = w.yield(request)
	}
}
