package main

import (
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/spanlake/spanlake/internal/app"
)

// banner is what serve prints when it is ready. Addresses that the target has
// not are nil.
type banner struct {
	version, target, blocks, log string
	api, grpc, http              net.Addr
	auth, retention              string
	now                          time.Time
}

// The ids of the span that the banner's curl line sends: sent twice it is
// still one span.
const (
	firstTraceID = "5ba11a5e000000000000000000000001"
	firstSpanID  = "5ba11a5e00000001"
)

func printBanner(w io.Writer, b banner) error {
	var out strings.Builder
	fmt.Fprintf(&out, "spanlake %s is ready (target %s).\n\n", b.version, b.target)
	if b.grpc != nil {
		fmt.Fprintf(&out, "  OTLP gRPC  %s\n", dialable(b.grpc))
		fmt.Fprintf(&out, "  OTLP HTTP  http://%s\n", dialable(b.http))
	}
	fmt.Fprintf(&out, "  API        http://%s", dialable(b.api))
	if b.target == app.TargetAll || b.target == app.TargetQuerier {
		out.WriteString("  (the URL of a Tempo data source in Grafana)")
	}
	fmt.Fprintf(&out, "\n  Blocks     %s\n  Log        %s\n", b.blocks, b.log)
	fmt.Fprintf(&out, "  Retention  %s, unless a project sets its own: spanlake project set-retention default 30d\n", b.retention)
	fmt.Fprintf(&out, "  Keys       %s\n", keysLine(b.auth))
	if b.http != nil {
		fmt.Fprintf(&out, "\nSend the spans of an instrumented program here:\n  export OTEL_EXPORTER_OTLP_ENDPOINT=http://%s OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n", dialable(b.http))
		fmt.Fprintf(&out, "\nSend a first span:\n  curl -s http://%s/v1/traces -H 'Content-Type: application/json' -d '%s'\n", dialable(b.http), firstSpan(b.now))
	}
	if b.http != nil && b.target == app.TargetAll {
		fmt.Fprintf(&out, "\nRead it back:\n  curl -s http://%s/api/traces/%s\n", dialable(b.api), firstTraceID)
	}
	out.WriteString("\n")
	_, err := io.WriteString(w, out.String())
	return err
}

// keysLine says what -auth.mode means.
func keysLine(mode string) string {
	switch mode {
	case "keys":
		return "needed for everything (-auth.mode=keys): spanlake project add-key"
	case "header":
		return "none, a proxy in front names the project (-auth.mode=header)"
	}
	return "none, who reaches a port may write and read (-auth.mode=none)"
}

// firstSpan is an export request with one span of a quarter second until now.
func firstSpan(now time.Time) string {
	const form = `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"first-steps"}}]},` +
		`"scopeSpans":[{"spans":[{"traceId":"%s","spanId":"%s","name":"hello spanlake","kind":2,` +
		`"startTimeUnixNano":"%d","endTimeUnixNano":"%d","status":{"code":1}}]}]}]}`
	return fmt.Sprintf(form, firstTraceID, firstSpanID, now.Add(-250*time.Millisecond).UnixNano(), now.UnixNano())
}

// dialable is an address that a program on this machine can connect to.
func dialable(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
