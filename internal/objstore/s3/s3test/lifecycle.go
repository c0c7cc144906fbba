package s3test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Lifecycle stands before a Server, which knows no lifecycle rules, and adds them
// as Amazon S3 has them: one document per bucket that a PUT replaces as a whole,
// kept as it was sent, an error while there is none, and what S3 refuses. It
// deletes no object. Everything else the Server answers.
type Lifecycle struct {
	Endpoint string

	mu       sync.Mutex
	document []byte // nil: none
	minimum  string // the header that belongs to it
	denied   map[string]bool
	puts     int
}

// transitionMinimum is a header with which a document is read and written.
const transitionMinimum = "X-Amz-Transition-Default-Minimum-Object-Size"

// StartLifecycle starts one that ends with the test. It has the rules of all
// buckets in common.
func StartLifecycle(t testing.TB, server *Server) *Lifecycle {
	t.Helper()
	l := &Lifecycle{denied: make(map[string]bool)}
	forward := Forward(t, server.Endpoint)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !r.URL.Query().Has("lifecycle") {
			forward.ServeHTTP(w, r)
			return
		}
		l.serve(w, r)
	}))
	t.Cleanup(front.Close)
	l.Endpoint = front.URL
	return l
}

// URL is as that of Server.
func (l *Lifecycle) URL(place string) string {
	return (&Server{Endpoint: l.Endpoint}).URL(place)
}

// Deny refuses requests of a method, or permits them again.
func (l *Lifecycle) Deny(method string, denied bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.denied[method] = denied
}

// Put stores a document, as somebody else does, with the value of the header
// about transitions.
func (l *Lifecycle) Put(document, minimum string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.document, l.minimum = []byte(document), minimum
}

// Document is what is stored, with that header, and how often it was written.
func (l *Lifecycle) Document() (document, minimum string, puts int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.document), l.minimum, l.puts
}

func (l *Lifecycle) serve(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.denied[r.Method]:
		refuse(w, http.StatusForbidden, "AccessDenied", "Access Denied")
	case r.Method == http.MethodGet && l.document == nil:
		refuse(w, http.StatusNotFound, "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist")
	case r.Method == http.MethodGet:
		w.Header().Set(transitionMinimum, l.minimum)
		w.Header().Set("Content-Type", "application/xml")
		_, _ = w.Write(l.document) // the client notices
	case r.Method == http.MethodPut:
		l.put(w, r)
	default:
		refuse(w, http.StatusMethodNotAllowed, "MethodNotAllowed", r.Method)
	}
}

func (l *Lifecycle) put(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	if !hasChecksum(r.Header) {
		refuse(w, http.StatusBadRequest, "InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
		return
	}
	if code, reason := checkLifecycle(body); code != "" {
		refuse(w, http.StatusBadRequest, code, reason)
		return
	}
	l.document, l.minimum = body, r.Header.Get(transitionMinimum)
	if l.minimum == "" {
		l.minimum = "all_storage_classes_128K"
	}
	l.puts++
}

// hasChecksum reports whether a PUT says what its body is to be, as it must.
func hasChecksum(h http.Header) bool {
	for name := range h {
		if name == "Content-Md5" || strings.HasPrefix(name, "X-Amz-Checksum-") {
			return true
		}
	}
	return false
}

func refuse(w http.ResponseWriter, status int, code, reason string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>%s</Message></Error>", code, reason) // the client notices
}

// lifecycleRule is what S3 looks at when it takes a rule.
type lifecycleRule struct {
	ID     string
	Status string
	Prefix *string
	Filter *struct {
		Prefix *string
		And    *struct{ Inner string }
	}
	Expiration *struct {
		Days *int
		Date *string
	}
	NoncurrentVersionExpiration    *struct{ NoncurrentDays int }
	AbortIncompleteMultipartUpload *struct{ DaysAfterInitiation int }
	Transition                     []struct{ StorageClass string }
	NoncurrentVersionTransition    []struct{ StorageClass string }
}

// checkLifecycle returns S3's error for a document that it does not take.
func checkLifecycle(body []byte) (code, reason string) {
	var doc struct {
		Rule []lifecycleRule
	}
	if err := xml.NewDecoder(bytes.NewReader(body)).Decode(&doc); err != nil || len(doc.Rule) == 0 || len(doc.Rule) > 1000 {
		return "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema"
	}
	ids, filters, prefixes := make(map[string]bool), 0, 0
	for _, r := range doc.Rule {
		switch {
		case len(r.ID) > 255:
			return "InvalidArgument", "ID length should not exceed allowed limit of 255"
		case ids[r.ID] && r.ID != "":
			return "InvalidArgument", "Rule ID must be unique. Found same ID for more than one rule"
		case r.Status != "Enabled" && r.Status != "Disabled", r.Filter == nil && r.Prefix == nil:
			return "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema"
		case r.Expiration == nil && r.NoncurrentVersionExpiration == nil && r.AbortIncompleteMultipartUpload == nil &&
			len(r.Transition)+len(r.NoncurrentVersionTransition) == 0:
			return "InvalidRequest", "At least one action needs to be specified in a rule"
		case r.Expiration != nil && r.Expiration.Days != nil && *r.Expiration.Days <= 0:
			return "InvalidArgument", "'Days' for Expiration action must be a positive integer"
		}
		ids[r.ID] = true
		if r.Filter != nil {
			filters++
		} else {
			prefixes++
		}
	}
	if filters > 0 && prefixes > 0 {
		return "InvalidRequest", "Filter element can only be used in Lifecycle V2."
	}
	return "", ""
}

// Rules cuts a document into its rules, as they were sent, by their ids.
func Rules(t testing.TB, document string) map[string]string {
	t.Helper()
	rules := make(map[string]string)
	for {
		_, rest, ok := strings.Cut(document, "<Rule>")
		if !ok {
			return rules
		}
		rule, rest, ok := strings.Cut(rest, "</Rule>")
		require.True(t, ok)
		_, id, _ := strings.Cut(rule, "<ID>")
		id, _, _ = strings.Cut(id, "</ID>")
		rules[id], document = rule, rest
	}
}
