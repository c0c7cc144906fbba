package app_test

import (
	"bytes"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/grafana/dskit/flagext"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/app"
)

func noEnv(string) (string, bool) { return "", false }

// configFile writes a file and returns the flag that names it.
func configFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "spanlake.yaml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return "-config.file=" + file
}

func TestDefaults(t *testing.T) {
	cfg, err := app.Load(nil, noEnv)
	require.NoError(t, err)
	require.NoError(t, cfg.Validate())
	require.Equal(t, app.TargetAll, cfg.Target)
	require.Equal(t, "127.0.0.1:3200", cfg.API.Addr)
	require.Equal(t, "127.0.0.1:4317", cfg.OTLP.GRPCAddr)
	require.Equal(t, "127.0.0.1:4318", cfg.OTLP.HTTPAddr)
	require.Zero(t, cfg.Log.Partitions)
	require.Equal(t, slog.LevelInfo, cfg.Logging.Level)
}

func TestPartitions(t *testing.T) {
	for _, tt := range []struct {
		name       string
		args       []string
		processors int
		want       int
	}{
		{"one processor", nil, 1, 1},
		{"two", nil, 2, 1},
		{"three", nil, 3, 1},
		{"four", nil, 4, 2},
		{"seven", nil, 7, 2},
		{"eight", nil, 8, 4},
		{"many", nil, 96, 4},
		{"set", []string{"-log.partitions=16"}, 2, 16},
		{"a cluster", []string{"-nats.url=nats://host:4222"}, 2, 4},
		{"a cluster, set", []string{"-nats.url=nats://host:4222", "-log.partitions=1"}, 8, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := app.Load(tt.args, noEnv)
			require.NoError(t, err)
			require.Equal(t, tt.want, cfg.PartitionsOn(tt.processors))
		})
	}
}

func TestFile(t *testing.T) {
	cfg, err := app.Load([]string{configFile(t, `
# Everything that a type of value can look like.
target: ingester
api:
  addr: 127.0.0.1:1
log: {partitions: 16, max_bytes: 2GiB}
nats:
  url: nats://one:4222,nats://two:4222
  monitor_urls: http://one:8222,http://two:8222
  allow_weak_sync: true
ingester:
  cut_age: 30s
  max_message_bytes: 500KiB
querier:
logging:
  level: debug
`)}, noEnv)
	require.NoError(t, err)
	require.Equal(t, "ingester", cfg.Target)
	require.Equal(t, "127.0.0.1:1", cfg.API.Addr)
	require.Equal(t, 16, cfg.Log.Partitions)
	require.Equal(t, flagext.Bytes(2<<30), cfg.Log.MaxBytes)
	require.Equal(t, "nats://one:4222,nats://two:4222", cfg.NATS.URL)
	require.Equal(t, flagext.StringSliceCSV{"http://one:8222", "http://two:8222"}, cfg.NATS.MonitorURLs)
	require.True(t, cfg.NATS.AllowWeakSync)
	require.Equal(t, 30*time.Second, cfg.Ingester.CutAge)
	require.Equal(t, flagext.Bytes(500<<10), cfg.Ingester.MaxMessageBytes)
	require.Equal(t, slog.LevelDebug, cfg.Logging.Level)
	require.Equal(t, flagext.Bytes(16<<20), cfg.Ingester.CutBytes, "what the file leaves out keeps its default")
	require.Equal(t, 5*time.Minute, cfg.Querier.Timeout, "a section without keys keeps its defaults")
}

func TestPrecedence(t *testing.T) {
	file := configFile(t, "api: {addr: file:1}\notlp: {grpc_addr: file:2}\nauth: {insecure: true}\nnats: {monitor_urls: a}\n")
	cfg, err := app.Load([]string{"-api.addr=flag:1", file, "-nats.monitor-urls=b,c", "-auth.insecure=false"}, noEnv)
	require.NoError(t, err)
	require.Equal(t, "flag:1", cfg.API.Addr, "flag over file")
	require.Equal(t, "file:2", cfg.OTLP.GRPCAddr, "file over default")
	require.Equal(t, "127.0.0.1:4318", cfg.OTLP.HTTPAddr, "default")
	require.Equal(t, flagext.StringSliceCSV{"b", "c"}, cfg.NATS.MonitorURLs)
	require.False(t, cfg.Auth.Insecure)
}

func TestVariables(t *testing.T) {
	env := map[string]string{"HOST": "10.0.0.1", "COUNT": "8", "TRICK": "x\nauth:\n  insecure: true", "EMPTY": ""}
	lookup := func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	}
	load := func(t *testing.T, text string, args ...string) app.Config {
		t.Helper()
		cfg, err := app.Load(append(args, configFile(t, text)), lookup)
		require.NoError(t, err)
		return cfg
	}
	t.Run("within text", func(t *testing.T) {
		require.Equal(t, "10.0.0.1:3200", load(t, "api: {addr: '${HOST}:3200'}").API.Addr)
	})
	t.Run("as a number", func(t *testing.T) {
		require.Equal(t, 8, load(t, "log:\n  partitions: ${COUNT}").Log.Partitions)
	})
	t.Run("empty", func(t *testing.T) {
		require.Empty(t, load(t, "nats: {url: '${EMPTY}'}").NATS.URL)
	})
	t.Run("cannot add keys", func(t *testing.T) {
		cfg := load(t, "data_dir: ${TRICK}")
		require.Equal(t, env["TRICK"], cfg.DataDir)
		require.False(t, cfg.Auth.Insecure)
	})
	t.Run("not in comments", func(t *testing.T) {
		load(t, "# ${UNSET}\ntarget: all # ${UNSET}")
	})
	t.Run("escaped", func(t *testing.T) {
		require.Equal(t, "${HOST} $HOST", load(t, "data_dir: $${HOST} $HOST").DataDir)
	})
	t.Run("not in flags", func(t *testing.T) {
		require.Equal(t, "${HOST}", load(t, "", "-data-dir=${HOST}").DataDir)
	})
}

func TestBadFile(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"unknown key", "ingester:\n  cut_byte: 1MiB", "line 2: unknown key ingester.cut_byte"},
		{"unknown section", "ingest: {}", "line 1: unknown key ingest"},
		{"the file's own place", "config_file: x", "unknown key config_file"},
		{"set twice", "target: all\ntarget: querier", "line 2: target is set twice"},
		{"number expected", "log:\n  partitions: many", `line 2: log.partitions: "many" is not valid`},
		{"size expected", "log: {max_bytes: 3 apples}", `log.max_bytes: "3 apples" is not valid`},
		{"duration expected", "querier: {timeout: soon}", `querier.timeout: "soon" is not valid`},
		{"duration without unit", "querier: {timeout: 30}", `querier.timeout: "30" is not valid`},
		{"bool expected", "auth: {insecure: perhaps}", `auth.insecure: "perhaps" is not valid`},
		{"level expected", "logging: {level: loud}", `logging.level: "loud" is not valid`},
		{"section expected", "api: 127.0.0.1:3200", "line 1: api: want keys and values"},
		{"value expected", "target: {all: true}", "line 1: target: want a single value"},
		{"not a mapping", "- target", "line 1: the file: want keys and values"},
		{"not YAML", "target: [", "line 1"},
		{"unset variable", "data_dir: /x/${SPANLAKE_UNSET}", "line 1: data_dir: environment variable SPANLAKE_UNSET is not set"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := app.Load([]string{configFile(t, tc.text)}, noEnv)
			require.ErrorContains(t, err, tc.want)
			require.ErrorContains(t, err, "spanlake.yaml")
		})
	}
	t.Run("missing", func(t *testing.T) {
		_, err := app.Load([]string{"-config.file=/does/not/exist.yaml"}, noEnv)
		require.ErrorIs(t, err, os.ErrNotExist)
	})
	t.Run("empty", func(t *testing.T) {
		cfg, err := app.Load([]string{configFile(t, "# nothing\n")}, noEnv)
		require.NoError(t, err)
		require.NoError(t, cfg.Validate())
	})
}

func TestBadFlags(t *testing.T) {
	for _, tc := range []struct {
		name string
		args []string
		want string
	}{
		{"unknown flag", []string{"-ingester.cut-byte=1MiB"}, "-ingester.cut-byte"},
		{"bad value", []string{"-log.partitions=many"}, "-log.partitions"},
		{"argument", []string{"serve"}, `unexpected argument "serve"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := app.Load(tc.args, noEnv)
			require.ErrorContains(t, err, tc.want)
		})
	}
	_, err := app.Load([]string{"-h"}, noEnv)
	require.ErrorIs(t, err, flag.ErrHelp)
}

func TestValidate(t *testing.T) {
	for _, tc := range []struct {
		name string
		args []string
		want string // "" for a valid configuration
	}{
		{"target", []string{"-target=archiver"}, `target "archiver"`},
		{"data folder", []string{"-data-dir="}, "data-dir"},
		{"no data folder needed", []string{"-data-dir=", "-nats.url=nats://x", "-bucket=file:///b"}, ""},
		{"ingester without NATS", []string{"-target=ingester", "-bucket=file:///b"}, "nats.url must be set"},
		{"querier without NATS", []string{"-target=querier", "-bucket=file:///b"}, "nats.url must be set"},
		{"querier without bucket", []string{"-target=querier", "-nats.url=nats://x"}, "bucket must be set"},
		{"querier", []string{"-target=querier", "-nats.url=nats://x", "-bucket=file:///b"}, ""},
		{"S3", []string{"-bucket=s3://traces/here?region=eu-west-1"}, ""},
		{"querier on S3", []string{"-target=querier", "-nats.url=nats://x", "-bucket=s3://traces"}, ""},
		{"S3 without name", []string{"-bucket=s3:///here"}, "bucket: the name of the bucket"},
		{"S3 parameter", []string{"-bucket=s3://traces?zone=a"}, "bucket: parameter zone: is unknown"},
		{"relative bucket", []string{"-bucket=file://b"}, `bucket "file://b": want s3://bucket/prefix or file:///absolute/path`},
		{"path as bucket", []string{"-bucket=/b"}, `bucket "/b": want s3://bucket/prefix or file:///absolute/path`},
		{"unknown bucket", []string{"-bucket=gs://b"}, `bucket "gs://b"`},
		{"address without port", []string{"-api.addr=127.0.0.1"}, `api.addr "127.0.0.1": want host:port`},
		{"API on all addresses", []string{"-api.addr=:3200"}, "api.addr \":3200\" can be reached from other machines and -auth.mode is none: listen on 127.0.0.1, ask for keys with -auth.mode=keys, or set -auth.insecure"},
		{"gRPC on all addresses", []string{"-otlp.grpc-addr=0.0.0.0:4317"}, "otlp.grpc-addr"},
		{"HTTP on a network address", []string{"-otlp.http-addr=10.1.2.3:4318"}, "otlp.http-addr"},
		{"a host name", []string{"-api.addr=example.org:3200"}, "api.addr"},
		{"localhost", []string{"-api.addr=localhost:3200"}, ""},
		{"IPv6 loopback", []string{"-api.addr=[::1]:3200"}, ""},
		{"other loopback", []string{"-api.addr=127.1.2.3:3200"}, ""},
		{"insecure", []string{"-auth.insecure", "-api.addr=:3200", "-otlp.grpc-addr=0.0.0.0:1", "-otlp.http-addr=[::]:1"}, ""},
		{"partitions", []string{"-log.partitions=3"}, "log.partitions 3"},
		{"compactor without a log", []string{"-target=compactor", "-bucket=s3://x"}, "nats.url must be set with -target=compactor"},
		{"compactor without a bucket", []string{"-target=compactor", "-nats.url=nats://x"}, "bucket must be set with -target=compactor"},
		{"compactor", []string{"-compactor.min-inputs=1"}, "compactor.min-inputs"},
		{"merge windows", []string{"-log.merge-windows=10m,1h,12h"}, ""},
		{"merge windows that do not nest", []string{"-log.merge-windows=10m,1h5m"}, "log.merge-windows 10m0s,1h5m0s: merge window"},
		{"log smaller than a batch", []string{"-log.max-bytes=16MiB"}, "log.max-bytes 16MiB"},
		{"replicas", []string{"-log.replicas=0"}, "log.replicas 0"},
		{"replicas of the embedded log", []string{"-log.replicas=3"}, "log.replicas must be 1 with the embedded log"},
		{"replicas in a cluster", []string{"-log.replicas=3", "-nats.url=nats://x"}, ""},
		{"ingester", []string{"-ingester.cut-age=0s"}, "ingester.cut-age"},
		{"querier limits", []string{"-querier.concurrency=0"}, "querier.concurrency"},
		{"shutdown", []string{"-shutdown.timeout=0s"}, "shutdown.timeout must be positive"},
		{"format", []string{"-logging.format=xml"}, `logging.format "xml"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg, err := app.Load(tc.args, noEnv)
			require.NoError(t, err)
			if tc.want == "" {
				require.NoError(t, cfg.Validate())
				return
			}
			require.ErrorContains(t, cfg.Validate(), tc.want)
		})
	}
}

func TestValidateNamesEveryKey(t *testing.T) {
	cfg, err := app.Load([]string{"-target=x", "-bucket=y", "-api.addr=z"}, noEnv)
	require.NoError(t, err)
	err = cfg.Validate()
	for _, key := range []string{"target", "bucket", "api.addr"} {
		require.ErrorContains(t, err, key)
	}
}

func TestLocations(t *testing.T) {
	cfg, err := app.Load([]string{"-data-dir=data"}, noEnv)
	require.NoError(t, err)
	here, err := os.Getwd()
	require.NoError(t, err)
	blocks, log := cfg.Locations()
	require.Equal(t, filepath.Join(here, "data", "bucket"), blocks)
	require.Equal(t, filepath.Join(here, "data", "nats"), log)

	cfg, err = app.Load([]string{"-bucket=file:///b/", "-nats.url=nats://user:secret@one:4222,tok@two:4222,three"}, noEnv)
	require.NoError(t, err)
	blocks, log = cfg.Locations()
	require.Equal(t, "/b", blocks)
	require.Equal(t, "nats://one:4222,nats://two:4222,nats://three", log)

	for url, want := range map[string]string{
		"s3://traces?region=eu-west-1":                  "s3://traces",
		"s3://traces/a/b/?endpoint=http://localhost:70": "s3://traces/a/b at http://localhost:70",
	} {
		cfg, err = app.Load([]string{"-bucket", url}, noEnv)
		require.NoError(t, err)
		blocks, _ = cfg.Locations()
		require.Equal(t, want, blocks)
	}
}

func FuzzFile(f *testing.F) {
	f.Add([]byte("target: all\napi: {addr: x}\n"))
	f.Add([]byte("log: &a {partitions: ${N}}\nnats: *a\n"))
	f.Add([]byte("querier:\n  timeout: 5s\n<<: {}\n"))
	file := filepath.Join(f.TempDir(), "spanlake.yaml")
	f.Fuzz(func(t *testing.T, text []byte) {
		require.NoError(t, os.WriteFile(file, text, 0o600))
		env := func(name string) (string, bool) { return name, len(name) < 4 }
		e, err := app.LoadEffective([]string{"-config.file", file}, env)
		_ = e.Config.Validate() // must not panic
		if err != nil {
			return
		}
		var printed bytes.Buffer
		require.NoError(t, e.WriteYAML(&printed))
		require.NoError(t, os.WriteFile(file, printed.Bytes(), 0o600))
		_, err = app.Load([]string{"-config.file", file}, env)
		require.NoError(t, err, printed.String())
	})
}
