package access

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/spanlake/spanlake/internal/project"
)

// MaxHeaderBytes bounds the headers of a request, with its line: a query of
// some thousand characters and the names of a hundred projects.
const MaxHeaderBytes = 128 << 10

// Protect lets requests with a scope through to next, with the projects that they
// may touch in the header.
func (g *Guard) Protect(scope project.Scope, next http.Handler) http.Handler {
	return g.ProtectWith(scope, nil, next)
}

// ProtectWith is Protect for clients who expect to be told otherwise than those of OTLP
// that they may not. The headers that belong to the status are set already.
func (g *Guard) ProtectWith(scope project.Scope, tell func(w http.ResponseWriter, status int, message string), next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		granted, err := g.admit(scope, req.Header.Values)
		if err != nil {
			Refuse(w, req, err, tell)
			return
		}
		req = req.WithContext(context.WithValue(req.Context(), grantKey{}, granted))
		req.Header = req.Header.Clone()
		req.Header.Del("Authorization")
		req.Header.Del(headerAPIKey)
		req.Header.Del(HeaderProject)
		if len(granted.projects) > 0 {
			req.Header.Set(HeaderProject, granted.header())
		}
		next.ServeHTTP(w, req)
	})
}

// grantKey is where a context has its grant.
type grantKey struct{}

// KeyOf is the key that a request came with, nil if it needed none.
func KeyOf(ctx context.Context) *project.Key {
	g, _ := ctx.Value(grantKey{}).(grant)
	return g.key
}

// Refuse answers a request that an error of access or of the projects keeps from being
// made, as the client expects: by tell if there is one, a call of gRPC by its trailers,
// a request of OTLP by a google.rpc.Status, others in words.
func Refuse(w http.ResponseWriter, req *http.Request, err error, tell func(http.ResponseWriter, int, string)) {
	r := refusalOf(err)
	contentType, _, _ := strings.Cut(req.Header.Get("Content-Type"), ";")
	if IsCall(req) {
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Grpc-Status", strconv.Itoa(int(r.code)))
		w.Header().Set("Grpc-Message", url.PathEscape(err.Error()))
		return
	}
	switch r.status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Basic realm="spanlake"`)
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
	}
	if tell != nil {
		tell(w, r.status, err.Error())
		return
	}
	body := &spb.Status{Code: int32(r.code), Message: err.Error()} //nolint:gosec // one of grpc's few codes
	var encoded []byte
	switch contentType {
	case "application/x-protobuf":
		encoded, _ = proto.Marshal(body) // two scalars always marshal
	case "application/json":
		encoded, _ = protojson.Marshal(body)
	default:
		http.Error(w, err.Error(), r.status)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(r.status)
	_, _ = w.Write(encoded) // the client is gone
}

// IsCall reports whether a request is a call of gRPC.
func IsCall(req *http.Request) bool {
	return req.ProtoMajor == 2 && strings.HasPrefix(req.Header.Get("Content-Type"), "application/grpc")
}

// healthPrefix begins the methods that need no key.
var healthPrefix = "/" + grpc_health_v1.Health_ServiceDesc.ServiceName + "/"

// TapIngest decides on calls of the OTLP port before anything of their messages
// is read.
func (g *Guard) TapIngest(ctx context.Context, info *tap.Info) (context.Context, error) {
	if strings.HasPrefix(info.FullMethodName, healthPrefix) {
		return ctx, nil
	}
	granted, err := g.admit(project.ScopeIngest, info.Header.Get)
	if err != nil {
		return nil, status.Error(refusalOf(err).code, err.Error())
	}
	md := info.Header.Copy()
	md.Delete("Authorization")
	md.Delete(headerAPIKey)
	md.Set(HeaderProject, granted.header())
	return metadata.NewIncomingContext(ctx, md), nil
}
