package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

const (
	// retryDelay is used when the server does not say when to come back.
	retryDelay = 500 * time.Millisecond
	// maxReplyBytes bounds what is read of a reply.
	maxReplyBytes = 64 << 20
	// requestTimeout bounds one request.
	requestTimeout = 30 * time.Second
)

// traceWriter exports over one of OTLP's protocols. write returns nil when
// every span was acknowledged, a *refusedError when it should be called again.
type traceWriter interface {
	write(ctx context.Context, data *tracepb.TracesData) error
	close()
}

// refusedError is an answer that asks to try again.
type refusedError struct {
	err   error
	after time.Duration
}

func (e *refusedError) Error() string { return e.err.Error() }
func (e *refusedError) Unwrap() error { return e.err }

func newTraceWriter(endpoint string, as identity) (traceWriter, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, fmt.Errorf("otlp.endpoint: %w", err)
	}
	switch u.Scheme {
	case "http", "https":
		return &httpWriter{client: newClient(), url: u.JoinPath("v1/traces").String(), as: as}, nil
	case "grpc", "grpcs":
		security := insecure.NewCredentials()
		if u.Scheme == "grpcs" {
			security = credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12})
		}
		conn, err := grpc.NewClient(u.Host, grpc.WithTransportCredentials(security))
		if err != nil {
			return nil, fmt.Errorf("otlp.endpoint: %w", err)
		}
		return &grpcWriter{conn: conn, as: as}, nil
	}
	return nil, fmt.Errorf("otlp.endpoint %q: want http://, https://, grpc:// or grpcs://", endpoint)
}

// newClient returns a client with connections of its own, which end with it.
func newClient() *http.Client {
	return &http.Client{Timeout: requestTimeout, Transport: &http.Transport{Proxy: http.ProxyFromEnvironment}}
}

// rejected is the error of a partial success.
func rejected(reply ptraceotlp.ExportResponse) error {
	if n := reply.PartialSuccess().RejectedSpans(); n > 0 {
		return fmt.Errorf("%d spans rejected: %s", n, reply.PartialSuccess().ErrorMessage())
	}
	return nil
}

type httpWriter struct {
	client *http.Client
	url    string
	as     identity
}

func (w *httpWriter) close() { w.client.CloseIdleConnections() }

func (w *httpWriter) write(ctx context.Context, data *tracepb.TracesData) error {
	body, err := proto.Marshal(data)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	w.as.setOn(req.Header)
	code, header, answer, err := do(w.client, req)
	if err != nil {
		return &refusedError{err, retryDelay}
	}
	switch code {
	case http.StatusOK:
		reply := ptraceotlp.NewExportResponse()
		if err := reply.UnmarshalProto(answer); err != nil {
			return fmt.Errorf("reply: %w", err)
		}
		return rejected(reply)
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return &refusedError{fmt.Errorf("status %d", code), retryAfter(header)}
	}
	return fmt.Errorf("status %d: %s", code, firstBytes(answer))
}

func retryAfter(header http.Header) time.Duration {
	if seconds, err := strconv.Atoi(header.Get("Retry-After")); err == nil {
		return time.Duration(seconds) * time.Second
	}
	return retryDelay
}

type grpcWriter struct {
	conn *grpc.ClientConn
	as   identity
}

func (w *grpcWriter) close() { _ = w.conn.Close() } // nothing is on its way any more

func (w *grpcWriter) write(ctx context.Context, data *tracepb.TracesData) error {
	body, err := proto.Marshal(data)
	if err != nil {
		return err
	}
	request := ptraceotlp.NewExportRequest()
	if err := request.UnmarshalProto(body); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(ctx, w.as.headers()...), requestTimeout)
	defer cancel()
	reply, err := ptraceotlp.NewGRPCClient(w.conn).Export(ctx, request)
	switch status.Code(err) {
	case codes.OK:
		return rejected(reply)
	case codes.Unavailable, codes.ResourceExhausted:
		return &refusedError{err, retryDelay}
	}
	return err
}

// traceReader asks the query API.
type traceReader struct {
	client *http.Client
	base   *url.URL
	as     identity
}

func newTraceReader(endpoint string, as identity) (*traceReader, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, fmt.Errorf("api.endpoint: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("api.endpoint %q: want http:// or https://", endpoint)
	}
	return &traceReader{client: newClient(), base: u, as: as}, nil
}

func (r *traceReader) close() { r.client.CloseIdleConnections() }

// trace asks for a trace by id. One that is not there has no spans.
func (r *traceReader) trace(ctx context.Context, t *canaryTrace) (*tracepb.TracesData, error) {
	return r.fetchTrace(ctx, r.base.JoinPath("api/v2/traces", t.hexID()))
}

// fetchTrace reads the answer to a request for a trace by id.
func (r *traceReader) fetchTrace(ctx context.Context, u *url.URL) (*tracepb.TracesData, error) {
	body, err := r.get(ctx, u, "application/protobuf")
	if err != nil {
		return nil, err
	}
	var found tracepb.TracesData // Tempo's Trace has the same fields
	for len(body) > 0 {
		number, kind, n := protowire.ConsumeTag(body)
		if n < 0 {
			return nil, fmt.Errorf("reply: %w", protowire.ParseError(n))
		}
		if number == 1 && kind == protowire.BytesType {
			message, _ := protowire.ConsumeBytes(body[n:])
			if err := (proto.UnmarshalOptions{Merge: true}).Unmarshal(message, &found); err != nil {
				return nil, fmt.Errorf("reply: %w", err)
			}
		}
		size := protowire.ConsumeFieldValue(number, kind, body[n:])
		if size < 0 {
			return nil, fmt.Errorf("reply: %w", protowire.ParseError(size))
		}
		body = body[n+size:]
	}
	return &found, nil
}

// searchReply is the part of a search's reply that counts here.
type searchReply struct {
	Traces []struct {
		TraceID  string `json:"traceID"`
		SpanSets []struct {
			Matched int `json:"matched"`
		} `json:"spanSets"`
	} `json:"traces"`
}

// search asks for the spans with the trace's canary id.
func (r *traceReader) search(ctx context.Context, t *canaryTrace) (*searchReply, error) {
	u := r.base.JoinPath("api/search")
	u.RawQuery = url.Values{
		"q":     {fmt.Sprintf("{ span.%s = %q }", canaryKey, t.canaryID)},
		"start": {strconv.FormatInt(t.start.Add(-time.Minute).Unix(), 10)},
		"end":   {strconv.FormatInt(t.start.Add(time.Minute).Unix(), 10)},
	}.Encode()
	body, err := r.get(ctx, u, "application/json")
	if err != nil {
		return nil, err
	}
	var reply searchReply
	if err := json.Unmarshal(body, &reply); err != nil {
		return nil, fmt.Errorf("reply: %w", err)
	}
	return &reply, nil
}

// judge counts the trace and its matched spans.
func (s *searchReply) judge(t *canaryTrace) verdict {
	var v verdict
	rows, matched := 0, 0
	for _, row := range s.Traces {
		if len(row.TraceID) > 2*len(t.id) || fmt.Sprintf("%032s", row.TraceID) != t.hexID() {
			v.changes = append(v.changes, "found another trace: "+row.TraceID)
			continue
		}
		rows++
		for _, set := range row.SpanSets {
			matched += set.Matched
		}
	}
	v.missing = max(t.spans-matched, 0)
	v.doubled = max(matched-t.spans, 0)
	if rows > 1 {
		v.changes = append(v.changes, fmt.Sprintf("the trace is listed %d times", rows))
	}
	return v
}

func (r *traceReader) get(ctx context.Context, u *url.URL, accept string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", accept)
	r.as.setOn(req.Header)
	code, _, body, err := do(r.client, req)
	if err != nil {
		return nil, err
	}
	if code == http.StatusNotFound {
		return nil, nil
	}
	if code != http.StatusOK {
		return nil, fmt.Errorf("status %d: %s", code, firstBytes(body))
	}
	return body, nil
}

func do(client *http.Client, req *http.Request) (code int, header http.Header, body []byte, err error) {
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxReplyBytes))
	return resp.StatusCode, resp.Header, body, err
}

// firstBytes is as much of a reply as fits on a line.
func firstBytes(body []byte) string {
	const limit = 200
	if len(body) > limit {
		body = body[:limit]
	}
	return string(bytes.TrimSpace(body))
}
