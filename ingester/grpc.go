package ingester

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	// The generic protobuf codec, for services that share the server.
	_ "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// RegisterGRPC registers OTLP's three export services. The server must have
// been made with ServerOptions.
func (r *Receiver) RegisterGRPC(server grpc.ServiceRegistrar) {
	register := func(service string, export exportFunc) {
		r.RegisterUnary(server, "opentelemetry.proto.collector."+service, "Export", func(ctx context.Context, id schema.ProjectID, message []byte) ([]byte, error) {
			success, err := export(ctx, id, payload{body: message})
			return success.protobuf(), err
		})
	}
	register("trace.v1.TraceService", r.exportTraces)
	register("logs.v1.LogsService", r.exportLogs)
	register("metrics.v1.MetricsService", func(_ context.Context, _ schema.ProjectID, p payload) (partialSuccess, error) {
		return rejectMetrics(p)
	})
}

// Unary serves a call: it takes and returns an encoded message.
type Unary func(ctx context.Context, id schema.ProjectID, message []byte) (reply []byte, err error)

// RegisterUnary registers a service with one method. The server must have been made
// with ServerOptions.
func (r *Receiver) RegisterUnary(server grpc.ServiceRegistrar, service, method string, serve Unary) {
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: service,
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: method, Handler: r.handler("/"+service+"/"+method, serve)}},
	}, r)
}

// ServerOptions lets a gRPC server hand over messages as bytes, gzip and zstd
// inflated up to MaxRequestBytes.
func (r *Receiver) ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ForceServerCodecV2(rawCodec{encoding.GetCodecV2("proto")}),
		grpc.MaxRecvMsgSize(int(r.cfg.MaxRequestBytes)),
	}
}

// rawMessage is an encoded protobuf message.
type rawMessage []byte

// rawCodec passes rawMessage through and leaves everything else to protobuf.
type rawCodec struct{ encoding.CodecV2 }

func (c rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	if raw, ok := v.(rawMessage); ok {
		return mem.BufferSlice{mem.SliceBuffer(raw)}, nil
	}
	return c.CodecV2.Marshal(v)
}

func (c rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	if raw, ok := v.(*rawMessage); ok {
		*raw = data.Materialize()
		return nil
	}
	return c.CodecV2.Unmarshal(data, v)
}

func (r *Receiver) handler(method string, serve Unary) grpc.MethodHandler {
	return func(srv any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
		var request rawMessage
		if err := decode(&request); err != nil {
			return nil, err
		}
		handle := func(ctx context.Context, _ any) (any, error) { return r.serveGRPC(ctx, request, serve) }
		if intercept == nil {
			return handle(ctx, request)
		}
		return intercept(ctx, request, &grpc.UnaryServerInfo{Server: srv, FullMethod: method}, handle)
	}
}

func (r *Receiver) serveGRPC(ctx context.Context, request rawMessage, serve Unary) (rawMessage, error) {
	if err := r.admit(int64(len(request))); err != nil {
		return nil, grpcError(err)
	}
	defer r.inflight.give(int64(len(request)))
	var header string
	if values := metadata.ValueFromIncomingContext(ctx, HeaderProject); len(values) > 0 {
		header = values[0]
	}
	project, err := projectOf(header)
	if err != nil {
		return nil, grpcError(err)
	}
	reply, err := serve(ctx, project, request)
	if err != nil {
		return nil, grpcError(err)
	}
	return reply, nil
}

// grpcError maps errors as OTLP says: a client retries RESOURCE_EXHAUSTED only
// when RetryInfo tells it when.
func grpcError(err error) error {
	code := codes.Internal
	var refused *RefusedError
	switch {
	case errors.As(err, &refused):
		code = codes.Unavailable
		if refused.Overloaded {
			code = codes.ResourceExhausted
		}
		withHint, detailErr := status.New(code, err.Error()).WithDetails(retryInfo(refused.RetryAfter))
		if detailErr != nil {
			return fmt.Errorf("attach retry info: %w", detailErr)
		}
		return withHint.Err()
	case errors.Is(err, otlp.ErrMalformed), errors.Is(err, schema.ErrBadProject), errors.Is(err, ErrBadRequest):
		code = codes.InvalidArgument
	}
	return status.Error(code, err.Error())
}

func retryInfo(after time.Duration) *errdetails.RetryInfo {
	return &errdetails.RetryInfo{RetryDelay: durationpb.New(after)}
}
