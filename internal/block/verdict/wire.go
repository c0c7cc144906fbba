package verdict

import (
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
)

// AnyValue decides OTLP AnyValue messages.
func AnyValue(p *vec.Predicate) Decider {
	return func(stored []byte) Verdict { return Of(p.Holds(otlp.ParseValue(stored))) }
}

// Attributes decides Attributes fragments of spans.
func Attributes(p *vec.Predicate) Decider {
	return func(stored []byte) Verdict {
		v, found := otlp.Lookup(stored, p.Field.Key)
		if !found {
			return Absent
		}
		return Of(p.Holds(v))
	}
}

// Resource decides the wire form of resources.
func Resource(p *vec.Predicate) Decider {
	return func(stored []byte) Verdict { return first(p, otlp.ResourceMessages(stored), otlp.ResourceKeyValues) }
}

// Scope decides the wire form of instrumentation scopes.
func Scope(p *vec.Predicate) Decider {
	return func(stored []byte) Verdict { return first(p, otlp.ScopeMessages(stored), otlp.ScopeKeyValues) }
}

// Events decides Events fragments of spans.
func Events(p *vec.Predicate) Decider {
	return func(stored []byte) Verdict { return anyOf(p, otlp.EventMessages(stored), otlp.EventKeyValues) }
}

// EventNames decides the names of the events in Events fragments of spans.
func EventNames(p *vec.Predicate) Decider {
	text := Text(p)
	return func(stored []byte) Verdict {
		verdict := Absent
		for events := otlp.EventMessages(stored); verdict != Holds && events.Next(); {
			verdict = max(verdict, text(otlp.EventName(events.Message)))
		}
		return verdict
	}
}

// Links decides Links fragments of spans.
func Links(p *vec.Predicate) Decider {
	return func(stored []byte) Verdict { return anyOf(p, otlp.LinkMessages(stored), otlp.LinkKeyValues) }
}

// first decides the first attribute that has the key.
func first(p *vec.Predicate, messages otlp.Messages, attributes func([]byte) otlp.KeyValues) Verdict {
	for messages.Next() {
		if verdict := firstOf(p, attributes(messages.Message)); verdict != Absent {
			return verdict
		}
	}
	return Absent
}

// anyOf decides the first attribute that has the key of each message.
func anyOf(p *vec.Predicate, messages otlp.Messages, attributes func([]byte) otlp.KeyValues) Verdict {
	verdict := Absent
	for verdict != Holds && messages.Next() {
		verdict = max(verdict, firstOf(p, attributes(messages.Message)))
	}
	return verdict
}

func firstOf(p *vec.Predicate, attributes otlp.KeyValues) Verdict {
	for attributes.Next() {
		if string(attributes.Key) == p.Field.Key {
			return Of(p.Holds(otlp.ParseValue(attributes.Value)))
		}
	}
	return Absent
}
