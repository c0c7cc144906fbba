package app_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/app"
)

// effective returns the printed lines.
func effective(t *testing.T, env map[string]string, args ...string) string {
	t.Helper()
	e, err := app.LoadEffective(args, func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	})
	require.NoError(t, err)
	var out strings.Builder
	require.NoError(t, e.WriteYAML(&out))
	return out.String()
}

func TestEffectiveTellsOrigins(t *testing.T) {
	file := configFile(t, "data_dir: ${HOME}/spans\nlog:\n  max_bytes: 3GiB\napi: {addr: '127.0.0.1:1'}\nquerier: {timeout: 5m}\n")
	out := effective(t, map[string]string{"HOME": "/srv/x"}, file, "-api.addr=127.0.0.1:2", "-nats.monitor-urls", "http://a,http://b", "-auth.insecure")
	for _, line := range []string{
		"target: all",
		"data_dir: /srv/x/spans # file, line 1, ${HOME}",
		`bucket: ""`,
		"  addr: 127.0.0.1:2 # flag -api.addr",
		"  max_bytes: 3GiB # file, line 3",
		"  insecure: true # flag -auth.insecure",
		"  monitor_urls: http://a,http://b # flag -nats.monitor-urls",
		"  timeout: 5m0s # file, line 5",
		"  cut_age: 1m0s",
		"  level: INFO",
	} {
		require.Contains(t, out, line+"\n")
	}
	require.Equal(t, 6, strings.Count(out, "#"))
}

// What is printed means what it was printed from.
func TestEffectiveIsAFile(t *testing.T) {
	args := []string{"-data-dir=a: b # c ${D} $${E} $f", "-log.max-bytes=96MiB", "-nats.monitor-urls=http://a,http://b", "-logging.level=warn", "-querier.max-search-range=0", "-target=true"}
	want, err := app.Load(args, noEnv)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "printed.yaml")
	require.NoError(t, os.WriteFile(file, []byte(effective(t, nil, args...)), 0o600))
	have, err := app.Load([]string{"-config.file", file}, noEnv)
	require.NoError(t, err)
	have.ConfigFile = ""
	require.Equal(t, want, have)
}

func TestEffectiveMasksSecrets(t *testing.T) {
	const secret = "hush"
	env := map[string]string{"NATS_PASSWORD": secret, "S3_SECRET_KEY": secret, "WORD": secret, "CREDENTIALS_DIRECTORY": "/run/creds"}
	for _, tc := range []struct {
		name, file string
		args       []string
		want       string
	}{
		{"user and password of a URL", "", []string{"-nats.url=nats://me:hush@one:4222"}, "url: nats://***@one:4222 #"},
		{"token", "", []string{"-nats.url=nats://hush@one,hush@two,three"}, "url: nats://***@one,***@two,three #"},
		{"password that a URL cannot hold", "", []string{"-nats.url=nats://me:hu/hush@h%ush@one:4222"}, "url: nats://***@one:4222 #"},
		{"list of URLs", "", []string{"-nats.monitor-urls=http://hush:hush@a,http://b"}, "monitor_urls: http://***@a,http://b #"},
		{"parameters", "", []string{"-bucket=s3://b/p?region=eu&access_key=hush&secret-key=hush&X-Amz-Security-Token=hush&path_style"}, "bucket: s3://b/p?region=eu&access_key=***&secret-key=***&X-Amz-Security-Token=***&path_style #"},
		{"parameter in disguise", "", []string{"-bucket=s3://b?se%63ret=hush"}, "bucket: s3://b?se%63ret=*** #"},
		{"secret variable", "data_dir: /x/${S3_SECRET_KEY}/y", nil, "data_dir: /x/***/y # file, line 1, ${S3_SECRET_KEY}"},
		{"secret variable in a URL", "nats: {url: 'nats://me:${NATS_PASSWORD}@one'}", nil, "url: nats://***@one # file, line 1, ${NATS_PASSWORD}"},
		{"other variable in a URL", "bucket: 's3://b?token=${WORD}'", nil, "bucket: s3://b?token=*** # file, line 1, ${WORD}"},
		{"name of a file", "nats: {credentials_file: '${CREDENTIALS_DIRECTORY}/nats'}", nil, "credentials_file: /run/creds/nats # file, line 1, ${CREDENTIALS_DIRECTORY}"},
		{"at sign in a path", "", []string{"-bucket=file:///mnt/a@b"}, "bucket: file:///mnt/a@b #"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out := effective(t, env, append(tc.args, configFile(t, tc.file))...)
			require.Contains(t, out, tc.want)
			require.NotContains(t, out, secret)
		})
	}
}

func TestEffectiveTellsAllErrors(t *testing.T) {
	file := configFile(t, "data_dr: x\nlog: {partitions: 3, replicas: 9, max_bytes: z}\ningester: {cut_age: 0s, publish_timeout: 0s}\nquerier: {concurrency: 0, cache_bytes: 0}\n")
	e, err := app.LoadEffective([]string{file}, noEnv)
	err = errors.Join(err, e.Config.Validate())
	for _, text := range []string{
		"line 1: unknown key data_dr", "line 2: log.max_bytes", "log.partitions 3", "log.replicas 9",
		"ingester.cut-age", "ingester.publish-timeout", "querier.concurrency", "querier.cache-bytes",
	} {
		require.ErrorContains(t, err, text)
	}
	_, err = app.LoadEffective([]string{"-h"}, noEnv)
	require.ErrorIs(t, err, flag.ErrHelp)
}

func TestErrorsMaskSecrets(t *testing.T) {
	file := configFile(t, "log: {partitions: '${API_KEY}'}\nbucket: ftp://b?secret=hush\n")
	e, err := app.LoadEffective([]string{file}, func(string) (string, bool) { return "hush", true })
	err = errors.Join(err, e.Config.Validate())
	require.ErrorContains(t, err, "log.partitions: the value with ${API_KEY} is not valid")
	require.ErrorContains(t, err, "bucket")
	require.NotContains(t, err.Error(), "hush")
}
