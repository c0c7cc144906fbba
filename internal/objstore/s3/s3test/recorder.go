package s3test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Recorder stands before a Server or a Lifecycle and writes down what is asked of
// it. Give each process one of its own to tell apart who asks for what.
type Recorder struct {
	Endpoint string

	mu    sync.Mutex
	calls []Call
}

// Call is a request to S3.
type Call struct {
	// Operation is its name in S3's API, such as PutObject; DeleteObjectVersion is
	// DeleteObject with a version. Empty: one that the Recorder does not know.
	Operation string
	Bucket    string
	// Key is that of the object, of a listing its prefix, with the prefix of the
	// bucket's URL. Empty: all of the bucket.
	Key string
}

// operations are the calls that internal/objstore/s3 makes, by method and what
// distinguishes their URL. The first that is in the query counts.
func operations() []struct{ method, parameter, object, bucket string } {
	return []struct{ method, parameter, object, bucket string }{
		{http.MethodGet, "lifecycle", "", "GetBucketLifecycleConfiguration"},
		{http.MethodPut, "lifecycle", "", "PutBucketLifecycleConfiguration"},
		{http.MethodGet, "versions", "", "ListObjectVersions"},
		{http.MethodGet, "list-type", "", "ListObjectsV2"},
		{http.MethodPost, "uploads", "CreateMultipartUpload", ""},
		{http.MethodPut, "uploadId", "UploadPart", ""},
		{http.MethodPost, "uploadId", "CompleteMultipartUpload", ""},
		{http.MethodDelete, "uploadId", "AbortMultipartUpload", ""},
		{http.MethodDelete, "versionId", "DeleteObjectVersion", ""},
		{http.MethodGet, "", "GetObject", ""},
		{http.MethodHead, "", "HeadObject", "HeadBucket"},
		{http.MethodPut, "", "PutObject", ""},
		{http.MethodDelete, "", "DeleteObject", ""},
	}
}

// actions are the permissions that IAM policies name otherwise than the operation.
func actions() map[string]string {
	return map[string]string{
		"ListObjectsV2":                   "ListBucket",
		"ListObjectVersions":              "ListBucketVersions",
		"HeadBucket":                      "ListBucket",
		"HeadObject":                      "GetObject",
		"CreateMultipartUpload":           "PutObject",
		"UploadPart":                      "PutObject",
		"CompleteMultipartUpload":         "PutObject",
		"GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
		"PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
	}
}

// Action is the permission that the call needs, as IAM policies name it: such as
// s3:PutObject, on the object, or s3:ListBucket, on the bucket. The object of a GET
// that may not exist needs s3:ListBucket besides, or S3 answers 403 for 404.
func (c Call) Action() string {
	if action, other := actions()[c.Operation]; other {
		return "s3:" + action
	}
	return "s3:" + c.Operation
}

// Class is what the call counts as in S3's price list: PUT (with POST), GET (with
// HEAD), LIST, which costs as much as PUT, or DELETE, which costs nothing.
func (c Call) Class() string {
	switch {
	case strings.HasPrefix(c.Operation, "List"):
		return "LIST"
	case strings.HasPrefix(c.Operation, "Get"), strings.HasPrefix(c.Operation, "Head"):
		return http.MethodGet
	case strings.HasPrefix(c.Operation, "Delete"), strings.HasPrefix(c.Operation, "Abort"):
		return http.MethodDelete
	}
	return http.MethodPut
}

// Record starts a Recorder before an endpoint. It ends with the test.
func Record(t testing.TB, endpoint string) *Recorder {
	t.Helper()
	r := new(Recorder)
	forward := Forward(t, endpoint)
	front := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.note(req)
		forward.ServeHTTP(w, req)
	}))
	front.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that are killed
	front.Start()
	t.Cleanup(func() {
		front.CloseClientConnections()
		front.Close()
	})
	r.Endpoint = front.URL
	return r
}

// URL is as that of Server.
func (r *Recorder) URL(place string, parameters ...string) string {
	return (&Server{Endpoint: r.Endpoint}).URL(place, parameters...)
}

func (r *Recorder) note(req *http.Request) {
	var c Call
	c.Bucket, c.Key, _ = strings.Cut(strings.TrimPrefix(req.URL.Path, "/"), "/")
	query := req.URL.Query()
	for _, op := range operations() {
		if op.method != req.Method || op.parameter != "" && !query.Has(op.parameter) {
			continue
		}
		c.Operation = op.object
		if c.Key == "" {
			c.Operation, c.Key = op.bucket, query.Get("prefix")
		}
		break
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, c)
}

// Take returns the calls in the order in which they came, and forgets them.
func (r *Recorder) Take() []Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	calls := r.calls
	r.calls = nil
	return calls
}

// Calls returns the calls so far in the order in which they came.
func (r *Recorder) Calls() []Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}
