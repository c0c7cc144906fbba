package spanmetrics

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grafana/dskit/services"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/corpus"
	bucketmem "github.com/spanlake/spanlake/internal/objstore/mem"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/wal"
	logmem "github.com/spanlake/spanlake/internal/wal/mem"
	"github.com/spanlake/spanlake/schema"
)

const partitions = 3

func testConfig() Config {
	return Config{Wait: 10 * time.Second, MaxEdges: 100_000, MaxSeries: 10_000, Idle: time.Hour, RemoteWriteInterval: time.Second}
}

// start runs a Generator on a log.
func start(t *testing.T, log *logmem.Log) *Generator {
	t.Helper()
	g, err := New(testConfig(), log, bucketmem.New(), slog.New(slog.NewTextHandler(t.Output(), nil)), prometheus.NewRegistry())
	require.NoError(t, err)
	require.NoError(t, services.StartAndAwaitRunning(t.Context(), g))
	return g
}

func stop(t *testing.T, g *Generator) {
	t.Helper()
	require.NoError(t, services.StopAndAwaitTerminated(context.WithoutCancel(t.Context()), g))
}

// publish writes rows into the partitions of their traces.
func publish(t *testing.T, log *logmem.Log, rows []schema.Span) {
	t.Helper()
	for p := range partitions {
		var own []schema.Span
		for _, row := range rows {
			if row.TraceID.Partition(partitions) == p {
				own = append(own, row)
			}
		}
		if len(own) == 0 {
			continue
		}
		payload := wal.AppendPayload(nil, []wal.Entry{{Project: "p", Wire: otlp.AppendTraces(nil, own)}}, false)
		_, err := log.Stream(p).Publish(t.Context(), payload, "")
		require.NoError(t, err)
	}
}

// dataset are the rows of the conformance suite, request by request.
func dataset(t *testing.T) (requests [][]schema.Span) {
	t.Helper()
	bodies, err := corpus.Dataset()
	require.NoError(t, err)
	for _, body := range bodies {
		rows, err := otlp.NewDecoder().Decode(body, 1, nil)
		require.NoError(t, err)
		requests = append(requests, rows)
	}
	return requests
}

// The counts of the conformance suite are those of a search for the other side of each
// call, whatever the order in which the sides arrive.
func TestServiceGraphOfDataset(t *testing.T) {
	for _, reverse := range []bool{false, true} {
		t.Run(fmt.Sprint("reverse=", reverse), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := logmem.New(logmem.Options{Partitions: partitions})
				defer log.Close()
				g := start(t, log)
				synctest.Wait()
				var all []schema.Span
				requests := dataset(t)
				if reverse {
					slices.Reverse(requests)
				}
				for _, rows := range requests {
					if reverse {
						slices.Reverse(rows)
					}
					publish(t, log, rows)
					all = append(all, rows...)
				}
				time.Sleep(30 * time.Second) // the bubble's clock
				calls, failed, seconds := bruteForce(all)
				require.Greater(t, len(calls), 10)
				got, gotFailed, gotSeconds := make(map[[3]string]int), make(map[[3]string]int), make(map[[3]string]int)
				spans := 0
				stop(t, g)
				for c, s := range g.store.series {
					key := [3]string(c.values[:3])
					switch c.family {
					case requestTotal:
						got[key] = int(s.sum)
					case requestFailed:
						gotFailed[key] = int(s.sum)
					case requestServer:
						gotSeconds[key] = int(s.sum*1000 + 0.5)
					case spanCalls:
						spans += int(s.sum)
					}
				}
				require.Equal(t, len(all), spans)
				require.Equal(t, calls, got)
				require.Equal(t, failed, gotFailed)
				for key, want := range seconds {
					require.InDelta(t, want, gotSeconds[key], 1, "%v", key)
				}
			})
		})
	}
}

// bruteForce finds the other side of every call by looking at all spans of the trace:
// how many calls there are, how many have failed, and their milliseconds as the server
// saw them.
func bruteForce(all []schema.Span) (calls, failed, millis map[[3]string]int) {
	calls, failed, millis = make(map[[3]string]int), make(map[[3]string]int), make(map[[3]string]int)
	sums := make(map[[3]string]float64)
	add := func(client, server, connection string, isFailed bool, took float64) {
		key := [3]string{client, server, connection}
		calls[key]++
		sums[key] += took
		if isFailed {
			failed[key]++
		}
	}
	attribute := func(s *schema.Span, keys ...string) string {
		for _, key := range keys {
			for _, a := range slices.Concat(otlp.ResourceAttributes(s.Resource), otlp.SpanAttributes(s)) {
				if a.Key == key && a.Value.Kind == schema.KindString && a.Value.Str != "" {
					return a.Value.Str
				}
				if a.Key == key && a.Value.Kind == schema.KindInt {
					return strconv.FormatInt(a.Value.Int, 10)
				}
			}
		}
		return ""
	}
	is := func(s *schema.Span, kinds ...int32) bool {
		return slices.Contains(kinds, s.Kind) && s.Resource.ServiceName != ""
	}
	took := func(s *schema.Span) float64 { return seconds(s.StartNanos, s.EndNanos) }
	paired := make(map[int]bool)
	for i := range all {
		c := &all[i]
		if !is(c, kindClient, kindProducer) {
			continue
		}
		if attribute(c, "db.name", "db.system") != "" {
			server := attribute(c, "peer.service", "server.address")
			if host := attribute(c, "network.peer.address"); server == "" && host != "" {
				server = host
				if port := attribute(c, "network.peer.port"); port != "" {
					server += ":" + port
				}
			}
			if server == "" {
				server = attribute(c, "db.name")
			}
			if server != "" {
				add(c.Resource.ServiceName, server, connectionDatabase, c.StatusCode == statusError, took(c))
				continue
			}
		}
		other := -1
		for j := range all {
			s := &all[j]
			if !paired[j] && is(s, kindServer, kindConsumer) && s.TraceID == c.TraceID && s.ParentSpanID == c.SpanID {
				other = j
				break
			}
		}
		if other < 0 {
			if peer := attribute(c, "peer.service", "db.name", "db.system"); peer != "" {
				add(c.Resource.ServiceName, peer, connectionVirtual, c.StatusCode == statusError, 0)
			}
			continue
		}
		paired[other] = true
		s, connection := &all[other], ""
		if s.Kind == kindConsumer {
			connection = connectionMessaging
		}
		add(c.Resource.ServiceName, s.Resource.ServiceName, connection, c.StatusCode == statusError || s.StatusCode == statusError, took(s))
	}
	for i := range all {
		if s := &all[i]; is(s, kindServer, kindConsumer) && s.ParentSpanID.IsZero() {
			add(userNode, s.Resource.ServiceName, connectionVirtual, s.StatusCode == statusError, took(s))
		}
	}
	for key, sum := range sums {
		millis[key] = int(sum*1000 + 0.5)
	}
	return calls, failed, millis
}

// Of two processes one counts a partition. When it ends the other goes on with what
// arrives from then on; what was there before is nobody's.
func TestOneOfTwoCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := logmem.New(logmem.Options{Partitions: partitions})
		defer log.Close()
		row := func(n byte) schema.Span {
			return schema.Span{TraceID: schema.TraceID{n}, SpanID: schema.SpanID{n}, Name: "n", Resource: otlp.NewResource(), Scope: otlp.NewScope("", "")}
		}
		publish(t, log, []schema.Span{row(1), row(2), row(3)}) // before anybody counts
		first := start(t, log)
		synctest.Wait()
		second := start(t, log)
		counted := func(g *Generator) (sum int) {
			g.store.mu.Lock()
			defer g.store.mu.Unlock()
			for c, s := range g.store.series {
				if c.family == spanCalls {
					sum += int(s.sum)
				}
			}
			return sum
		}
		publish(t, log, []schema.Span{row(4), row(5), row(6), row(7)})
		time.Sleep(time.Minute)
		require.Equal(t, 4, counted(first))
		require.Zero(t, counted(second))
		stop(t, first)
		time.Sleep(time.Minute)
		publish(t, log, []schema.Span{row(8), row(9), row(10)})
		time.Sleep(time.Minute)
		require.Equal(t, 4, counted(first))
		require.Equal(t, 3, counted(second))
		stop(t, second)
	})
}
