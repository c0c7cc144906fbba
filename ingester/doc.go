// Package ingester takes spans in and brings them to the bucket: receivers
// (OTLP over gRPC and HTTP) that publish to the log and answer after its
// acknowledgement, and builders that read the log, hold its tail in memory for
// queries, write one block per project at each cut and purge what is stored.
//
// It promises no compatibility: it is importable only because of its place.
package ingester
