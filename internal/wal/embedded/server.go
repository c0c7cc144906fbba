package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// readyTimeout bounds the start: recovering a log of some GB takes seconds.
	readyTimeout = time.Minute
	// maxMemoryBytes bounds what readers' cursors, which live in memory, may
	// take. They hold no messages.
	maxMemoryBytes = 16 << 20
)

// Options say where the server keeps its data.
type Options struct {
	// Dir is the folder, created if needed.
	Dir string
	// MaxStoreBytes bounds everything stored; all streams' limits together must
	// fit. 0: three quarters of the disk's free space.
	MaxStoreBytes int64
	// MaxPayloadBytes is the largest message. 0: the server's default, 1 MiB.
	MaxPayloadBytes int32
	// Listen also opens random loopback ports for clients and for monitoring.
	Listen bool
	// WeakSync leaves syncing to the server's timer. Only for tests of the checks.
	WeakSync bool
	// Logger gets the server's own messages. Default: discarded.
	Logger *slog.Logger
}

// Server is a running server.
type Server struct {
	nats *server.Server
	lock *dirLock
}

// Start starts a server and returns when it takes connections and has recovered
// what the folder holds. Returns ErrLocked when another process uses the folder.
func Start(opts Options) (*Server, error) {
	if opts.Dir == "" {
		return nil, errors.New("start embedded log server: no folder")
	}
	lock, err := lockDir(opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("start embedded log server: %w", err)
	}
	s, err := start(opts)
	if err != nil {
		return nil, fmt.Errorf("start embedded log server: %w", errors.Join(err, lock.release()))
	}
	return &Server{nats: s, lock: lock}, nil
}

func start(opts Options) (*server.Server, error) {
	s, err := server.NewServer(natsOptions(opts))
	if err != nil {
		return nil, err
	}
	logger := opts.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	s.SetLoggerV2(&natsLogger{logger: logger.With(slog.String("subsystem", "nats"))}, false, false, false)
	s.Start()
	if !s.ReadyForConnections(readyTimeout) {
		s.Shutdown()
		s.WaitForShutdown()
		return nil, fmt.Errorf("not ready within %s", readyTimeout)
	}
	if !s.JetStreamEnabled() {
		s.Shutdown()
		s.WaitForShutdown()
		return nil, errors.New("storage could not be opened, see the server's messages")
	}
	return s, nil
}

func natsOptions(opts Options) *server.Options {
	o := &server.Options{
		ServerName:         "spanlake",
		DontListen:         !opts.Listen,
		NoSigs:             true,
		JetStream:          true,
		StoreDir:           filepath.Join(opts.Dir, "data"),
		SyncAlways:         !opts.WeakSync,
		JetStreamMaxMemory: maxMemoryBytes,
		JetStreamMaxStore:  opts.MaxStoreBytes,
		MaxPayload:         opts.MaxPayloadBytes,
		NoSystemAccount:    true,
	}
	if opts.Listen {
		o.Host, o.Port = "127.0.0.1", server.RANDOM_PORT
		o.HTTPHost, o.HTTPPort = "127.0.0.1", server.RANDOM_PORT
	}
	return o
}

// Dial returns a new connection to the server, for wal.Options.Dial.
func (s *Server) Dial() (net.Conn, error) { return s.nats.InProcessConn() }

// Look is a wal.LookFunc. The server answers $JS.API.STREAM.INFO with the same
// call of the stream, and there are no replicas that could know more.
func (s *Server) Look(stream string) (first, last, bytes, maxBytes uint64, ok bool) {
	account, err := s.nats.JszAccount(&server.JSzOptions{
		Account: server.DEFAULT_GLOBAL_ACCOUNT, Streams: true, Config: true,
	})
	if err != nil { // it is stopping
		return 0, 0, 0, 0, false
	}
	i := slices.IndexFunc(account.Streams, func(d server.StreamDetail) bool { return d.Name == stream })
	if i < 0 {
		return 0, 0, 0, 0, false
	}
	state := &account.Streams[i].State
	first = state.FirstSeq
	if state.Msgs == 0 {
		first = state.LastSeq + 1
	}
	return first, state.LastSeq, state.Bytes, uint64(max(account.Streams[i].Config.MaxBytes, 0)), true
}

// URL is where the server listens, if Options.Listen was set.
func (s *Server) URL() string { return s.nats.ClientURL() }

// MonitorURL is where the server answers monitoring requests, if Options.Listen was set.
func (s *Server) MonitorURL() string {
	if addr := s.nats.MonitorAddr(); addr != nil {
		return "http://" + addr.String()
	}
	return ""
}

// Shutdown stops the server, closes all connections, and frees the folder. It
// returns when that is done; calling it again does nothing.
func (s *Server) Shutdown() error {
	s.nats.Shutdown()
	s.nats.WaitForShutdown()
	return s.lock.release()
}
