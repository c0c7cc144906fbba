package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/app"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/fs"
	"github.com/spanlake/spanlake/internal/objstore/s3/s3test"
	"github.com/spanlake/spanlake/schema"
)

func verifyJSON(t *testing.T, want int, args ...string) verifyReport {
	t.Helper()
	code, stdout, stderr := call(t, append([]string{"blocks", "verify", "-output=json"}, args...)...)
	require.Equal(t, want, code, stderr)
	var report verifyReport
	require.NoError(t, json.Unmarshal([]byte(stdout), &report))
	return report
}

func fileOf(dir, key string) string { return filepath.Join(dir, "bucket", filepath.FromSlash(key)) }

func change(t *testing.T, path string, by func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, by(data), 0o600))
}

// lastPage is where the last byte of the rows of a block lies.
func lastPage(t *testing.T, key string, data []byte) int {
	t.Helper()
	name, err := schema.ParseBlockName(key)
	require.NoError(t, err)
	return len(data) - int(name.TailBytes) - 1
}

func TestBlocksVerify(t *testing.T) {
	dir := t.TempDir()
	merged, hidden := fill(t, dir)
	code, stdout, stderr := call(t, "blocks", "verify", "-data-dir", dir)
	require.Equal(t, exitOK, code, stderr)
	require.Regexp(t, `^6 blocks verified \(checksums and rows\): 6 good with 12 spans in \d.*, 0 damaged, 0 not read, 0 gone\n$`, stdout)
	require.Equal(t, "spanlake blocks: 1 objects below blocks/ are no blocks\n", stderr)
	code, stdout, _ = call(t, "blocks", "verify", "-data-dir", dir, "-rows=false", "-concurrency=1", "blocks/other/")
	require.Equal(t, exitOK, code)
	require.Contains(t, stdout, "1 block verified (checksums only): 1 good with 0 spans")

	bucket := filepath.Join(dir, "bucket")
	for name, tc := range map[string]struct {
		args   []string
		blocks int
	}{
		"project":                  {[]string{"-data-dir", dir, "-project=shop"}, 5},
		"partition":                {[]string{"-data-dir", dir, "-partition=1"}, 1},
		"since":                    {[]string{"-data-dir", dir, "-since=2023-11-16"}, 1},
		"key":                      {[]string{"-data-dir", dir, merged}, 1},
		"prefix":                   {[]string{"-data-dir", dir, "blocks/shop/2023-11-1"}, 5},
		"path of a block":          {[]string{fileOf(dir, hidden)}, 1},
		"path of a bucket":         {[]string{bucket}, 6},
		"path of a bucket's part":  {[]string{filepath.Join(bucket, "blocks", "shop", "2023-11-15")}, 4},
		"path of all blocks":       {[]string{filepath.Join(bucket, "blocks"), "-project=shop"}, 5},
		"URL":                      {[]string{"file://" + bucket}, 6},
		"URL of a part":            {[]string{"file://" + bucket + "/blocks/other"}, 1},
		"URL of a block":           {[]string{"file://" + bucket + "/" + merged}, 1},
		"URL as a flag and prefix": {[]string{"-bucket=file://" + bucket, "blocks/shop/2023-11-16"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			report := verifyJSON(t, exitOK, tc.args...)
			require.Equal(t, tc.blocks, report.Blocks)
			require.Equal(t, tc.blocks, report.Good.Blocks)
			require.NotNil(t, report.Damaged)
			require.True(t, report.RowsCompared)
		})
	}
}

// All damage in a bucket is told, and what is good is verified all the same.
func TestBlocksVerifyFindsDamage(t *testing.T) {
	dir := t.TempDir()
	merged, hidden := fill(t, dir)
	var cut, tail, empty string
	for _, b := range listJSON(t, "-data-dir", dir).Blocks {
		switch {
		case b.Partition == 1:
			tail = b.Key
		case b.Project == "other":
			empty = b.Key
		case b.Day == "2023-11-16":
			cut = b.Key
		}
	}
	change(t, fileOf(dir, merged), func(b []byte) []byte { b[10] ^= 1; b[lastPage(t, merged, b)] ^= 1; return b })
	change(t, fileOf(dir, hidden), func(b []byte) []byte { b[0] = 'p'; return b })
	change(t, fileOf(dir, tail), func(b []byte) []byte { b[len(b)-20] ^= 1; return b })
	change(t, fileOf(dir, cut), func(b []byte) []byte { return b[:len(b)-1] })
	change(t, fileOf(dir, empty), func([]byte) []byte { return nil })

	report := verifyJSON(t, exitFailed, "-data-dir", dir)
	found := map[string]damagedBlock{}
	for _, b := range report.Damaged {
		found[b.Key] = b
		require.NotEmpty(t, b.Damage[0].Hint)
	}
	require.Len(t, found, 5)
	require.Equal(t, 1, report.Good.Blocks)
	require.Equal(t, 6, report.Blocks)
	require.Len(t, found[merged].Damage, 2)
	require.Equal(t, "row group 0, table of traces of page 0", found[merged].Damage[0].Section)
	require.EqualValues(t, 4, found[merged].Damage[0].Offset)
	require.Equal(t, "checksum mismatch", found[merged].Damage[1].Reason)
	require.Equal(t, "magic", found[hidden].Damage[0].Section)
	require.Equal(t, merged, found[hidden].CoveredBy)
	require.Empty(t, found[merged].CoveredBy)
	require.Equal(t, "tail", found[tail].Damage[0].Section)
	require.Equal(t, "tail", found[cut].Damage[0].Section)
	require.Equal(t, "bytes are missing", found[empty].Damage[0].Reason)

	code, stdout, stderr := call(t, "blocks", "verify", "-data-dir", dir)
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "spanlake blocks: 5 of 6 blocks are damaged\n")
	require.Contains(t, stdout, "DAMAGED "+merged+"\n  row group 0, table of traces of page 0 at offset 4: checksum mismatch\n  row group 0, column ")
	require.Contains(t, stdout, "DAMAGED "+hidden+"\n  queries do not read it: it is hidden by "+merged+"\n  magic at offset 0: not a Parquet file\n    restore the object")
	require.Contains(t, stdout, "6 blocks verified (checksums and rows): 1 good")
}

// A block under a wrong name, whose checksums are right.
func TestBlocksVerifyFindsWrongNames(t *testing.T) {
	for _, tc := range []struct {
		name           string
		change         func(*schema.BlockName)
		sums, rows     int
		section, wrong string
	}{
		{"project", func(n *schema.BlockName) { n.Project = "other" }, exitFailed, exitFailed, "directory", "name and content disagree"},
		{"spans", func(n *schema.BlockName) { n.Spans++ }, exitFailed, exitFailed, "directory", "name and content disagree"},
		{"tail", func(n *schema.BlockName) { n.TailBytes++ }, exitFailed, exitFailed, "tail", "checksum mismatch"},
		{"start", func(n *schema.BlockName) { n.MinStart-- }, exitOK, exitFailed, "name", "they are from"},
		{"end", func(n *schema.BlockName) { n.MaxEnd++ }, exitOK, exitFailed, "name", "they are from"},
		{"open", func(n *schema.BlockName) { n.Open = false }, exitOK, exitFailed, "name", "1 traces have fragments"},
		{"partition", func(n *schema.BlockName) { n.Partition = 1 }, exitOK, exitFailed, "name", "is of partition 0"},
		{"positions", func(n *schema.BlockName) { n.First = 2 }, exitOK, exitFailed, "name", "a row is of position 1 of the log"},
		{"level, which rows do not tell", func(n *schema.BlockName) { n.Level = 2 }, exitOK, exitOK, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			key := store(t, dir, schema.BlockName{Project: "shop", Epoch: 5, First: 1, Last: 3, LogNanos: day}, 5)
			name, err := schema.ParseBlockName(key)
			require.NoError(t, err)
			tc.change(&name)
			require.NoError(t, os.MkdirAll(filepath.Dir(fileOf(dir, name.Key())), 0o700))
			require.NoError(t, os.Rename(fileOf(dir, key), fileOf(dir, name.Key())))
			verifyJSON(t, tc.sums, "-data-dir", dir, "-rows=false")
			report := verifyJSON(t, tc.rows, "-data-dir", dir)
			if tc.rows == exitOK {
				return
			}
			require.Equal(t, name.Key(), report.Damaged[0].Key)
			require.Equal(t, tc.section, report.Damaged[0].Damage[0].Section)
			require.Contains(t, report.Damaged[0].Damage[0].Reason, tc.wrong)
			require.Contains(t, report.Damaged[0].Damage[0].Hint, map[bool]string{true: "restore", false: "find out who"}[tc.section == "tail"])
		})
	}
}

// moving is a bucket in which blocks vanish, or change, before they are read.
type moving struct {
	objstore.Bucket

	mu     sync.Mutex
	left   map[string]int          // Gets of a key before something happens
	before map[string]func() error // what happens before a Get of a key
}

func (m *moving) Get(ctx context.Context, key string, opts objstore.GetOptions) ([]byte, objstore.Object, error) {
	m.mu.Lock()
	var happens func() error
	if m.left[key]--; m.left[key] < 0 {
		happens = m.before[key]
		delete(m.before, key)
	}
	m.mu.Unlock()
	if happens != nil {
		if err := happens(); err != nil {
			return nil, objstore.Object{}, err
		}
	}
	return m.Bucket.Get(ctx, key, opts)
}

// verifyMoving verifies a bucket while something happens to it, before an object
// is read or, if it is not held, when its tail was read.
func verifyMoving(t *testing.T, dir string, hold int64, before map[string]func() error) (report *verifyReport, text string) {
	t.Helper()
	bucket, err := fs.Open(filepath.Join(dir, "bucket"))
	require.NoError(t, err)
	m := &moving{Bucket: bucket, before: before, left: map[string]int{}}
	for key := range before {
		if hold == 0 {
			m.left[key] = 1
		}
	}
	filter := blockFilter{partition: -1}
	found, _, err := listBlocks(t.Context(), m, filter)
	require.NoError(t, err)
	var out bytes.Buffer
	run := verifyRun{bucket: m, rows: true, concurrency: 2, hold: hold, out: newVerifyOutput(env{stdout: &out, stderr: &out}, outputText)}
	require.NoError(t, run.blocks(t.Context(), newBlockList(found, filter).Blocks))
	require.NoError(t, run.replacements(t.Context(), found, filter))
	report = run.report()
	require.NoError(t, run.out.end(report))
	return report, out.String()
}

// A merge takes a block away and leaves another one, which is damaged; another
// block is removed by hand.
func TestBlocksVerifyWhileBlocksVanish(t *testing.T) {
	for _, hold := range []int64{0, heldBytes} {
		testVanishing(t, hold)
	}
	dir := t.TempDir()
	first := store(t, dir, schema.BlockName{Project: "shop", Epoch: 5, First: 3, Last: 3, LogNanos: day}, 2)
	report, text := verifyMoving(t, dir, 0, map[string]func() error{first: func() error { return os.Remove(fileOf(dir, first)) }})
	require.Equal(t, []goneBlock{{Key: first, Spans: 2}}, report.Gone)
	require.NoError(t, report.err(), "nothing that is there is wrong")
	require.Contains(t, text, "no block has its positions: was it removed on purpose?")
}

func testVanishing(t *testing.T, hold int64) {
	t.Helper()
	dir := t.TempDir()
	shop := schema.BlockName{Project: "shop", Epoch: 5, First: 3, Last: 3, LogNanos: day}
	first := store(t, dir, shop, 2)
	shop.First, shop.Last = 4, 4
	second := store(t, dir, shop, 3)
	var merged string
	remove := func(key string) func() error { return func() error { return os.Remove(fileOf(dir, key)) } }
	report, text := verifyMoving(t, dir, hold, map[string]func() error{
		first: func() error {
			shop.First, shop.Level = 3, 1
			merged = store(t, dir, shop, 5)
			change(t, fileOf(dir, merged), func(b []byte) []byte { b[10] ^= 1; return b })
			return remove(first)()
		},
		second: remove(second),
	})
	require.Equal(t, []goneBlock{{first, 2, merged}, {second, 3, merged}}, report.Gone)
	require.Len(t, report.Damaged, 1)
	require.Equal(t, merged, report.Damaged[0].Key)
	require.ErrorContains(t, report.err(), "1 of 1 blocks are damaged")
	require.Contains(t, text, "gone "+first+"\n  replaced by "+merged+"\n")
	require.Contains(t, text, "2 gone\n")
}

// A block that cannot be read is not good, and keeps nothing else from being
// verified.
func TestBlocksVerifyGoesOnAfterErrors(t *testing.T) {
	dir := t.TempDir()
	_, hidden := fill(t, dir)
	busy := errors.New("the store is busy")
	report, text := verifyMoving(t, dir, heldBytes, map[string]func() error{hidden: func() error { return busy }})
	require.Equal(t, 5, report.Good.Blocks)
	require.Equal(t, hidden, report.Failed[0].Key)
	require.Contains(t, text, "NOT READ "+hidden+"\n  read block "+hidden+": the store is busy\n")
	require.ErrorContains(t, report.err(), "1 of 6 blocks could not be read")
	report.Damaged = make([]damagedBlock, 2)
	require.ErrorContains(t, report.err(), "2 of 6 blocks are damaged, 1 could not be read")

	report, _ = verifyMoving(t, dir, heldBytes, map[string]func() error{hidden: func() error { return objstore.ErrChanged }})
	require.Equal(t, 6, report.Good.Blocks, "what was replaced is read once more")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	code := run(ctx, []string{"blocks", "verify", "-data-dir", dir}, env{&stdout, &stderr, os.LookupEnv})
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr.String(), "context canceled")
}

func TestBlocksVerifyCommandLine(t *testing.T) {
	dir := t.TempDir()
	key, _ := fill(t, dir)
	for _, tc := range []struct {
		name   string
		args   []string
		code   int
		stderr string
	}{
		{"two", []string{key, key}, exitUsage, "want at most one key, path or URL, have 2"},
		{"concurrency", []string{"-concurrency=0"}, exitUsage, "concurrency 0"},
		{"project", []string{"-project=A"}, exitUsage, "project: "},
		{"since", []string{"-since=x"}, exitUsage, `since "x"`},
		{"output", []string{"-output=x"}, exitUsage, "want text or json"},
		{"no place", []string{t.TempDir()}, exitUsage, "want a key or a prefix"},
		{"no file", []string{filepath.Join(dir, "x.parquet")}, exitUsage, "want a key or a prefix"},
		{"no bucket", []string{"-data-dir", filepath.Join(dir, "none")}, exitFailed, "no such file"},
		{"bad URL", []string{"s3://x"}, exitFailed, "the name of the bucket"},
		{"gone", []string{"-data-dir", dir, strings.Replace(key, "_L1", "_L2", 1)}, exitFailed, "merged into another one"},
		{"nothing", []string{"-data-dir", dir, "blocks/nobody/"}, exitFailed, "no blocks below blocks/nobody/"},
		{"prefix of another project", []string{"-data-dir", dir, "blocks/shop/", "-project=other"}, exitFailed, "no blocks below blocks/shop/"},
		{"no block", []string{filepath.Join(dir, "bucket", "blocks", "readme.txt")}, exitFailed, "no blocks below blocks/readme.txt"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, _, stderr := call(t, append([]string{"blocks", "verify"}, tc.args...)...)
			require.Equal(t, tc.code, code, stderr)
			require.Contains(t, stderr, tc.stderr)
		})
	}
	_, stdout, _ := call(t, "help", "blocks")
	require.Contains(t, stdout, "Flags of verify:")
	require.Contains(t, stdout, "-concurrency int  (default 4)")
}

func TestBlocksVerifyOnS3(t *testing.T) {
	s3test.Setenv(t)
	server := s3test.Start(t)
	dir := t.TempDir()
	merged, hidden := fill(t, dir)
	place := server.Bucket(t) + "/some/prefix"
	bucket, release, err := app.OpenBucket(t.Context(), &app.Config{Bucket: server.URL(place)})
	require.NoError(t, err)
	defer release()
	for _, b := range listJSON(t, "-data-dir", dir).Blocks {
		data, err := os.ReadFile(fileOf(dir, b.Key))
		require.NoError(t, err)
		if b.Key == hidden {
			data[lastPage(t, hidden, data)] ^= 1
		}
		require.NoError(t, bucket.Put(t.Context(), b.Key, bytes.NewReader(data), objstore.PutOptions{}))
	}
	report := verifyJSON(t, exitFailed, server.URL(place))
	require.Equal(t, 5, report.Good.Blocks)
	require.Equal(t, hidden, report.Damaged[0].Key)
	require.Equal(t, merged, report.Damaged[0].CoveredBy)
	require.Equal(t, 1, verifyJSON(t, exitOK, server.URL(place+"/"+merged)).Good.Blocks)
	require.Equal(t, 1, verifyJSON(t, exitOK, "-bucket", server.URL(place), "blocks/other").Good.Blocks)
	code, stdout, stderr := call(t, "blocks", "inspect", server.URL(place+"/"+merged))
	require.Equal(t, exitOK, code, stderr)
	require.Contains(t, stdout, merged)
}

// A project may be called blocks, and a folder above the bucket, too.
func TestCutBucket(t *testing.T) {
	const name = "2026-01-15/p3of4/1768471200000-11-42_L1g2o_1768471200123456789_1768471199000000000-1768471260000000000_250_4096.parquet"
	for url, want := range map[string][2]string{
		"s3://x/blocks/blocks/" + name:            {"s3://x", "blocks/blocks/" + name},
		"s3://x/blocks/blocks/shop/" + name:       {"s3://x/blocks", "blocks/shop/" + name},
		"file:///blocks/y/blocks/shop/" + name:    {"file:///blocks/y", "blocks/shop/" + name},
		"s3://x/y/blocks/shop/2026":               {"s3://x/y", "blocks/shop/2026"},
		"s3://x/y/blocks/":                        {"s3://x/y", "blocks/"},
		"s3://x/y/":                               {"s3://x/y", "blocks/"},
		"s3://x":                                  {"s3://x", "blocks/"},
		"file:///nowhere/that/anybody/has/a/file": {"", ""},
	} {
		bucket, prefix := cutBucket(url)
		require.Equal(t, want, [2]string{bucket, prefix}, url)
	}
}

// listing yields nothing but an error.
type listing struct{ objstore.Bucket }

func (listing) List(context.Context, objstore.ListOptions) iter.Seq2[objstore.Object, error] {
	return func(yield func(objstore.Object, error) bool) { yield(objstore.Object{}, objstore.ErrTransient) }
}

func TestBlocksVerifyNeedsTheSecondList(t *testing.T) {
	run := verifyRun{bucket: listing{}, gone: []goneBlock{{Key: "x"}}}
	require.ErrorIs(t, run.replacements(t.Context(), nil, blockFilter{}), objstore.ErrTransient)
}

func TestVerifyProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out, errs strings.Builder
		o := newVerifyOutput(env{stdout: &out, stderr: &errs}, outputText)
		list := []blockEntry{{Key: "a", Bytes: 3 << 20, Spans: 10}, {Key: "b", Bytes: 1 << 20}}
		o.expect(list)
		first := o.begin(list[0], 2)
		first.read(2 << 20)
		require.Empty(t, errs.String(), "short work is silent")
		time.Sleep(lineInterval)
		first.read(3 << 20)
		require.Equal(t, "verify:  37 %, 0 of 2 blocks, 1.5 MiB of 4.0 MiB, 17s left\n", errs.String())
		first.compared(5)
		first.end()
		errs.Reset()
		o.terminal = true
		o.failed(&failedBlock{"a", "reason"})
		time.Sleep(lineInterval)
		second := o.begin(list[1], 1)
		second.read(512 << 10)
		second.read(256 << 10)
		require.Equal(t, "\r[#####################...]  87 %, 1 of 2 blocks, 3.5 MiB of 4.0 MiB, 1 bad, 3s left\x1b[K", errs.String())
		require.Equal(t, "NOT READ a\n  reason\n", out.String())
		o.gone(&goneBlock{Key: "c", CoveredBy: "d"})
		require.True(t, strings.HasSuffix(errs.String(), "\r\x1b[K"), "the bar is gone")
		require.NoError(t, o.end(&verifyReport{Blocks: 1}))
		require.Contains(t, out.String(), "gone c\n  replaced by d\n1 block verified")
	})
}
