package wal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// duplicatesWindow is how long the server remembers message ids: longer than
// deciders of one cut marker can be apart.
const duplicatesWindow = 2 * time.Minute

// streamName contains the epoch: no name is ever used twice.
func streamName(name string, partition int, epoch uint64) string {
	return fmt.Sprintf("%s-p%03d-%d", name, partition, epoch)
}

func streamSubject(name string, partition int, epoch uint64) string {
	return fmt.Sprintf("%s.log.%d.%d", name, partition, epoch)
}

// streamConfig is what a stream must be like. No age, no count: only the
// builder's purge removes messages, and a full log refuses new ones.
func streamConfig(o *Options, partition int, epoch uint64) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:              streamName(o.Name, partition, epoch),
		Description:       "spans that are not yet in blocks",
		Subjects:          []string{streamSubject(o.Name, partition, epoch)},
		Retention:         jetstream.LimitsPolicy,
		Storage:           jetstream.FileStorage,
		Discard:           jetstream.DiscardNew,
		MaxBytes:          o.MaxBytesPerPartition,
		MaxMsgs:           -1,
		MaxMsgsPerSubject: -1,
		MaxMsgSize:        -1,
		MaxConsumers:      -1,
		Replicas:          o.Replicas,
		Duplicates:        duplicatesWindow,
		Compression:       jetstream.NoCompression,
		PersistMode:       jetstream.DefaultPersistMode,
		DenyDelete:        true,
	}
}

// weaknesses lists how a stream promises less than want. It is pure.
func weaknesses(want, have jetstream.StreamConfig) []string {
	var weak []string
	check := func(bad bool, format string, args ...any) {
		if bad {
			weak = append(weak, fmt.Sprintf(format, args...))
		}
	}
	check(have.Storage != want.Storage, "storage is %s", have.Storage)
	check(have.Retention != want.Retention, "retention is %s", have.Retention)
	check(have.Discard != want.Discard, "discard policy is %s", have.Discard)
	check(have.PersistMode != want.PersistMode, "persist mode is %s", have.PersistMode)
	check(have.Replicas < want.Replicas, "it has %d replicas instead of %d", have.Replicas, want.Replicas)
	check(have.MaxAge != 0, "messages expire after %s", have.MaxAge)
	check(have.MaxMsgs > 0, "it holds at most %d messages", have.MaxMsgs)
	check(have.MaxMsgsPerSubject > 0, "it holds at most %d messages per subject", have.MaxMsgsPerSubject)
	check(have.MaxBytes <= 0, "its size has no limit")
	check(have.NoAck, "it does not acknowledge")
	check(have.Sealed, "it is sealed")
	check(have.DenyPurge, "it cannot be purged")
	check(!have.DenyDelete, "messages can be deleted")
	check(have.AllowRollup, "messages can be rolled up")
	check(have.AllowMsgTTL, "messages can have an age limit")
	check(have.Mirror != nil || len(have.Sources) > 0, "it is fed by other streams")
	check(have.SubjectTransform != nil || have.RePublish != nil, "it transforms or republishes messages")
	check(!slices.Equal(have.Subjects, want.Subjects), "its subjects are %s", strings.Join(have.Subjects, ", "))
	check(have.Duplicates < want.Duplicates, "it remembers message ids for %s only", have.Duplicates)
	return weak
}

// checkStream judges a stream's settings as read back from the server, and
// brings its size limit to what is configured.
func (l *Log) checkStream(ctx context.Context, s *session, st *stream, info *jetstream.StreamInfo) error {
	have, want := info.Config, streamConfig(&l.opts, st.partition, st.epoch)
	if weak := weaknesses(want, have); len(weak) > 0 {
		return l.judgeWeak(fmt.Errorf("%w: stream %s: %s", ErrWeak, have.Name, strings.Join(weak, "; ")))
	}
	if have.MaxBytes == want.MaxBytes {
		return nil
	}
	have.MaxBytes = want.MaxBytes
	if _, err := s.js.UpdateStream(ctx, have); err != nil {
		l.opts.Logger.Warn("size limit of the stream could not be changed, keeping its own",
			slog.String("stream", have.Name), slog.Int64("max_bytes", info.Config.MaxBytes),
			slog.Int64("configured_max_bytes", want.MaxBytes), slog.Any("err", err))
	}
	return nil
}

// parseStreamName is the inverse of streamName.
func parseStreamName(name, stream string) (partition int, epoch uint64, ok bool) {
	rest, ok := strings.CutPrefix(stream, name)
	if !ok {
		return 0, 0, false
	}
	_, err := fmt.Sscanf(rest, "-p%d-%d", &partition, &epoch)
	return partition, epoch, err == nil && streamName(name, partition, epoch) == stream
}

// judgeWeak refuses weak settings unless they are allowed.
func (l *Log) judgeWeak(err error) error {
	if l.opts.AllowWeakSync {
		l.alarm(alarmWeak, "log may lose acknowledged data, as allowed by the configuration", slog.Any("err", err))
		return nil
	}
	return err
}

// checkServer makes sure that the servers sync every write before they
// acknowledge. That is not in a stream's settings and not visible to clients:
// it must be known, or read from the servers' monitoring endpoints. Most must
// answer, and the one that this session talks to; a minority may be down, or a
// cluster that lost one server could not be used.
func (l *Log) checkServer(ctx context.Context, s *session) error {
	if l.opts.readOnly() || l.opts.ServerSyncAlways {
		return nil
	}
	if len(l.opts.MonitorURLs) == 0 {
		return l.judgeWeak(fmt.Errorf("%w: cannot tell whether the server syncs every write: set `sync_interval: always` in its jetstream block and name the monitoring URL of every server, or allow weak sync", ErrWeak))
	}
	connected, silent := false, error(nil)
	answers := 0
	for _, url := range l.opts.MonitorURLs {
		info, err := l.askMonitor(ctx, url)
		if err != nil {
			silent = errors.Join(silent, fmt.Errorf("ask monitor %s: %w", url, err))
			continue
		}
		if !info.Config.SyncAlways {
			return l.judgeWeak(fmt.Errorf("%w: the server at %s does not sync every write: set `sync_interval: always` in its jetstream block, or allow weak sync", ErrWeak, url))
		}
		answers++
		connected = connected || info.ServerID == s.nc.ConnectedServerId()
	}
	switch {
	case 2*answers <= len(l.opts.MonitorURLs):
		return l.judgeUnseen(silent)
	case !connected:
		return l.judgeUnseen(errors.Join(silent,
			fmt.Errorf("none of the monitoring URLs that answer belongs to the connected server %s", s.nc.ConnectedServerName())))
	case silent != nil:
		l.opts.Logger.Warn("sync setting of some servers could not be read", slog.Any("err", silent))
	}
	return nil
}

// judgeUnseen is for settings that could not be read, which may pass.
func (l *Log) judgeUnseen(err error) error {
	if l.opts.AllowWeakSync {
		return l.judgeWeak(err)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// monitorInfo is the part of the server's /jsz answer that matters here.
type monitorInfo struct {
	ServerID string `json:"server_id"`
	Config   struct {
		SyncAlways bool `json:"sync_always"`
	} `json:"config"`
}

// maxMonitorBytes bounds the answer of a monitor.
const maxMonitorBytes = 1 << 20

func (l *Log) askMonitor(ctx context.Context, url string) (info monitorInfo, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.opts.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(url, "/")+"/jsz?config=1", http.NoBody)
	if err != nil {
		return info, err
	}
	// A connection of its own that is closed after the answer: this is asked
	// once per session.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment}}
	resp, err := client.Do(req)
	if err != nil {
		return info, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return info, fmt.Errorf("status %s", resp.Status)
	}
	return info, json.NewDecoder(io.LimitReader(resp.Body, maxMonitorBytes)).Decode(&info)
}
