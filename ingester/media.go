package ingester

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime"
	"time"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/schema"
)

// Media stores images, sound and documents that spans refer to, for the adapters of
// protocols that send some. They are named by their content: what is sent again is
// stored once. It is safe for concurrent use.
type Media struct {
	receiver *Receiver
	bucket   objstore.Bucket
	projects Projects

	// Now is the time, by which media expire. REQUIRES: set before use only.
	Now func() time.Time
}

// NewMedia returns what stores media in a bucket, and charges them by receiver.
func NewMedia(receiver *Receiver, bucket objstore.Bucket, projects Projects) *Media {
	return &Media{receiver: receiver, bucket: bucket, projects: projects, Now: time.Now}
}

// MediaType is a type without parameters that mean nothing for storing it.
func MediaType(text string) (string, error) {
	parsed, parameters, err := mime.ParseMediaType(text)
	if formatted := mime.FormatMediaType(parsed, parameters); err == nil && formatted != "" && len(formatted) < 256 {
		return formatted, nil
	}
	return "", fmt.Errorf("contentType: %.100q is not a type of content", text)
}

// Held reports whether media are there, and will be for as long as spans that refer to
// them from now on: half of the retention is left at least.
func (m *Media) Held(ctx context.Context, name schema.MediaName, length int64) (bool, error) {
	kept, err := m.Kept(name.Project)
	if err != nil {
		return false, err
	}
	object, err := m.bucket.Stat(ctx, name.Key())
	switch {
	case errors.Is(err, objstore.ErrNotExist):
		return false, nil
	case err != nil:
		return false, Away(err)
	}
	if object.Size != length || kept > 0 && m.Now().Sub(object.ModTime) >= kept/2 {
		return false, nil
	}
	// What is to be erased is held only if it was put since.
	mark, err := m.bucket.Stat(ctx, name.EraseKey())
	switch {
	case errors.Is(err, objstore.ErrNotExist):
		return true, nil
	case err != nil:
		return false, Away(err)
	}
	return object.ModTime.After(mark.ModTime), nil
}

// Kept is how long a project keeps media, 0 for ever.
func (m *Media) Kept(id schema.ProjectID) (time.Duration, error) {
	settings, err := m.projects.Project(id)
	if err != nil {
		return 0, &RefusedError{Err: errors.New("projects cannot be read"), RetryAfter: time.Second}
	}
	return time.Duration(settings.Retention), nil
}

// Away is how a client is told that the bucket does not answer.
func Away(err error) error {
	return &RefusedError{Err: fmt.Errorf("the bucket: %w", err), RetryAfter: time.Second}
}

// Put stores media. Of which type they are is known before they can be found.
func (m *Media) Put(ctx context.Context, name schema.MediaName, contentType string, content []byte) error {
	if err := m.bucket.Put(ctx, name.TypeKey(), bytes.NewReader([]byte(contentType)), objstore.PutOptions{}); err != nil {
		return Away(err)
	}
	if err := m.bucket.Put(ctx, name.Key(), bytes.NewReader(content), objstore.PutOptions{}); err != nil {
		return Away(err)
	}
	return nil
}
