// Package phoenix takes the annotations that Phoenix' clients send. Their spans are
// OTLP.
package phoenix
