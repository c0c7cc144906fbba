package tempopb

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip" // what clients use when told to compress
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// StreamingQuerier is the service of that name. Every method streams its
// answer. Requests are the callee's.
type StreamingQuerier interface {
	Search(r *SearchRequest, s Stream) error
	SearchTags(r *TagsRequest, s Stream) error
	SearchTagsV2(r *TagsRequest, s Stream) error
	SearchTagValues(r *TagValuesRequest, s Stream) error
	SearchTagValuesV2(r *TagValuesRequest, s Stream) error
	MetricsQueryRange(r *QueryRangeRequest, s Stream) error
	MetricsQueryInstant(r *QueryInstantRequest, s Stream) error
}

// Stream takes the messages of an answer. It serves one goroutine.
type Stream struct{ stream grpc.ServerStream }

// Context is that of the call: it ends when the client goes away.
func (s Stream) Context() context.Context { return s.stream.Context() }

// Send sends one message in protobuf, which belongs to the stream from then on.
// It waits while the client does not read.
func (s Stream) Send(message []byte) error { return s.stream.SendMsg(rawMessage(message)) }

// SendAll sends a reply in messages of at most MaxMessageBytes.
func (s Stream) SendAll(r Reply) error {
	for message := range Messages(r, MaxMessageBytes) {
		if err := s.Send(message); err != nil {
			return err
		}
	}
	return nil
}

// ServiceName is the service's name in paths.
const ServiceName = "tempopb.StreamingQuerier"

// Register offers the service on a server that was made with ServerOption.
func Register(r grpc.ServiceRegistrar, srv StreamingQuerier) {
	r.RegisterService(&grpc.ServiceDesc{
		ServiceName: ServiceName,
		HandlerType: (*StreamingQuerier)(nil),
		Streams: []grpc.StreamDesc{
			method("Search", StreamingQuerier.Search),
			method("SearchTags", StreamingQuerier.SearchTags),
			method("SearchTagsV2", StreamingQuerier.SearchTagsV2),
			method("SearchTagValues", StreamingQuerier.SearchTagValues),
			method("SearchTagValuesV2", StreamingQuerier.SearchTagValuesV2),
			method("MetricsQueryRange", StreamingQuerier.MetricsQueryRange),
			method("MetricsQueryInstant", StreamingQuerier.MetricsQueryInstant),
		},
		Metadata: "tempo.proto",
	}, srv)
}

func method[R any](name string, call func(StreamingQuerier, *R, Stream) error) grpc.StreamDesc {
	return grpc.StreamDesc{
		StreamName: name, ServerStreams: true,
		Handler: func(srv any, stream grpc.ServerStream) error {
			request := new(R)
			if err := stream.RecvMsg(request); err != nil {
				return err
			}
			return call(srv.(StreamingQuerier), request, Stream{stream}) //nolint:forcetypeassert // Register takes no other
		},
	}
}

// ServerOption lets a server pass the messages of this package. Those of other
// services are what they are anyway.
func ServerOption() grpc.ServerOption {
	return grpc.ForceServerCodecV2(codec{encoding.GetCodecV2(proto.Name)})
}

// rawMessage is a message as it goes over the wire.
type rawMessage []byte

// codec passes rawMessage through, reads requests, and leaves everything else
// to protobuf.
type codec struct{ encoding.CodecV2 }

// Marshal is encoding.CodecV2's.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if m, ok := v.(rawMessage); ok {
		return mem.BufferSlice{mem.SliceBuffer(m)}, nil
	}
	return c.CodecV2.Marshal(v)
}

// Unmarshal is encoding.CodecV2's.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	if r, ok := v.(interface{ decode(b []byte) error }); ok {
		return r.decode(data.Materialize())
	}
	return c.CodecV2.Unmarshal(data, v)
}
