package traceql

import (
	"strings"
	"unicode"
)

// Scope says where an attribute is looked up.
type Scope uint8

// The scopes of attributes.
const (
	ScopeNone            Scope = iota // .key: the span, then its resource
	ScopeSpan                         // span.key
	ScopeResource                     // resource.key
	ScopeEvent                        // event.key, any event of the span
	ScopeLink                         // link.key, any link of the span
	ScopeInstrumentation              // instrumentation.key
	ScopeParent                       // parent.key, refused by the checks
	ScopeParentSpan                   // parent.span.key, refused by the checks
	ScopeParentResource               // parent.resource.key, refused by the checks
)

var scopePrefixes = [...]string{
	ScopeNone:            ".",
	ScopeSpan:            "span.",
	ScopeResource:        "resource.",
	ScopeEvent:           "event.",
	ScopeLink:            "link.",
	ScopeInstrumentation: "instrumentation.",
	ScopeParent:          "parent.",
	ScopeParentSpan:      "parent.span.",
	ScopeParentResource:  "parent.resource.",
}

// String is the prefix as a query spells it, with its dot.
func (s Scope) String() string { return scopePrefixes[s] }

func (s Scope) ofParent() bool { return s >= ScopeParent }

// matchScope finds the longest scope prefix that src, not empty, begins with.
func matchScope(src string) (Scope, bool) {
	switch src[0] {
	case '.', 's', 'r', 'e', 'l', 'i', 'p':
	default:
		return ScopeNone, false
	}
	best, found := ScopeNone, false
	for s, prefix := range scopePrefixes {
		if strings.HasPrefix(src, prefix) && (!found || len(prefix) > len(best.String())) {
			best, found = Scope(s), true //nolint:gosec // an index of a short table
		}
	}
	return best, found
}

// attributeEnd reports whether r ends an unquoted attribute name.
func attributeEnd(r rune) bool {
	switch r {
	case '{', '}', '(', ')', '=', '~', '!', '<', '>', '&', '|', '^', ',', ' ':
		return true
	}
	return unicode.IsSpace(r)
}

// IntrinsicID names an intrinsic.
type IntrinsicID uint8

// The intrinsics. The comments give the type and the meaning.
const (
	IntrinsicNone                   IntrinsicID = iota
	IntrinsicDuration                           // duration: end minus start of the span
	IntrinsicName                               // string: name of the span
	IntrinsicStatus                             // status
	IntrinsicStatusMessage                      // string, "" if none
	IntrinsicKind                               // kind
	IntrinsicSpanID                             // string: 16 lower-case hex digits
	IntrinsicParentID                           // string: likewise, "" for a root
	IntrinsicChildCount                         // int: direct children
	IntrinsicTraceDuration                      // duration: last end minus first start of the trace
	IntrinsicTraceRootName                      // string: name of the root span, "" when it has not arrived
	IntrinsicTraceRootService                   // string: service.name of the root span, likewise
	IntrinsicTraceID                            // string: 32 lower-case hex digits
	IntrinsicEventName                          // string: of any event
	IntrinsicEventTimeSinceStart                // duration: time of any event minus start of the span
	IntrinsicLinkTraceID                        // string: hex, of any link
	IntrinsicLinkSpanID                         // string: hex, of any link
	IntrinsicInstrumentationName                // string: name of the scope
	IntrinsicInstrumentationVersion             // string: version of the scope
	IntrinsicNestedSetLeft                      // int: place of the span in its tree
	IntrinsicNestedSetRight                     // int
	IntrinsicNestedSetParent                    // int, -1 for a root
	IntrinsicParent                             // the parent span, refused by the checks
)

// intrinsicTable lists canonical name, alias and type. Results carry the
// canonical name.
var intrinsicTable = [...]struct {
	name, alias string
	typ         Type
}{
	IntrinsicNone:                   {},
	IntrinsicDuration:               {"duration", "span:duration", TypeDuration},
	IntrinsicName:                   {"name", "span:name", TypeString},
	IntrinsicStatus:                 {"status", "span:status", TypeStatus},
	IntrinsicStatusMessage:          {"statusMessage", "span:statusMessage", TypeString},
	IntrinsicKind:                   {"kind", "span:kind", TypeKind},
	IntrinsicSpanID:                 {"span:id", "", TypeString},
	IntrinsicParentID:               {"span:parentID", "", TypeString},
	IntrinsicChildCount:             {"span:childCount", "", TypeInt},
	IntrinsicTraceDuration:          {"traceDuration", "trace:duration", TypeDuration},
	IntrinsicTraceRootName:          {"rootName", "trace:rootName", TypeString},
	IntrinsicTraceRootService:       {"rootServiceName", "trace:rootService", TypeString},
	IntrinsicTraceID:                {"trace:id", "", TypeString},
	IntrinsicEventName:              {"event:name", "", TypeString},
	IntrinsicEventTimeSinceStart:    {"event:timeSinceStart", "", TypeDuration},
	IntrinsicLinkTraceID:            {"link:traceID", "", TypeString},
	IntrinsicLinkSpanID:             {"link:spanID", "", TypeString},
	IntrinsicInstrumentationName:    {"instrumentation:name", "", TypeString},
	IntrinsicInstrumentationVersion: {"instrumentation:version", "", TypeString},
	IntrinsicNestedSetLeft:          {"nestedSetLeft", "", TypeInt},
	IntrinsicNestedSetRight:         {"nestedSetRight", "", TypeInt},
	IntrinsicNestedSetParent:        {"nestedSetParent", "", TypeInt},
	IntrinsicParent:                 {"parent", "", TypeNil},
}

// String is the canonical name.
func (id IntrinsicID) String() string { return intrinsicTable[id].name }

// Type is the type of the intrinsic's values.
func (id IntrinsicID) Type() Type { return intrinsicTable[id].typ }

// OfTrace reports whether the intrinsic is known only when the whole trace is.
func (id IntrinsicID) OfTrace() bool {
	switch id {
	case IntrinsicTraceDuration, IntrinsicTraceRootName, IntrinsicTraceRootService:
		return true
	default:
		return id.structural()
	}
}

// structural intrinsics need the tree of the trace.
func (id IntrinsicID) structural() bool {
	switch id {
	case IntrinsicChildCount, IntrinsicNestedSetLeft, IntrinsicNestedSetRight, IntrinsicNestedSetParent:
		return true
	default:
		return false
	}
}

func lookupIntrinsic(word string) IntrinsicID {
	if word == "" {
		return IntrinsicNone
	}
	for id, entry := range intrinsicTable {
		if entry.name == word || entry.alias == word {
			return IntrinsicID(id) //nolint:gosec // an index of a short table
		}
	}
	return IntrinsicNone
}
