package e2e_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
)

// TestFunctionRoles: functions do all that they do to a bucket, one with versions,
// and their roles are enough for it: values too large for a message, merges, an
// erasure until nothing of it is left. (newCloud has every other test of functions look
// at the same.)
func TestFunctionRoles(t *testing.T) {
	w := newCloud(t)
	w.place.gateway.KeepVersions(t, w.name)
	logSettings, compactSettings := smallWindows()
	ingest, flush, compact := w.function("ingest", logSettings...), w.function("flush", logSettings...), w.function("compact", compactSettings...)

	w.send(ingest, 3)
	querier := w.service("querier")
	requireCount(t, querier, w.start, w.sent)
	w.run(flush, "flush")
	requireCount(t, querier, w.start, w.sent)

	p := runProcess(t, nil, buildProgram(t), "erase", "-project=shop", "-url=http://"+querier.api, `-where={ resource.service.name = "shop" }`)
	<-p.exited
	require.Zero(t, p.cmd.ProcessState.ExitCode(), p.stderr)

	ticker := time.NewTicker(300 * time.Millisecond)
	defer ticker.Stop()
	done := func() bool {
		return slices.Contains(w.asked("compact"), "s3:DeleteObjectVersion erasures")
	}
	for begun := time.Now(); !done() && time.Since(begun) < time.Minute; {
		w.send(ingest, 1)
		w.run(flush, "flush")
		w.run(compact, "compact")
		<-ticker.C
	}

	// Large values go an hour after they were made, and the erasure would wait for them.
	span := randomSpan(w.random, randomID(w.random, 16), w.start)
	text := base64.StdEncoding.EncodeToString(randomID(w.random, 1_500_000)) // above -ingester.max-message-bytes, also compressed
	span.Attributes = append(span.Attributes, &commonpb.KeyValue{Key: "large", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: text}}})
	w.export(ingest, compress(t, "gzip", marshal(t, exportOf(span))))
	require.Positive(t, w.run(flush, "flush").Spans)

	require.Subset(t, w.asked("ingest"), []string{"s3:ListBucket projects", "s3:ListBucket blocks", "s3:PutObject claims"})
	require.Subset(t, w.asked("flush"), []string{"s3:ListBucket blocks", "s3:PutObject blocks", "s3:GetObject claims", "s3:ListBucket claims"})
	require.Subset(t, w.asked("compact"), []string{
		"s3:ListBucket blocks", "s3:GetObject blocks", "s3:PutObject blocks", "s3:DeleteObject blocks", "s3:ListBucketVersions blocks", "s3:DeleteObjectVersion blocks",
		"s3:ListBucket erasures", "s3:GetObject erasures", "s3:PutObject erasures", "s3:DeleteObjectVersion erasures",
	})
	w.requireWithinRoles()
}

// asked is what a function has asked for, each action with the folder of its key.
func (w *cloud) asked(function string) (list []string) {
	for _, c := range w.recorders[function].Calls() {
		folder, _, _ := strings.Cut(strings.TrimPrefix(c.Key, bucketPrefix+"/"), "/")
		list = append(list, c.Action()+" "+folder)
	}
	slices.Sort(list)
	return slices.Compact(list)
}
