// Package jaeger takes batches of spans as Jaeger's clients and agents send them.
package jaeger
