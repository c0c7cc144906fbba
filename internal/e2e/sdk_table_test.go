//go:build sdk

package e2e_test

import "bytes"

// sdkProgram is an agent that runs with an SDK, in a folder of sdk/js, and what is
// to be found of it.
type sdkProgram struct {
	name, folder string
	args         []string
	// env is what a user sets, and nothing else: where the server is and the key.
	env func(at sdkPlace) []string
	// edit changes what the server answers.
	edit func(path string, body []byte) []byte

	paths   []string // that were asked, beside others
	missing []string // paths that are answered with 404, as the program expects
	// without are searches of every agent that find nothing, since the SDK does not send what
	// they look for; nil if there are none.
	without []string
	search  map[string]int // further ones, and how many of the two traces they find: the second, or both
	scores  []string       // names of the scores of each trace
	// streamed is what the SDK says of a streamed answer that costs 42 and 17 tokens, if that
	// is not what it cost.
	streamed *[2]int
	media    bool // the program sends a picture
}

// sdkPlace is what a program is told.
type sdkPlace struct{ http, grpc, public, secret string }

// sdkReport is what a program says it did.
type sdkReport struct {
	Traces []string
	Billed struct {
		Input, Output, Embedding int
		Cost                     float64
	}
}

// otlpEnv is how OpenTelemetry's SDKs are told.
func otlpEnv(protocol string) func(sdkPlace) []string {
	return func(at sdkPlace) []string {
		env := []string{
			"OTEL_EXPORTER_OTLP_ENDPOINT=" + at.http, "OTEL_EXPORTER_OTLP_PROTOCOL=" + protocol, "OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20" + at.secret,
			"OTEL_METRICS_EXPORTER=none", "OTEL_LOGS_EXPORTER=none", "OTEL_SERVICE_NAME=demo-agent",
		}
		if protocol == "grpc" {
			env[0] = "OTEL_EXPORTER_OTLP_ENDPOINT=http://" + at.grpc
		}
		return env
	}
}

func langfuseEnv(at sdkPlace) []string {
	return []string{
		"LANGFUSE_BASEURL=" + at.http, "LANGFUSE_BASE_URL=" + at.http, "LANGFUSE_PUBLIC_KEY=" + at.public, "LANGFUSE_SECRET_KEY=" + at.secret,
	}
}

func langsmithEnv(more ...string) func(sdkPlace) []string {
	return func(at sdkPlace) []string {
		return append([]string{"LANGSMITH_ENDPOINT=" + at.http, "LANGSMITH_API_KEY=" + at.secret, "LANGSMITH_TRACING=true", "LANGSMITH_PROJECT=demo-agent"}, more...)
	}
}

// Searches that find something of every agent.
const (
	sdkTool   = `{ span.gen_ai.tool.name = "get_weather" && span.spanlake.kind = "tool" }`
	sdkFinish = `{ span.gen_ai.response.finish_reasons = "tool_calls" }`
	// Only Langfuse's later SDKs say that something failed by a level, not by the status.
	sdkFailed     = `{ name =~ ".*book_trip" && (status = error || span.spanlake.level = "ERROR") }`
	sdkWhy        = `{ statusMessage =~ ".*no seats left.*" || span.langfuse.observation.status_message = "no seats left" || event.exception.message =~ "(?s).*no seats left.*" }`
	sdkFailedCall = `{ span.spanlake.kind = "llm" && (status = error || span.spanlake.level = "ERROR") }`
	sdkTags       = `{ span.spanlake.tags = "turn-2" }`
	sdkTenant     = `{ span.metadata.tenant = "acme" }`
)

func sdkTable() []sdkProgram {
	langfuse := []string{"helpful", "quality"}
	media := []string{"/api/public/otel/v1/traces", "/api/public/ingestion", "/api/public/media"}
	feedback := []string{"helpful", "tone"}
	traces := []string{"/v1/traces"}
	told := map[string]int{sdkTags: 1, sdkTenant: 2}
	noParts := func(path string, body []byte) []byte {
		if path != "/info" {
			return body
		}
		return bytes.Replace(body, []byte(`"use_multipart_endpoint":true`), []byte(`"use_multipart_endpoint":false`), 1)
	}
	return []sdkProgram{
		{
			name: "langfuse 3", folder: "langfuse3", env: langfuseEnv, paths: []string{"/api/public/ingestion", "/api/public/media"}, missing: []string{"/api/public/v2/prompts/qa-short"},
			scores: langfuse, media: true, search: map[string]int{sdkTags: 1, sdkTenant: 2, `{ name = "cache-miss" && span.spanlake.kind = "event" }`: 2, `{ rootName = "chat-turn" }`: 2},
			without: []string{sdkTool, sdkFinish}, // a span is a span
		},
		{name: "langfuse 4", folder: "langfuse4", env: langfuseEnv, paths: media, scores: langfuse, media: true, search: told, without: []string{sdkFailedCall, sdkFinish}}, // no call fails
		{name: "langfuse 5", folder: "langfuse5", env: langfuseEnv, paths: media, scores: langfuse, media: true, search: told, without: []string{sdkFinish}},
		{name: "langsmith in parts", folder: "langsmith", env: langsmithEnv(), paths: []string{"/info", "/runs/multipart", "/feedback"}, scores: feedback, search: told, without: []string{sdkFinish}},
		{name: "langsmith in batches", folder: "langsmith", env: langsmithEnv(), edit: noParts, paths: []string{"/info", "/runs/batch", "/feedback"}, scores: feedback, search: told, without: []string{sdkFinish}},
		{name: "langsmith one by one", folder: "langsmith", args: []string{"single"}, env: langsmithEnv(), paths: []string{"/runs", "/feedback"}, scores: feedback, search: told, without: []string{sdkFinish}},
		{name: "langsmith by OpenTelemetry", folder: "langsmith", env: langsmithEnv("LANGSMITH_OTEL_ENABLED=true"), paths: []string{"/otel/v1/traces"}, search: map[string]int{sdkTenant: 2}},
		{
			name: "phoenix", folder: "phoenix", paths: []string{"/v1/traces", "/v1/span_annotations"}, scores: []string{"helpful"},
			env: func(at sdkPlace) []string {
				return []string{"PHOENIX_COLLECTOR_ENDPOINT=" + at.http, "PHOENIX_HOST=" + at.http, "PHOENIX_API_KEY=" + at.secret}
			},
			without: []string{sdkFailedCall}, streamed: &[2]int{}, // sends neither spans of calls that fail nor tokens of those that are streamed
		},
		{
			name: "traceloop", folder: "traceloop", paths: traces, search: map[string]int{sdkTenant: 2},
			env: func(at sdkPlace) []string {
				return []string{"TRACELOOP_BASE_URL=" + at.http, "TRACELOOP_API_KEY=" + at.secret, "TRACELOOP_TELEMETRY=false"}
			},
			without: []string{sdkFailed, sdkWhy, sdkFailedCall}, streamed: &[2]int{26, 8}, // sends no span of what fails, and estimates
		},
		{name: "ai 4", folder: "ai4", env: otlpEnv("http/protobuf"), paths: traces},
		{name: "ai 6", folder: "ai6", env: otlpEnv("http/json"), paths: traces},
		{name: "ai 7", folder: "ai7", env: otlpEnv("http/protobuf"), paths: traces},
		{name: "ai 7 legacy", folder: "ai7", args: []string{"legacy"}, env: otlpEnv("http/protobuf"), paths: traces},
		{name: "otel protobuf", folder: "otel", env: otlpEnv("http/protobuf"), paths: traces},
		{name: "otel json", folder: "otel", env: otlpEnv("http/json"), paths: traces},
		{name: "otel grpc", folder: "otel", env: otlpEnv("grpc")},
	}
}
