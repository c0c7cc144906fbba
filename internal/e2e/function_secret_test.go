package e2e_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/login/secrettest"
)

// TestSecretOfNATS: functions and service log in with a secret of AWS Secrets
// Manager. It is read once; when it was replaced, as the server is told as well, all
// of them read it anew. None of them ends because it is not there.
func TestSecretOfNATS(t *testing.T) {
	w := newCloud(t)
	secrets := secrettest.Start(t)
	replace := func(password string) {
		w.nats.kill()
		w.nats.admit("spanlake", password)
		secrets.Set(`{"username":"spanlake","password":"` + password + `"}`)
		w.nats.run()
	}
	w.nats.kill()
	w.nats.admit("spanlake", "first")
	w.nats.run()

	env := append(secrets.Env(), "SPANLAKE_NATS_CREDENTIALS_SECRET="+secrettest.ARN)
	ingest, flush, compact := w.function("ingest", env...), w.function("flush", env...), w.function("compact", env...)
	require.Contains(t, w.decode(flush.invoke(scheduled("flush"))).ErrorMessage, "log is unavailable", "there is no secret")
	secrets.Set(`{"username":"spanlake","password":"first"}`)
	w.send(ingest, 3)
	w.place.env = append(w.place.env, secrets.Env()...)
	querier := w.service("querier", "-nats.credentials-secret="+secrettest.ARN)
	requireCount(t, querier, w.start, w.sent)
	require.Positive(t, w.run(flush, "flush").Spans)
	w.run(compact, "compact")
	requireCount(t, querier, w.start, w.sent)

	reads := secrets.Reads()
	w.send(ingest, 3)
	w.run(flush, "flush")
	w.run(compact, "compact")
	require.Equal(t, reads, secrets.Reads(), "it is known")

	for _, l := range []*lambda{ingest, flush, compact} {
		l.freeze()
	}
	replace("second")
	for _, l := range []*lambda{ingest, flush, compact} {
		l.thaw()
	}
	w.send(ingest, 3)
	require.Positive(t, w.run(flush, "flush").Spans)
	w.run(compact, "compact")
	eventually(t, func() bool {
		got, err := querier.get(t.Context(), "", "/ready")
		return err == nil && got.status == http.StatusOK
	})
	requireCount(t, querier, w.start, w.sent)
	require.Greater(t, secrets.Reads(), reads)
	for _, l := range []*lambda{ingest, flush, compact} {
		require.NotContains(t, l.process.stderr.String(), "second")
	}
}
