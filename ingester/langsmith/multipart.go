package langsmith

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"strings"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/jsonvalue"
)

// maxRuns bounds the runs of a request, with feedback and attachments: SDKs send a
// hundred, of which each has at least a row.
const maxRuns = 10_000

var errTooMany = fmt.Errorf("%w: more than %d runs: send fewer at once", ingester.ErrTooLarge, maxRuns)

// batch is what a request says: runs and updates of runs, in the order in which
// each was first mentioned.
type batch struct {
	runs     []*run
	feedback []feedback
	unusable int // parts, and runs without an id

	byName map[string]*run // "post." or "patch." and the id
	files  []file
}

// file is an attachment of a run that may not have been mentioned yet.
type file struct {
	id string
	attachment
}

// runOf is the run that parts of a multipart body speak of.
func (b *batch) runOf(verb, id string) (*run, error) {
	name := verb + "." + id
	if r, ok := b.byName[name]; ok {
		return r, nil
	}
	r := &run{patch: verb == "patch", ID: quoted(id)}
	if b.byName == nil {
		b.byName = make(map[string]*run)
	}
	b.byName[name] = r
	return r, b.add(r)
}

func (b *batch) add(r *run) error {
	b.runs = append(b.runs, r)
	return b.full()
}

// full fails when there is more than a request may have.
func (b *batch) full() error {
	if len(b.runs)+len(b.feedback)+len(b.files) > maxRuns {
		return errTooMany
	}
	return nil
}

func quoted(s string) jsonvalue.Value {
	v, _ := json.Marshal(s) // text always marshals
	return v
}

// readMultipart reads a body of parts, which come in any order: post.{id} and
// patch.{id} are runs without their heavy fields, post.{id}.inputs and the like are
// these, attachment.{id}.{name} are files, feedback.{id} is feedback. Parts that
// cannot be used are counted and left out.
func readMultipart(body []byte, contentType string) (*batch, error) {
	mediaType, params, err := mime.ParseMediaType(contentType)
	if err != nil || mediaType != "multipart/form-data" || params["boundary"] == "" {
		return nil, fmt.Errorf("%w: Content-Type %q, want multipart/form-data with a boundary", ingester.ErrBadRequest, contentType)
	}
	if !bytes.Contains(body, []byte("--"+params["boundary"]+"--")) {
		return nil, fmt.Errorf("%w: it ends before its last boundary", ingester.ErrBadRequest)
	}
	b := new(batch)
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			b.attach()
			return b, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ingester.ErrBadRequest, err)
		}
		content, err := io.ReadAll(part)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ingester.ErrBadRequest, err)
		}
		if err := b.part(part.FormName(), part.Header.Get("Content-Type"), content); err != nil {
			return nil, err
		}
	}
}

// part takes one part. It fails when there are too many runs.
func (b *batch) part(name, contentType string, content []byte) error {
	verb, rest, _ := strings.Cut(name, ".")
	id, field, isField := strings.Cut(rest, ".")
	switch {
	case id == "":
	case verb == "feedback":
		if f, ok := parseFeedback(content); ok {
			b.feedback = append(b.feedback, f)
			return b.full()
		}
	case verb == "attachment" && isField:
		mediaType, _, _ := strings.Cut(contentType, ";")
		b.files = append(b.files, file{id, attachment{name: field, contentType: mediaType, content: content}})
		return b.full()
	case verb != "post" && verb != "patch" || !json.Valid(content):
	case !isField:
		r, err := b.runOf(verb, id)
		if err != nil {
			return err
		}
		if r.read(content) == nil {
			r.ID = quoted(id) // the part's name says whose it is
			return nil
		}
	default:
		r, err := b.runOf(verb, id)
		if err != nil {
			return err
		}
		if to := r.field(field); to != nil {
			*to = bytes.TrimSpace(content)
		}
		return nil // others are left out on purpose
	}
	b.unusable++
	return nil
}

// attach gives files to their runs.
func (b *batch) attach() {
	for _, f := range b.files {
		r, ok := b.byName["post."+f.id]
		if !ok {
			r, ok = b.byName["patch."+f.id]
		}
		if !ok {
			b.unusable++
			continue
		}
		r.attachments = append(r.attachments, f.attachment)
	}
	b.files = nil
}
