// Package querier answers queries over Grafana Tempo's API, HTTP and gRPC: traces
// by id, TraceQL searches and metrics, names and values of tags. Blocks and live data are joined by log position, so that
// a query sees every span that was acknowledged before it began, once.
//
// It promises no compatibility: it is importable only because of its place.
package querier
