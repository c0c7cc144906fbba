package langsmith

import (
	"net/http"

	"github.com/spanlake/spanlake/ingester"
)

// info tells SDKs how to send runs. They ask before the first batch, with or without
// a key.
type info struct {
	Version string        `json:"version"` // of LangSmith, whose protocol this is
	Batch   batchInfo     `json:"batch_ingest_config"`
	Flags   instanceFlags `json:"instance_flags"`
}

type batchInfo struct {
	Multipart      bool `json:"use_multipart_endpoint"`
	ScaleUpQueue   int  `json:"scale_up_qsize_trigger"`
	ScaleUpThreads int  `json:"scale_up_nthreads_limit"`
	ScaleDownEmpty int  `json:"scale_down_nempty_trigger"`
	SizeLimit      int  `json:"size_limit"`       // runs
	SizeLimitBytes int  `json:"size_limit_bytes"` // before compression
}

type instanceFlags struct {
	Gzip             bool `json:"gzip_body_enabled"`
	Zstd             bool `json:"zstd_compression_enabled"`
	DatasetMultipart bool `json:"dataset_examples_multipart_enabled"`
}

const (
	infoRuns  = 100
	infoBytes = 20 << 20
)

func serveInfo(w http.ResponseWriter, _ *http.Request) {
	ingester.WriteJSON(w, http.StatusOK, info{
		Version: "0.12.0",
		Batch: batchInfo{
			Multipart: true, ScaleUpQueue: 1000, ScaleUpThreads: 16, ScaleDownEmpty: 4, SizeLimit: infoRuns, SizeLimitBytes: infoBytes,
		},
		Flags: instanceFlags{Gzip: true, Zstd: true},
	})
}
