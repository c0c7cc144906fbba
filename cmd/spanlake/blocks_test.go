package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/fs"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// day is noon of a day in Unix nanoseconds.
const day = uint64(1_700_049_600_000_000_000) // 2023-11-15T12:00:00Z

// store puts a block of so many spans into the bucket of a data folder and
// returns its key. What the name says about its content is set here.
func store(t *testing.T, dataDir string, name schema.BlockName, spans int) string {
	t.Helper()
	bucket, err := fs.Open(filepath.Join(dataDir, "bucket"))
	require.NoError(t, err)
	if name.Partitions == 0 {
		name.Partitions = 2
	}
	rows, id := make([]schema.Span, spans), schema.TraceID{}
	for i := range rows {
		for next := i%2 == 0; next; next = id.Partition(name.Partitions) != name.Partition {
			id[15]++
		}
		rows[i] = schema.Span{
			TraceID: id, SpanID: schema.SpanID{7: byte(i + 1)}, Name: "GET /", Kind: 2,
			StartNanos: day + uint64(i), EndNanos: day + 1000, Resource: &schema.Resource{}, Scope: &schema.Scope{}, Position: name.First,
			Attributes: otlp.AppendKeyValue(nil, 9, "http.route", schema.Value{Kind: schema.KindString, Str: "/cart/{id}"}),
		}
		event := otlp.AppendKeyValue(nil, 3, "type", schema.Value{Kind: schema.KindString, Str: "retry"})
		rows[i].Events = append([]byte{0x5a, byte(len(event))}, event...)
		if i == 4 {
			rows[i].Attributes = otlp.AppendKeyValue(rows[i].Attributes, 9, "rare", schema.Value{Kind: schema.KindBool})
		}
		if i == 4 || name.Open {
			rows[i].Fragment = schema.FragmentCreate
		}
	}
	object, err := block.Encode(name.Project, rows)
	require.NoError(t, err)
	name.MinStart, name.MaxEnd, name.Spans, name.TailBytes = object.MinStart, object.MaxEnd, uint64(spans), uint64(object.TailBytes)
	name.Open = object.Open
	require.NoError(t, bucket.Put(t.Context(), name.Key(), bytes.NewReader(object.Data), objstore.PutOptions{}))
	return name.Key()
}

// fill stores blocks of two projects, of which a merged one hides two.
func fill(t *testing.T, dataDir string) (merged, hidden string) {
	t.Helper()
	shop := schema.BlockName{Project: "shop", Epoch: 5, First: 1, Last: 3, LogNanos: day}
	hidden = store(t, dataDir, shop, 2)
	shop.First, shop.Last, shop.LogNanos = 4, 9, day+uint64(time.Hour)
	store(t, dataDir, shop, 3)
	shop.First, shop.Last, shop.LogNanos, shop.Level = 1, 9, day, 1
	merged = store(t, dataDir, shop, 5)
	store(t, dataDir, schema.BlockName{Project: "shop", Partition: 1, Epoch: 5, First: 1, Last: 9, LogNanos: day, Generation: 2, Open: true}, 1)
	store(t, dataDir, schema.BlockName{Project: "shop", Epoch: 5, First: 10, Last: 11, LogNanos: day + uint64(24*time.Hour)}, 1)
	store(t, dataDir, schema.BlockName{Project: "other", Epoch: 5, First: 1, Last: 3, LogNanos: day}, 0)
	foreign := filepath.Join(dataDir, "bucket", "blocks", "readme.txt")
	require.NoError(t, os.WriteFile(foreign, nil, 0o600))
	return merged, hidden
}

func listJSON(t *testing.T, args ...string) blockList {
	t.Helper()
	code, stdout, stderr := call(t, append([]string{"blocks", "list", "-output=json"}, args...)...)
	require.Equal(t, exitOK, code, stderr)
	var list blockList
	require.NoError(t, json.Unmarshal([]byte(stdout), &list))
	return list
}

func TestBlocksList(t *testing.T) {
	dir := t.TempDir()
	merged, hidden := fill(t, dir)
	code, stdout, stderr := call(t, "blocks", "list", "-data-dir", dir)
	require.Equal(t, exitOK, code, stderr)
	require.Contains(t, stderr, "1 objects below blocks/ are no blocks")
	for _, line := range []string{
		"project other, 2023-11-15, partition 0 of 2\n",
		"project shop, 2023-11-15, partition 0 of 2\n",
		"project shop, 2023-11-15, partition 1 of 2\n",
		"project shop, 2023-11-16, partition 0 of 2\n",
	} {
		require.Equal(t, 1, strings.Count(stdout, line), line)
	}
	require.Regexp(t, `  visible  0 +1-3 +0 .* -  +-  `, stdout, "without spans there are no times")
	require.Regexp(t, `  visible  1o +1-9 +5 +\d.* 2023-11-15T12:00:00Z  2023-11-15T12:00:00.000001Z  `+merged, stdout)
	require.Regexp(t, `  hidden   0 +1-3 +2 .*  `+hidden, stdout)
	require.Regexp(t, `  visible  0g2o +1-9 +1 `, stdout)
	require.Regexp(t, `\nvisible +4 blocks +7 spans .*\nhidden +2 blocks +5 spans .*\n$`, stdout)

	list := listJSON(t, "-bucket", "file://"+filepath.Join(dir, "bucket"))
	require.Len(t, list.Blocks, 6)
	var bytes int64
	for _, b := range list.Blocks {
		bytes += b.Bytes
		if b.Key == hidden {
			require.Equal(t, merged, b.CoveredBy)
			require.Equal(t, "2023-11-15T12:00:00Z", b.LogTime)
		}
	}
	require.Equal(t, bytes, list.Visible.Bytes+list.Hidden.Bytes)
	require.Equal(t, 4, list.Visible.Blocks)
	require.Equal(t, 2, list.Hidden.Blocks)
}

func TestBlocksListFilters(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir)
	for _, tc := range []struct {
		name            string
		args            []string
		visible, hidden int
	}{
		{"project", []string{"-project=shop"}, 3, 2},
		{"a project whose name begins so", []string{"-project=sho"}, 0, 0},
		{"partition", []string{"-partition=1"}, 1, 0},
		{"since a day", []string{"-since=2023-11-16"}, 1, 0},
		{"since a time: what is hidden stays hidden", []string{"-since=2023-11-15T12:30:00Z"}, 1, 1},
		{"since a duration", []string{"-since=1h"}, 0, 0},
		{"all", []string{"-project=shop", "-partition=0", "-since=2023-11-16"}, 1, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			list := listJSON(t, append(tc.args, "-data-dir", dir)...)
			require.Equal(t, tc.visible, list.Visible.Blocks)
			require.Equal(t, tc.hidden, list.Hidden.Blocks)
			require.NotNil(t, list.Blocks)
			require.Len(t, list.Blocks, tc.visible+tc.hidden)
		})
	}
}

func TestBlocksInspect(t *testing.T) {
	dir := t.TempDir()
	key, _ := fill(t, dir)
	code, stdout, stderr := call(t, "blocks", "inspect", "-data-dir", dir, key)
	require.Equal(t, exitOK, code, stderr)
	require.Empty(t, stderr)
	for _, line := range []string{
		`key +` + key, `project +shop`, `format +version 1, written by spanlake version 1\.0\.0`,
		`log +partition 0 of 2, epoch 5, positions 1-9, from 2023-11-15T12:00:00Z`,
		`rows +5 spans of 3 traces in 1 row group`,
		`traces +0{30}[0-9a-f]{2} to 0{30}[0-9a-f]{2}`, `times +2023-11-15T12:00:00Z to 2023-11-15T12:00:00.000001Z`,
		`name +bytes +in every block +100\.0 % +dictionary +1 +1 \(`, `parent_span_id +fixed 8 bytes, optional +in every block +0\.0 % +absent +1 +- `,
		`span\.http\.route +string +span attribute +100\.0 % +dictionary +1 +1 \(`,
		`event\.type +list +event attribute +100\.0 % +dictionary +1 +1 \(`,
		`span +1 +twice in a span, .* +rare$`, `open +1 trace with fragments`, `trace tables +- +\d`, `in every block +27 +\d.*iB`,
		`0 +5 +1 +\d`, `spanlake.traces +3`, `Every checksum is right: all \d.* are as they were written\. `,
	} {
		require.Regexp(t, `(?m)^`+line, stdout)
	}

	path := filepath.Join(dir, "bucket", filepath.FromSlash(key))
	code, stdout, stderr = call(t, "blocks", "inspect", path, "-output", "json")
	require.Equal(t, exitOK, code, stderr)
	var report blockReport
	require.NoError(t, json.Unmarshal([]byte(stdout), &report))
	require.True(t, report.Verified)
	require.Empty(t, report.Damage)
	require.Equal(t, key, report.Key)
	require.Len(t, report.Columns, 29)
	require.Len(t, report.RowGroups[0].Columns, 29)
	require.Equal(t, map[string][]string{"span": {"rare"}}, report.Outside)
	require.Equal(t, 1, report.OpenTraces)
	for _, c := range report.Columns {
		if c.Name == "event.type" {
			require.Equal(t, []any{"event", "type", "list", int64(5), false}, []any{c.Scope, c.Key, c.Kind, c.Values, c.Content})
		}
	}
	require.Equal(t, "shop", report.Metadata["spanlake.project"])
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, info.Size(), report.Bytes)
}

func TestBlocksInspectDamaged(t *testing.T) {
	dir := t.TempDir()
	key, _ := fill(t, dir)
	path := filepath.Join(dir, "bucket", filepath.FromSlash(key))
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, tc := range []struct {
		name           string
		damage         func(data []byte) []byte
		stdout, stderr string
	}{
		{
			"a page", func(b []byte) []byte { b[10] ^= 1; return b },
			"DAMAGED: 1 section not", `row group 0, table of traces of page 0 at offset 4: checksum mismatch`,
		},
		{"the tail", func(b []byte) []byte { b[len(b)-20] ^= 1; return b }, "", "tail at offset"},
		{"cut", func(b []byte) []byte { return b[:len(b)-1] }, "", "tail at offset"},
		{"empty", func([]byte) []byte { return nil }, "", "bytes are missing"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(path, tc.damage(bytes.Clone(whole)), 0o600))
			code, stdout, stderr := call(t, "blocks", "inspect", path)
			require.Equal(t, exitFailed, code)
			require.Contains(t, stdout, tc.stdout)
			require.Contains(t, stderr, tc.stderr)
			require.Contains(t, stderr, key)
		})
	}
	require.NoError(t, os.WriteFile(path, append([]byte("p"), whole[1:]...), 0o600))
	code, stdout, _ := call(t, "blocks", "inspect", path, "-output=json")
	require.Equal(t, exitFailed, code)
	var report blockReport
	require.NoError(t, json.Unmarshal([]byte(stdout), &report))
	require.False(t, report.Verified)
	require.Equal(t, "magic", report.Damage[0].Section)
}

func TestBlocksCommandLine(t *testing.T) {
	dir := t.TempDir()
	key, _ := fill(t, dir)
	for _, tc := range []struct {
		name   string
		args   []string
		code   int
		stderr string
	}{
		{"nothing", nil, exitUsage, "want list, inspect or verify"},
		{"unknown", []string{"delete"}, exitUsage, `unknown command "delete"`},
		{"list: argument", []string{"list", "x"}, exitUsage, `unexpected argument "x"`},
		{"list: output", []string{"list", "-output=yaml"}, exitUsage, "want text or json"},
		{"list: project", []string{"list", "-project=A"}, exitUsage, "project: "},
		{"list: partition", []string{"list", "-partition=-2"}, exitUsage, "partition -2"},
		{"list: since", []string{"list", "-since=yesterday"}, exitUsage, `since "yesterday"`},
		{"list: no bucket", []string{"list", "-data-dir", filepath.Join(dir, "none")}, exitFailed, "no such file"},
		{"list: bad bucket", []string{"list", "-bucket", "ftp://x"}, exitFailed, "bucket \"ftp://x\""},
		{"list: bad file", []string{"list", "-config.file", filepath.Join(dir, "none")}, exitUsage, "config.file"},
		{"inspect: nothing", []string{"inspect"}, exitUsage, "want one key, path or URL, have 0"},
		{"inspect: two", []string{"inspect", key, key}, exitUsage, "have 2"},
		{"inspect: no block", []string{"inspect", "x.parquet"}, exitUsage, "want a key or a prefix"},
		{"inspect: bad key", []string{"inspect", "-data-dir", dir, "blocks/x"}, exitFailed, "not a block name"},
		{"inspect: gone", []string{"inspect", "-data-dir", dir, strings.Replace(key, "_L1", "_L2", 1)}, exitFailed, "merged into another one"},
		{"inspect: flag", []string{"inspect", key, "-nothing"}, exitUsage, "-nothing"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, _, stderr := call(t, append([]string{"blocks"}, tc.args...)...)
			require.Equal(t, tc.code, code, stderr)
			require.Contains(t, stderr, tc.stderr)
		})
	}
	require.NoDirExists(t, filepath.Join(dir, "none"))
	_, stdout, _ := call(t, "blocks", "-h")
	require.Contains(t, stdout, "-since time")
}

// A file that serve is started with tells where the blocks are, too.
func TestBlocksConfigFile(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir)
	file := filepath.Join(t.TempDir(), "spanlake.yaml")
	require.NoError(t, os.WriteFile(file, []byte("data_dir: "+dir+"\napi: {addr: '127.0.0.1:1'}\n"), 0o600))
	require.Len(t, listJSON(t, "-config.file", file).Blocks, 6)
}

// The bucket is read while a process holds the data folder.
func TestBlocksOfARunningProcess(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir)
	startAppIn(t, dir)
	require.Len(t, listJSON(t, "-data-dir", dir).Blocks, 6)
}

func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		p := &progress{w: &out, what: "verifying", total: 2048, next: time.Now().Add(progressDelay)}
		p.update(1)
		require.Empty(t, out.String(), "short work is silent")
		time.Sleep(progressDelay)
		p.update(1024)
		p.update(1025)
		require.Equal(t, "\rverifying  50 % of 2.0 KiB", out.String())
		p.end()
		require.True(t, strings.HasSuffix(out.String(), "\r\x1b[K"))
	})
	p := newProgress(&strings.Builder{}, "", 0)
	p.next = time.Time{}
	p.update(1) // not a terminal
	p.end()
}

func TestFormatBytes(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 1 << 20: "1.0 MiB", 3 << 30: "3.0 GiB", 5 << 50: "5120.0 TiB",
	} {
		require.Equal(t, want, formatBytes(n))
	}
}
