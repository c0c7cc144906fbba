// Package corpus holds real data for the tests of several packages: requests
// that OTLP clients sent, and a data set with the answers that a Tempo server
// gives about it. data/README.md tells where they come from.
package corpus

import (
	"embed"
	"encoding/json"
	"fmt"
	"path"

	"github.com/klauspost/compress/zstd"
)

//go:embed data/captures data/conformance
var data embed.FS

// Protocol is how a captured request was sent.
type Protocol string

// The protocols of OTLP.
const (
	HTTPProtobuf Protocol = "http/protobuf"
	HTTPJSON     Protocol = "http/json"
	GRPC         Protocol = "grpc"
)

// Capture is one export request of an OTLP client: spans that an instrumented
// program sent through an unmodified SDK.
type Capture struct {
	// Name is unique and stable: <folder>/<number>-<program>-<request>.
	Name string `json:"name"`
	// SDK lists the libraries that took part, each as "name version".
	SDK []string `json:"sdk"`
	// Protocol tells how to send Body.
	Protocol Protocol `json:"protocol"`
	// Path of the HTTP request, or full method of the gRPC call.
	Path string `json:"path"`
	// Header has lower-case keys. It lacks what belongs to one connection:
	// host, length and transfer encoding.
	Header map[string]string `json:"header"`
	// Body is what the client sent, still compressed if the header
	// content-encoding says so. With gRPC it is the message without frame or
	// compression. With JSON it lacks the white space between tokens. The
	// caller may change it.
	Body []byte `json:"-"`
}

// Captures returns all captured requests, sorted by name. Some have the same
// body: clients repeat a request after an error.
func Captures() ([]Capture, error) {
	var index []struct {
		Capture

		File string `json:"file"`
	}
	if err := readJSON("captures/index.json", &index); err != nil {
		return nil, err
	}
	captures := make([]Capture, len(index))
	for i, entry := range index {
		body, err := read("captures/" + entry.File)
		if err != nil {
			return nil, err
		}
		captures[i] = entry.Capture
		captures[i].Body = body
	}
	return captures, nil
}

// read returns a file below data, unpacked if its name ends in .zst. The
// caller may change it.
func read(name string) ([]byte, error) {
	content, err := data.ReadFile("data/" + name)
	if err != nil {
		return nil, fmt.Errorf("read corpus: %w", err)
	}
	if path.Ext(name) != ".zst" {
		return content, nil
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("unpack corpus file %s: %w", name, err)
	}
	defer decoder.Close()
	if content, err = decoder.DecodeAll(content, nil); err != nil {
		return nil, fmt.Errorf("unpack corpus file %s: %w", name, err)
	}
	return content, nil
}

func readJSON(name string, dst any) error {
	content, err := read(name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(content, dst); err != nil {
		return fmt.Errorf("read corpus file %s: %w", name, err)
	}
	return nil
}
