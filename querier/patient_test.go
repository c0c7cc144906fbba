package querier_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/querier"
)

// A reply to a client that reads nothing ends, over HTTP/1 and HTTP/2, and
// nobody waits for it any longer.
func TestClientThatDoesNotRead(t *testing.T) {
	for _, version := range []int{1, 2} {
		ended := make(chan error, 1)
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.ProtoMajor != version {
				ended <- io.ErrUnexpectedEOF
				return
			}
			w = querier.NewPatient(w, 20*time.Millisecond)
			chunk := make([]byte, 1<<20)
			for {
				if _, err := w.Write(chunk); err != nil {
					ended <- err
					return
				}
			}
		}))
		protocols := new(http.Protocols)
		protocols.SetHTTP1(version == 1)
		protocols.SetUnencryptedHTTP2(version == 2)
		server.Config.Protocols = protocols
		server.Start()
		client := &http.Client{Transport: &http.Transport{Protocols: protocols}}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		require.NoError(t, err)
		resp, err := client.Do(req)
		require.NoError(t, err)
		require.ErrorIs(t, <-ended, os.ErrDeadlineExceeded)
		require.NoError(t, resp.Body.Close())
		client.CloseIdleConnections()
		server.Close()
	}
}

// A client that takes its time gets everything, however large.
func TestPatientWritesAll(t *testing.T) {
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w = querier.NewPatient(w, time.Minute)
		n, err := w.Write(want)
		if n != len(want) || err != nil {
			panic(http.ErrAbortHandler)
		}
	}))
	defer server.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	require.NoError(t, err)
	resp, err := server.Client().Do(req)
	require.NoError(t, err)
	got, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, want, got)
}
