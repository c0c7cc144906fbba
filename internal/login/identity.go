package login

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/nats-io/nkeys"
)

// identity is one of these: a user's JWT with the seed that proves it, a token, or a
// name with a password.
type identity struct {
	jwt            string
	seed           string
	token          string
	user, password string
}

// errSecret does not say what the secret is.
var errSecret = errors.New(`want the content of a NATS credentials file, or JSON: {"username":"…","password":"…"} or {"token":"…"}`)

// parse reads the text of a secret.
func parse(text string) (identity, error) {
	if strings.Contains(text, "-----BEGIN NATS USER JWT-----") {
		return parseFile(text)
	}
	var fields struct {
		User     string `json:"username"`
		Password string `json:"password"`
		Token    string `json:"token"`
	}
	if json.Unmarshal([]byte(text), &fields) != nil {
		return identity{}, errSecret
	}
	i := identity{token: fields.Token, user: fields.User, password: fields.Password}
	if (i.token == "") == (i.user == "") {
		return identity{}, errSecret
	}
	return i, nil
}

// parseFile reads what a credentials file holds.
func parseFile(text string) (identity, error) {
	jwt, err := nkeys.ParseDecoratedJWT([]byte(text))
	if err != nil || jwt == "" {
		return identity{}, errSecret
	}
	pair, err := nkeys.ParseDecoratedUserNKey([]byte(text))
	if err != nil {
		return identity{}, errSecret
	}
	seed, err := pair.Seed()
	if err != nil {
		return identity{}, errSecret
	}
	return identity{jwt: jwt, seed: string(seed)}, nil
}

// sign proves that the JWT is this process's.
func (i *identity) sign(nonce []byte) ([]byte, error) {
	pair, err := nkeys.FromSeed([]byte(i.seed))
	if err != nil {
		return nil, err
	}
	defer pair.Wipe()
	return pair.Sign(nonce)
}
