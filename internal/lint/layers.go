// Package lint states which package may import which, and what no file of the
// repository may hold. Its tests check the repository against it; nothing
// imports it.
package lint

import (
	"fmt"
	"slices"
	"strings"
)

// module is the path that this repository's packages begin with.
const module = "github.com/spanlake/spanlake/"

// folder is a package and all packages below it, by path within the module.
type folder = string

// floors lists the floor of every package. A package that is not listed has
// the floor of the nearest one above it that is. Imports point down: to a
// strictly lower floor, or along the path to an own parent or child.
func floors() map[folder]int {
	return map[folder]int{
		"cmd/spanlake": 7,
		"functions":    7,
		"internal/e2e": 7, // tests only: starts what the command starts

		"internal/app": 6,

		"internal/protocols":      5,
		"internal/sim":            5,
		"functions/internal/host": 5,

		"ingester":             4,
		"compactor":            4,
		"internal/spanmetrics": 4,
		"querier":              4,

		"internal/settings":  4,
		"functions/internal": 4,

		"internal/access":       3,
		"internal/catalog":      3,
		"internal/conversation": 3,

		"internal/block":   2,
		"internal/engine":  2,
		"internal/erasure": 2,
		"internal/llm":     2,
		"internal/project": 2,

		"internal/vec/vectest": 2,
		"traceql/traceqltest":  2, // reads attributes through internal/otlp

		// These know nothing of blocks, and others below internal/block use them.
		"internal/block/encoding": 1,
		"internal/block/parquet":  1,

		// Knows nothing of spans, and internal/project has prices of its own.
		"internal/llm/price": 1,

		"traceql":            1,
		"internal/vec":       1,
		"internal/otlp":      1,
		"internal/jsonvalue": 1,
		"internal/objstore":  1,
		"internal/wal":       1,
		"internal/wire":      1,
		"internal/corpus":    1,

		"docs":             0, // texts that the program shows
		"internal/clock":   0,
		"internal/failure": 0,
		"internal/login":   0,
		"schema":           0,
	}
}

// outside lists what has no floor and is imported by nobody.
func outside() []folder { return []folder{"internal/benchtable", "internal/lint", "internal/release"} }

// testSupport may be imported by the tests of every package, whatever its
// floor.
func testSupport() []folder {
	return append(testOnly(), "internal/objstore/fs", "internal/wal/embedded")
}

// testOnly is test support that the program itself never uses.
func testOnly() []folder {
	return []folder{
		"internal/corpus",
		"internal/login/secrettest",
		"internal/objstore/fault",
		"internal/objstore/mem",
		"internal/objstore/objstoretest",
		"internal/objstore/s3/s3test",
		"internal/vec/vectest",
		"internal/wal/mem",
		"internal/wal/waltest",
		"querier/tempopb/tempopbtest",
		"traceql/traceqltest",
	}
}

// testWorlds hold nothing but tests and what these need.
func testWorlds() []folder { return []folder{"internal/e2e", "internal/sim"} }

// border keeps a dependency in few places.
type border struct {
	// dependency is the path that all its packages begin with.
	dependency string
	// inside are the only folders that import it.
	inside []folder
	// tests are folders of which tests import it, too.
	tests []folder
	// minFloor also lets in every package of this floor or above; 0 for none.
	minFloor int
}

func borders() []border {
	const dskit = "github.com/grafana/dskit"
	app := []folder{"internal/app"}
	aws := []folder{"internal/objstore/s3", "internal/login", "functions"}
	return []border{
		{dependency: "github.com/apache/arrow", inside: []folder{"internal/block/parquet"}, tests: []folder{"internal/block"}},
		{dependency: "github.com/aws/aws-sdk-go-v2", inside: aws},
		{dependency: "github.com/aws/smithy-go", inside: aws},
		{dependency: "github.com/aws/aws-lambda-go", inside: []folder{"functions"}},
		{dependency: "github.com/nats-io/nats.go", inside: []folder{"internal/wal", "internal/wire", "internal/login"}},
		{dependency: "github.com/modelcontextprotocol/go-sdk", inside: []folder{"querier/mcp"}, tests: app},
		{dependency: "github.com/apache/thrift", inside: []folder{"ingester/jaeger"}},
		{dependency: "github.com/jaegertracing/jaeger-idl", inside: []folder{"ingester/jaeger", "querier/jaeger"}, tests: app},
		{dependency: "github.com/openzipkin/zipkin-go", inside: []folder{"ingester/zipkin"}, tests: app},
		{dependency: "github.com/nats-io/nats-server", inside: []folder{"internal/wal/embedded"}},
		{dependency: dskit, minFloor: 4},
		{dependency: dskit + "/server", inside: app},
		{dependency: dskit + "/modules", inside: app},
		{dependency: dskit + "/middleware", inside: app},
		{dependency: dskit + "/signals", inside: app},
		{dependency: dskit + "/log", inside: app},
		{dependency: "github.com/go-kit/log", inside: app},
		// These need a replaced module, and a module with replacements
		// cannot be installed by its path.
		{dependency: dskit + "/ring"},
		{dependency: dskit + "/kv"},
		{dependency: dskit + "/runtimeconfig"},
	}
}

// unlinked lists, by folder, what must not even be linked: it would make a
// function's start slow and its archive large.
func unlinked() map[folder][]string {
	return map[folder][]string{
		"functions": {"github.com/grafana/dskit/server", "github.com/nats-io/nats-server"},
	}
}

// pkg is what the checks know about a package. Paths are import paths.
type pkg struct {
	ImportPath   string
	Imports      []string
	TestImports  []string // of tests within the package
	XTestImports []string // of tests beside it
	Deps         []string // everything linked, the standard library included
}

// check returns what is wrong with the imports of p.
func check(p pkg) (faults []string) {
	path := strings.TrimPrefix(p.ImportPath, module)
	if within(path, outside()...) {
		return nil
	}
	floor, listed := floorOf(path)
	if !listed {
		return []string{path + " has no floor: add it to the table in internal/lint"}
	}
	fault := func(imported, format string, args ...any) {
		faults = append(faults, fmt.Sprintf("%s (floor %d) imports %s: %s", path, floor, imported, fmt.Sprintf(format, args...)))
	}
	for _, imported := range p.Imports {
		if rule := checkEdge(path, floor, imported, false); rule != "" {
			fault(imported, "%s", rule)
		}
	}
	for _, imported := range slices.Concat(p.TestImports, p.XTestImports) {
		if rule := checkTestEdge(path, floor, imported); rule != "" {
			fault(imported, "%s, and it is no test support", rule)
		}
	}
	for dir, dependencies := range unlinked() {
		for _, linked := range p.Deps {
			if within(path, dir) && within(linked, dependencies...) {
				fault(linked, "%s must not link it", dir)
			}
		}
	}
	return faults
}

// checkEdge returns the rule that an import breaks, empty if none. test says
// that it is one of a test.
func checkEdge(path string, floor int, imported string, test bool) string {
	target, own := strings.CutPrefix(imported, module)
	if !own {
		return checkBorders(path, floor, imported, test)
	}
	targetFloor, listed := floorOf(target)
	switch {
	case !listed:
		return "it has no floor"
	case within(target, testOnly()...) && !within(path, testWorlds()...) && !within(path, testOnly()...):
		return "it is for tests only"
	case targetFloor < floor || within(path, target) || within(target, path):
		return ""
	default:
		return fmt.Sprintf("it is on floor %d", targetFloor)
	}
}

// checkTestEdge is checkEdge for the imports of tests.
func checkTestEdge(path string, floor int, imported string) string {
	if target, own := strings.CutPrefix(imported, module); own && within(target, testSupport()...) {
		return ""
	}
	return checkEdge(path, floor, imported, true)
}

func checkBorders(path string, floor int, imported string, test bool) string {
	for _, b := range borders() {
		allowed := within(path, b.inside...) || test && within(path, b.tests...) || b.minFloor > 0 && floor >= b.minFloor
		switch {
		case allowed || !within(imported, b.dependency):
		case b.minFloor > 0:
			return fmt.Sprintf("it is allowed from floor %d up", b.minFloor)
		default:
			return fmt.Sprintf("it is allowed in %v", b.inside)
		}
	}
	return ""
}

// floorOf returns the floor of a package, and false if neither it nor one
// above it is listed.
func floorOf(path string) (int, bool) {
	table := floors()
	for {
		if floor, ok := table[path]; ok {
			return floor, true
		}
		slash := strings.LastIndexByte(path, '/')
		if slash < 0 {
			return 0, false
		}
		path = path[:slash]
	}
}

// within reports whether path is one of the folders or below one.
func within(path string, folders ...folder) bool {
	return slices.ContainsFunc(folders, func(f folder) bool {
		return path == f || strings.HasPrefix(path, f+"/")
	})
}
