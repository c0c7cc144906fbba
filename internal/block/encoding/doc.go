// Package encoding holds the Parquet value encodings that blocks use: plain
// byte arrays, the run-length and bit-packing hybrid, and delta binary packing.
// It works on bytes in memory and knows neither files nor pages. Decoders take
// a destination of the exact number of values, never write beyond it, never
// panic on foreign bytes, and always terminate.
//
// Reference: https://parquet.apache.org/docs/file-format/data-pages/encodings/
package encoding

import "errors"

// ErrMalformed is returned for bytes that are not the encoding of as many
// values as asked for, or that hold a value out of bounds.
var ErrMalformed = errors.New("malformed encoding")
