package ingester

import (
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

const (
	// maxUnpriced bounds the models that are counted by name: clients choose them.
	maxUnpriced = 100
	// maxModelBytes is the longest name that is shown.
	maxModelBytes = 100
	// otherModels stands for all others.
	otherModels = "other"
)

// unpriced counts spans of models without a price. Safe for concurrent use.
type unpriced struct {
	total *prometheus.CounterVec

	mu    sync.Mutex
	named map[string]prometheus.Counter
}

func newUnpriced(reg prometheus.Registerer) *unpriced {
	return &unpriced{
		named: make(map[string]prometheus.Counter),
		total: promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
			Name: "spanlake_unpriced_model_total",
			Help: "Spans with usage of a model that has no price, as blocks are built. The first hundred models have their names, the rest is other.",
		}, []string{"model"}),
	}
}

func (u *unpriced) add(model string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	c, ok := u.named[model]
	if !ok {
		if len(u.named) >= maxUnpriced || len(model) > maxModelBytes || !utf8.ValidString(model) {
			u.total.WithLabelValues(otherModels).Inc()
			return
		}
		model = strings.Clone(model) // it shares memory with the row
		c = u.total.WithLabelValues(model)
		u.named[model] = c
	}
	c.Inc()
}
