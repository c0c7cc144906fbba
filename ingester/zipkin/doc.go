// Package zipkin takes spans as Zipkin's reporters send them.
package zipkin
