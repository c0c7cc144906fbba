package verdict

import (
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// serviceName is the attribute that no resource lacks: it is "" then.
const serviceName = "service.name"

// AnyValue decides OTLP AnyValue messages.
func AnyValue(p *vec.Predicate) Decider {
	return func(stored []byte) Verdict { return verdictOf(p.Holds(otlp.ParseValue(stored))) }
}

// Attributes decides Attributes fragments of spans.
func Attributes(p *vec.Predicate) Decider {
	return func(stored []byte) Verdict {
		v, found := otlp.Lookup(stored, p.Field.Key)
		if !found {
			return Absent
		}
		return verdictOf(p.Holds(v))
	}
}

// Resource decides the wire form of resources. The service name is never
// absent.
func Resource(p *vec.Predicate) Decider {
	return func(stored []byte) Verdict {
		r := schema.Resource{Wire: stored}
		verdict := first(p, otlp.ResourceAttributes(&r))
		if verdict == Absent && p.Field.Key == serviceName {
			return verdictOf(p.Holds(schema.Value{Kind: schema.KindString}))
		}
		return verdict
	}
}

// Scope decides the wire form of instrumentation scopes.
func Scope(p *vec.Predicate) Decider {
	return func(stored []byte) Verdict {
		s := schema.Scope{Wire: stored}
		return first(p, otlp.ScopeAttributes(&s))
	}
}

// Events decides Events fragments of spans.
func Events(p *vec.Predicate) Decider {
	return func(stored []byte) Verdict {
		verdict := Absent
		for e := range otlp.Events(&schema.Span{Events: stored}) {
			if verdict = max(verdict, first(p, e.Attributes)); verdict == Holds {
				break
			}
		}
		return verdict
	}
}

// Links decides Links fragments of spans.
func Links(p *vec.Predicate) Decider {
	return func(stored []byte) Verdict {
		verdict := Absent
		for l := range otlp.Links(&schema.Span{Links: stored}) {
			if verdict = max(verdict, first(p, l.Attributes)); verdict == Holds {
				break
			}
		}
		return verdict
	}
}

// first decides the first attribute that has the key.
func first(p *vec.Predicate, list []schema.Attribute) Verdict {
	for i := range list {
		if list[i].Key == p.Field.Key {
			return verdictOf(p.Holds(list[i].Value))
		}
	}
	return Absent
}
