package login

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// readTime bounds one attempt to read the secret.
	readTime = 15 * time.Second
	// readAgain is how long a secret is used at least, wrong or not: servers are asked
	// again and again, which must not cost a request each.
	readAgain = 5 * time.Second
)

// Login is who a process is. A nil one is nobody in particular. Safe for concurrent
// use.
type Login struct {
	file string                                    // empty: read is set
	read func(ctx context.Context) (string, error) // reads the secret

	mu      sync.Mutex
	known   *identity // nil: the secret was never read
	at      time.Time // when it was
	refused bool      // a server has not accepted it
}

// New returns the login of a credentials file or of a secret by its ARN, nil if
// both are empty. Nothing is read yet.
func New(file, secretARN string) *Login {
	switch {
	case file != "":
		return &Login{file: file}
	case secretARN != "":
		return &Login{read: (&secret{arn: secretARN}).read}
	}
	return nil
}

// Options are for a connection. A secret is read now unless it is known, and anew
// when the connection is to be made again after a server has refused it (Note).
func (l *Login) Options(ctx context.Context) ([]nats.Option, error) {
	if l == nil {
		return nil, nil
	}
	if l.file != "" {
		return []nats.Option{nats.UserCredentials(l.file)}, nil
	}
	first, err := l.current(ctx)
	if err != nil {
		return nil, err
	}
	// What is called for each attempt to connect has no context of its own.
	ctx = context.WithoutCancel(ctx)
	switch {
	case first.jwt != "":
		return []nats.Option{nats.UserJWT(func() (string, error) {
			i, err := l.current(ctx)
			return i.jwt, err
		}, func(nonce []byte) ([]byte, error) {
			i, err := l.current(ctx)
			if err != nil {
				return nil, err
			}
			return i.sign(nonce)
		})}, nil
	case first.token != "":
		return []nats.Option{nats.TokenHandler(func() string {
			i, _ := l.current(ctx) // without a token the server says what is wrong
			return i.token
		})}, nil
	default:
		return []nats.Option{nats.UserInfoHandler(func() (string, string) {
			i, _ := l.current(ctx) // likewise
			return i.user, i.password
		})}, nil
	}
}

// Note takes the error with which a connection has ended, or was not made.
func (l *Login) Note(err error) {
	if l == nil {
		return
	}
	for _, refusal := range []error{nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired} {
		if errors.Is(err, refusal) {
			l.mu.Lock()
			l.refused = true
			l.mu.Unlock()
			return
		}
	}
}

// current is what the secret says, as far as that is to be believed.
func (l *Login) current(ctx context.Context) (identity, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	// By the wall clock, since the other one may stand still while a function is frozen.
	if age := time.Now().Round(0).Sub(l.at); l.known != nil && (!l.refused || age >= 0 && age < readAgain) {
		return *l.known, nil
	}
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	text, err := l.read(ctx)
	if err != nil {
		return identity{}, fmt.Errorf("read the secret of nats.credentials-secret: %w", err)
	}
	i, err := parse(text)
	if err != nil {
		return identity{}, fmt.Errorf("the secret of nats.credentials-secret: %w", err)
	}
	l.known, l.at, l.refused = &i, time.Now().Round(0), false
	return i, nil
}
