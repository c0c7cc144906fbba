package app

import (
	"context"
	"net"
	"net/http"
	"net/http/pprof"
)

// localOnly lets requests of this machine through. Those that a proxy forwards
// come from elsewhere whatever their address says.
func localOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		host, _, _ := net.SplitHostPort(req.RemoteAddr)
		forwarded := req.Header.Get("Forwarded") != "" || req.Header.Get("X-Forwarded-For") != ""
		if !loopback(host) || forwarded {
			http.Error(w, "this path answers on the machine itself only: send the request from there to 127.0.0.1, without a proxy", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, req)
	})
}

// flusher is what POST /flush asks of a builder.
type flusher interface {
	Flush(ctx context.Context) error
}

// flushHandler answers when everything acknowledged before is in blocks.
func flushHandler(f flusher) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if err := f.Flush(req.Context()); err != nil {
			unavailable(w, err.Error())
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

func pprofHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}
