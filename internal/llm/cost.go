package llm

import (
	"cmp"

	"github.com/spanlake/spanlake/internal/llm/price"
	"github.com/spanlake/spanlake/schema"
)

// What costs are of.
const (
	costTotal = iota
	costInput
	costOutput
	numCosts
)

// Values of spanlake.cost.source.
const (
	costProvided = "provided"
	costComputed = "computed"
)

// cost derives what a call cost, and reports whether that is more than nothing.
// What a client says counts, even a part of it: then nothing is computed.
func (n *Normalizer) cost(kind string, u *usage) bool {
	var given [numCosts]float64
	var has [numCosts]bool
	provided := false
	for i := range n.layout.costs {
		if i == costTotal && n.foreignCurrency() {
			continue
		}
		if v, ok := n.first(&n.layout.costs[i], kind); ok {
			given[i], has[i], provided = v.Double, true, true
		}
	}
	if !provided {
		return n.computedCost(u)
	}
	if !has[costTotal] {
		given[costTotal], has[costTotal] = given[costInput]+given[costOutput], true
	}
	n.emitCosts(given, has, costProvided)
	return given[costTotal] > 0
}

func (n *Normalizer) emitCosts(costs [numCosts]float64, has [numCosts]bool, from string) {
	for i, c := range costs {
		if has[i] {
			n.emit(n.layout.keys[n.layout.costs[i].to], schema.Value{Kind: schema.KindDouble, Double: c})
		}
	}
	n.emit(keyCostSource, text(from))
}

// foreignCurrency reports whether the span gives its cost in another currency
// than dollars.
func (n *Normalizer) foreignCurrency() bool {
	c := n.text(srcCostCurrency)
	return c != "" && c != "USD" && c != "usd"
}

// maxPriced bounds the models whose prices are remembered.
const maxPriced = 4096

// computedCost prices the usage of a span that names a model. A model without a
// price has no cost, not one of 0.
func (n *Normalizer) computedCost(u *usage) bool {
	if u[countInput] == noCount && u[countOutput] == noCount {
		return false
	}
	response, request := n.model(keyResponseModel), n.model(keyRequestModel)
	entry := n.priceOf(n.model(keyProvider), response, request)
	if entry == nil {
		if model := cmp.Or(response, request); n.missed != nil && model != "" {
			n.missed(model)
		}
		return false
	}
	call := price.Call{
		Input: u.of(countInput), CacheRead: u.of(countCacheRead), CacheWrite: u.of(countCacheWrite), CacheWrite1h: u.of(countCacheWrite1h),
		AudioInput: u.of(countAudioInput), Output: u.of(countOutput), Reasoning: u.of(countReasoning), AudioOutput: u.of(countAudioOutput),
		ServiceTier: n.firstText(serviceTiers()), Speed: n.firstText(speeds()),
	}
	c, ok := entry.Of(&call)
	if !ok {
		return false
	}
	n.emitCosts([numCosts]float64{costTotal: c.Total, costInput: c.Input, costOutput: c.Output}, [numCosts]bool{true, true, true}, costComputed)
	n.emit(keyCostTable, text(n.prices.Version()))
	return c.Total > 0
}

func (n *Normalizer) firstText(keys []string) string {
	for _, key := range keys {
		if s := n.text(key); s != "" {
			return s
		}
	}
	return ""
}

// priceOf is the price of the model that answered, else of the one that was
// asked.
func (n *Normalizer) priceOf(provider, response, request string) *price.Entry {
	key := modelKey{provider, response, request}
	if e, ok := n.priced[key]; ok {
		return e
	}
	e := n.prices.Find(provider, response)
	if e == nil {
		e = n.prices.Find(provider, request)
	}
	if len(n.priced) >= maxPriced {
		clear(n.priced)
	}
	// The names share memory with the row.
	n.priced[modelKey{cloned(provider), cloned(response), cloned(request)}] = e
	return e
}
