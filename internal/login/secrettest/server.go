// Package secrettest is a server that answers as AWS Secrets Manager does, as far as
// reading one secret goes, for tests.
package secrettest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// ARN is that of the server's only secret.
const ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:nats-AbCdEf"

// Server has a secret. Use Start.
type Server struct {
	// Endpoint is its URL.
	Endpoint string

	mu    sync.Mutex
	text  string
	reads int
}

// Start starts a server that ends with the test. Its secret has no value yet.
func Start(t testing.TB) *Server {
	t.Helper()
	s := new(Server)
	front := httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(front.Close)
	s.Endpoint = front.URL
	return s
}

// Env are the variables, as NAME=value, by which the AWS SDK finds the server.
func (s *Server) Env() []string {
	return []string{"AWS_ENDPOINT_URL_SECRETS_MANAGER=" + s.Endpoint, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=testtest"}
}

// Set gives the secret a value, "" takes it away.
func (s *Server) Set(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = text
}

// Reads is how often the secret was asked for.
func (s *Server) Reads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	refuse := func(kind, message string) {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": kind, "Message": message}) // the client notices
	}
	body, _ := io.ReadAll(r.Body) // likewise
	var input struct{ SecretId string }
	switch err := json.Unmarshal(body, &input); {
	case r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue":
		refuse("UnknownOperationException", r.Header.Get("X-Amz-Target"))
	case !strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/secretsmanager/aws4_request"):
		refuse("InvalidSignatureException", "Credential should be scoped to a valid region.")
	case err != nil:
		refuse("InvalidRequestException", err.Error())
	case input.SecretId != ARN || s.text == "":
		refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT")
	default:
		_ = json.NewEncoder(w).Encode(map[string]any{
			"ARN": ARN, "Name": "nats", "CreatedDate": 1.773e9, "VersionId": fmt.Sprintf("%032d", s.reads),
			"VersionStages": []string{"AWSCURRENT"}, "SecretString": s.text,
		})
	}
}
