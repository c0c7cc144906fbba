package login

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/login/secrettest"
)

// credentialsFile is what a file of a new user holds.
func credentialsFile(t testing.TB) (text, jwt string, user nkeys.KeyPair) {
	t.Helper()
	user, err := nkeys.CreateUser()
	require.NoError(t, err)
	seed, err := user.Seed()
	require.NoError(t, err)
	jwt = "eyJhbGciOiJlZDI1NTE5In0.e30.c2ln"
	return fmt.Sprintf("-----BEGIN NATS USER JWT-----\n%s\n------END NATS USER JWT------\n\n"+
		"************************* IMPORTANT *************************\n\n-----BEGIN USER NKEY SEED-----\n%s\n------END USER NKEY SEED------\n", jwt, seed), jwt, user
}

// applied are the options that the client library has then.
func applied(t *testing.T, l *Login) (o nats.Options) {
	t.Helper()
	options, err := l.Options(t.Context())
	require.NoError(t, err)
	for _, option := range options {
		require.NoError(t, option(&o))
	}
	return o
}

func TestKinds(t *testing.T) {
	text, jwt, pair := credentialsFile(t)
	of := func(text string) *Login {
		return &Login{read: func(context.Context) (string, error) { return text, nil }}
	}
	o := applied(t, of(text))
	have, err := o.UserJWT()
	require.NoError(t, err)
	require.Equal(t, jwt, have)
	signature, err := o.SignatureCB([]byte("nonce"))
	require.NoError(t, err)
	require.NoError(t, pair.Verify([]byte("nonce"), signature))

	user, password := applied(t, of(`{"username":"u","password":"p"}`)).UserInfo()
	require.Equal(t, "u p", user+" "+password)
	require.Equal(t, "s3cr3t", applied(t, of(`{"token":"s3cr3t"}`)).TokenHandler())
	require.Empty(t, applied(t, nil))
	require.Nil(t, New("", ""))
	path := filepath.Join(t.TempDir(), "nats.creds")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	require.NotNil(t, applied(t, New(path, "")).UserJWT)
}

func TestParseRefuses(t *testing.T) {
	text, _, _ := credentialsFile(t)
	for name, secret := range map[string]string{
		"empty": "", "text": "s3cr3t", "a list": `["s3cr3t"]`, "nothing of it": `{"key":"s3cr3t"}`, "two kinds": `{"token":"s3cr3t","username":"u"}`,
		"a number": `{"token":1}`, "no seed": strings.Split(text, "****")[0], "bad seed": strings.Replace(text, "SEED-----\nSU", "SEED-----\nXX", 1),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(secret)
			require.ErrorIs(t, err, errSecret)
			require.NotContains(t, err.Error(), "s3cr3t")
		})
	}
}

func FuzzParse(f *testing.F) {
	text, _, _ := credentialsFile(f)
	for _, seed := range []string{text, text[:200], `{"username":"u","password":"p"}`, `{"token":"t"}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		i, err := parse(text)
		if err != nil {
			require.ErrorIs(t, err, errSecret)
			return
		}
		if i.jwt != "" {
			_, err = i.sign([]byte("nonce"))
			require.NoError(t, err)
			return
		}
		require.NotEqual(t, i.token == "", i.user == "")
	})
}

// TestReadsAgain: the secret is read once, and after it was refused again, but not
// more often than every few seconds.
func TestReadsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads := 0
		l := &Login{read: func(context.Context) (string, error) {
			if reads++; reads == 3 {
				return "", errors.New("away")
			}
			return fmt.Sprintf(`{"token":"%d"}`, reads), nil
		}}
		o := applied(t, l)
		time.Sleep(time.Hour)
		require.Equal(t, "1", o.TokenHandler())
		l.Note(nil)
		l.Note(nats.ErrTimeout)
		require.Equal(t, "1", o.TokenHandler())
		l.Note(fmt.Errorf("connect: %w", nats.ErrAuthorization))
		require.Equal(t, "2", o.TokenHandler())
		l.Note(nats.ErrAuthExpired)
		time.Sleep(readAgain - time.Nanosecond)
		require.Equal(t, "2", o.TokenHandler(), "it is too early")
		time.Sleep(time.Nanosecond)
		require.Empty(t, o.TokenHandler(), "it cannot be read")
		require.Equal(t, "4", applied(t, l).TokenHandler())
		require.Equal(t, 4, reads)
		(*Login)(nil).Note(nats.ErrAuthorization)
	})
}

// TestSecret reads it as AWS has it.
func TestSecret(t *testing.T) {
	server := secrettest.Start(t)
	for _, variable := range server.Env() {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	l := New("", secrettest.ARN)
	_, err := l.Options(t.Context())
	require.ErrorContains(t, err, "can't find the specified secret value")
	server.Set(`{"token":"t"}`)
	require.Equal(t, "t", applied(t, l).TokenHandler())
	require.Equal(t, 2, server.Reads())
	_, err = New("", "nonsense").Options(t.Context())
	require.ErrorContains(t, err, "want the ARN of a secret")
}

func TestCheckARN(t *testing.T) {
	require.NoError(t, CheckARN(secrettest.ARN))
	require.NoError(t, CheckARN("arn:aws-us-gov:secretsmanager:us-gov-west-1:123456789012:secret:a/b-AbCdEf"))
	for _, text := range []string{"", "nats", "arn:aws:s3:::bucket", "arn:aws:secretsmanager::123456789012:secret:x", "arn:aws:secretsmanager:eu-west-1:123456789012:key:x"} {
		require.ErrorContains(t, CheckARN(text), "want the ARN of a secret")
	}
}
