// Package failure is how clients of other protocols than OTLP are told that something
// has failed, whether they send or read.
package failure

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// Langfuse is a failure as Langfuse tells of it.
type Langfuse struct {
	Message string `json:"message"`
	Error   string `json:"error"`
}

// OfLangfuse is a failure with the name that Langfuse has for a status.
func OfLangfuse(status int, message string) Langfuse {
	name := map[int]string{
		http.StatusBadRequest: "InvalidRequestError", http.StatusUnauthorized: "UnauthorizedError",
		http.StatusForbidden: "ForbiddenError", http.StatusNotFound: "LangfuseNotFoundError",
	}[status]
	if name == "" {
		name = http.StatusText(status)
	}
	return Langfuse{message, name}
}

// TellLangfuse answers with a failure of Langfuse.
func TellLangfuse(w http.ResponseWriter, status int, message string) {
	tell(w, status, OfLangfuse(status, message))
}

// Message is a failure for clients that show a text, LangSmith's among them.
type Message struct {
	Message string `json:"message"`
}

// TellMessage answers with a Message.
func TellMessage(w http.ResponseWriter, status int, message string) {
	tell(w, status, Message{message})
}

// tell writes a failure. Nothing can be done for a client that is gone.
func tell(w http.ResponseWriter, status int, failure any) {
	body, _ := json.Marshal(failure) // texts always marshal
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
