// Package spanmetrics counts spans and the calls between services, as Grafana's service
// map and its table ask Prometheus for them, under the names that Tempo's metrics
// generator gives them.
package spanmetrics
