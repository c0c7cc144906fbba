package llm

import (
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// srcProject is the attribute of a resource by which Phoenix's SDKs name a project,
// instead of a service.
const srcProject = "openinference.project.name"

// maxResources bounds the resources that are remembered.
const maxResources = 1024

// named returns the resource of a row with a service's name, and the memory that it
// takes if it was made for this row: rows share resources, and go on to. Who has none
// but names a project, as Phoenix's SDKs do, is that; else it would be in no list of
// services.
func (n *Normalizer) named(r *schema.Resource) (named *schema.Resource, bytes int) {
	if named, ok := n.resources[r]; ok {
		return named, 0
	}
	if len(n.resources) >= maxResources {
		clear(n.resources)
	}
	named = r
	_, other := otlp.LookupResource(r, "service.name") // of another type, or an empty text
	if project, _ := otlp.LookupResource(r, srcProject); !other && project.Kind == schema.KindString && project.Str != "" {
		named = otlp.WithServiceName(r, project.Str)
		bytes = len(named.Wire)
	}
	n.resources[r] = named
	return named, bytes
}
