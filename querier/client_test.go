package querier_test

import (
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/spanlake/spanlake/querier/tempopb"
	"github.com/spanlake/spanlake/querier/tempopb/tempopbtest"
)

// caller is a client of the gRPC service, with the limits that the data source
// has: messages of up to 4 MiB.
type caller struct {
	t    testing.TB
	api  tempopbtest.API
	conn *grpc.ClientConn
}

func (w *world) caller() *caller {
	w.t.Helper()
	return callerOf(w.t, w.server)
}

func callerOf(t testing.TB, server *httptest.Server) *caller {
	t.Helper()
	conn, err := grpc.NewClient(server.Listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	return &caller{t, tempopbtest.Load(t), conn}
}

// open starts a call. The request is in JSON.
func (c *caller) open(ctx context.Context, method, request, body string, options ...grpc.CallOption) grpc.ClientStream {
	c.t.Helper()
	stream, err := c.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/"+tempopb.ServiceName+"/"+method, options...)
	require.NoError(c.t, err)
	if body == "" {
		body = "{}"
	}
	require.NoError(c.t, stream.SendMsg(c.api.JSON(c.t, request, body)))
	require.NoError(c.t, stream.CloseSend())
	return stream
}

// receive reads the next message, nil at the end.
func (c *caller) receive(stream grpc.ClientStream, response string) (*dynamicpb.Message, error) {
	c.t.Helper()
	m := c.api.New(c.t, response)
	err := stream.RecvMsg(m)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	require.LessOrEqual(c.t, proto.Size(m), tempopb.MaxMessageBytes)
	wire, err := proto.Marshal(m)
	require.NoError(c.t, err)
	c.api.Protobuf(c.t, response, wire) // no field that is unknown
	require.True(c.t, tempopbtest.Has(c.t, m, "metrics"), "every message has metrics")
	return m, nil
}

// call returns all messages of a call.
func (c *caller) call(ctx context.Context, method, request, body, response string, options ...grpc.CallOption) ([]*dynamicpb.Message, error) {
	c.t.Helper()
	stream := c.open(ctx, method, request, body, options...)
	var all []*dynamicpb.Message
	for {
		m, err := c.receive(stream, response)
		if err != nil || m == nil {
			return all, err
		}
		all = append(all, m)
	}
}

// traceIDs are those in messages, each once, in the order in which they came.
func traceIDs(t testing.TB, messages ...*dynamicpb.Message) (ids []string) {
	t.Helper()
	seen := make(map[string]bool)
	for _, m := range messages {
		list := tempopbtest.Get(t, m, "traces").List()
		for i := range list.Len() {
			if id := tempopbtest.Get(t, list.Get(i).Message(), "traceID").String(); !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
		}
	}
	return ids
}

func count(t testing.TB, m protoreflect.Message, path ...protoreflect.Name) int {
	t.Helper()
	return int(tempopbtest.Get(t, m, path...).Uint())
}

func requireCode(t testing.TB, want codes.Code, err error) {
	t.Helper()
	require.Equal(t, want, status.Code(err), "%v", err)
}

func withProjects(ctx context.Context, projects string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "x-scope-orgid", projects)
}
