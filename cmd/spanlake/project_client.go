package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spanlake/spanlake/internal/app"
)

const (
	// adminKeyVariable has the secret of an admin's key.
	adminKeyVariable = "SPANLAKE_ADMIN_KEY"
	// allProjects stands for all projects in paths of the API.
	allProjects = "_all"

	adminTimeout    = time.Minute
	maxAdminAnswer  = 64 << 20
	pathOfProjects  = "/api/projects"
	contentTypeJSON = "application/json"
)

// projectClient asks the API of projects: that of a server, or, so that both
// ways do the same, the one that this program makes of a bucket.
type projectClient struct {
	http *http.Client
	base string
	key  string
}

// client returns the client that the flags choose, and what lets go of it.
func (c *projectConfig) client(ctx context.Context, reads bool, e env) (*projectClient, func(), error) {
	if c.url != "" {
		u, err := url.Parse(c.url)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, nil, &usageError{errors.New("url: want http://host:port or https://host")}
		}
		key, err := c.adminKey(e)
		return &projectClient{&http.Client{Timeout: adminTimeout, Transport: new(http.Transport)}, strings.TrimSuffix(c.url, "/"), key}, func() {}, err
	}
	cfg, err := c.bucket.config(e)
	if err != nil {
		return nil, nil, err
	}
	open := app.CreateBucket
	if reads { // not to make a folder where somebody has mistyped one
		open = app.OpenBucket
	}
	bucket, release, err := open(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	where, _ := cfg.Locations()
	fmt.Fprintf(e.stderr, "bucket: %s\n", where)
	handler := app.ProjectsHandler(bucket, cfg)
	return &projectClient{&http.Client{Transport: inProcess{handler}}, "http://bucket", ""}, release, nil
}

// adminKey reads the key for a server. One that nobody needs a key for has none.
func (c *projectConfig) adminKey(e env) (string, error) {
	if c.keyFile == "" {
		key, _ := e.lookupEnv(adminKeyVariable)
		return strings.TrimSpace(key), nil
	}
	text, err := os.ReadFile(c.keyFile)
	if err != nil {
		return "", &usageError{fmt.Errorf("admin-key-file: %w", err)}
	}
	return strings.TrimSpace(string(text)), nil
}

// call sends a request for a path of names and decodes the answer.
func (p *projectClient) call(ctx context.Context, method string, path []string, body, reply any) error {
	target := []string{p.base + pathOfProjects}
	for _, name := range path {
		target = append(target, url.PathEscape(name))
	}
	var content bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&content).Encode(body); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.Join(target, "/"), &content)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", contentTypeJSON)
	if p.key != "" {
		req.Header.Set("Authorization", "Bearer "+p.key)
	}
	resp, err := p.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAdminAnswer))
	if err != nil {
		return err
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		return refusedBy(resp.StatusCode, answer)
	}
	if reply == nil {
		return nil
	}
	return json.Unmarshal(answer, reply)
}

// refusedBy is the error that an answer tells of.
func refusedBy(status int, answer []byte) error {
	var told struct {
		Error   string `json:"error"`
		Message string `json:"message"` // of a google.rpc.Status
	}
	_ = json.Unmarshal(answer, &told) // of something else in between it is text
	switch text := told.Error + told.Message; {
	case text != "" && status == http.StatusUnauthorized:
		return fmt.Errorf("%s (set %s, or -admin-key-file)", text, adminKeyVariable)
	case text != "":
		return errors.New(text)
	}
	return fmt.Errorf("the server answers %d: %s", status, strings.TrimSpace(string(answer[:min(len(answer), 200)])))
}

// inProcess lets a client ask a handler of this process.
type inProcess struct{ handler http.Handler }

// RoundTrip implements http.RoundTripper.
func (t inProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	w := &recorder{header: http.Header{}, status: http.StatusOK}
	t.handler.ServeHTTP(w, req)
	return &http.Response{
		StatusCode: w.status, Header: w.header, Body: io.NopCloser(&w.body), Request: req,
		ProtoMajor: 1, ProtoMinor: 1, ContentLength: int64(w.body.Len()),
	}, nil
}

// recorder keeps what a handler answers.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header               { return r.header }
func (r *recorder) WriteHeader(status int)            { r.status = status }
func (r *recorder) Write(content []byte) (int, error) { return r.body.Write(content) }
