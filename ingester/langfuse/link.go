package langfuse

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/schema"
)

// link is what somebody may do with media without a key, for a while.
type link struct {
	method      string
	name        schema.MediaName
	contentType string
	length      int64
	ends        int64 // Unix seconds
}

const (
	linkPrefix = prefix + "media-content/"
	linkAge    = time.Hour
)

// errLink means that a link is not one of ours, or no longer.
var errLink = errors.New("the link is not valid, or not any more: ask for another one")

// signature is what only who knows the project's secret can make.
func (l *link) signature(secret []byte) []byte {
	mac := hmac.New(sha256.New, secret)
	// No part has a line break: nothing else looks the same.
	mac.Write(fmt.Appendf(nil, "%s\n%s\n%q\n%d\n%d", l.method, l.name.Key(), l.contentType, l.length, l.ends))
	return mac.Sum(nil)
}

// sign returns the address of a link, at the host that the request was sent to.
func (h *Handler) sign(req *http.Request, l link) (string, error) {
	secret, err := h.secret(req.Context(), l.name.Project)
	if err != nil {
		return "", err
	}
	address := url.URL{
		Scheme: "http", Host: req.Host, Path: linkPrefix + string(l.name.Project) + "/" + hex.EncodeToString(l.name.SHA256[:]),
		RawQuery: url.Values{
			"type": {l.contentType}, "length": {strconv.FormatInt(l.length, 10)}, "ends": {strconv.FormatInt(l.ends, 10)},
			"signature": {hex.EncodeToString(l.signature(secret))},
		}.Encode(),
	}
	if req.TLS != nil || req.Header.Get("X-Forwarded-Proto") == "https" {
		address.Scheme = "https"
	}
	return address.String(), nil
}

// verify returns the link that a request follows.
func (h *Handler) verify(req *http.Request) (link, error) {
	query := req.URL.Query()
	l := link{method: req.Method, contentType: query.Get("type")}
	var errs [4]error
	l.name, errs[0] = schema.ParseMediaName(schema.MediaPrefix + req.PathValue("project") + "/" + req.PathValue("hash"))
	l.length, errs[1] = strconv.ParseInt(query.Get("length"), 10, 64)
	l.ends, errs[2] = strconv.ParseInt(query.Get("ends"), 10, 64)
	signature, err := hex.DecodeString(query.Get("signature"))
	errs[3] = err
	if errors.Join(errs[:]...) != nil || h.now().Unix() > l.ends {
		return l, errLink
	}
	if _, err := h.media.Kept(l.name.Project); err != nil {
		return l, err
	}
	secret, _, err := h.bucket.Get(req.Context(), schema.MediaSecret(l.name.Project), objstore.GetOptions{})
	if errors.Is(err, objstore.ErrNotExist) {
		return l, errLink
	}
	if err != nil {
		return l, ingester.Away(err)
	}
	if !hmac.Equal(signature, l.signature(secret)) {
		return l, errLink
	}
	return l, nil
}

// secretBytes is the length of a secret.
const secretBytes = 32

// secret is that of a project. All processes use the one that is in the bucket first.
func (h *Handler) secret(ctx context.Context, id schema.ProjectID) ([]byte, error) {
	key := schema.MediaSecret(id)
	secret, object, err := h.bucket.Get(ctx, key, objstore.GetOptions{})
	if err == nil {
		return secret, h.renewSecret(ctx, id, secret, object)
	}
	if !errors.Is(err, objstore.ErrNotExist) {
		return nil, ingester.Away(err)
	}
	made := make([]byte, secretBytes)
	_, _ = rand.Read(made) // never fails
	err = h.bucket.Put(ctx, key, bytes.NewReader(made), objstore.PutOptions{IfNotExist: true})
	if err != nil && !errors.Is(err, objstore.ErrExist) {
		return nil, ingester.Away(err)
	}
	if secret, _, err = h.bucket.Get(ctx, key, objstore.GetOptions{}); err != nil {
		return nil, ingester.Away(err)
	}
	return secret, nil
}

// renewSecret puts a secret anew before rules of the bucket delete it, which count from
// when an object was put: links must not end with it.
func (h *Handler) renewSecret(ctx context.Context, id schema.ProjectID, secret []byte, object objstore.Object) error {
	kept, err := h.media.Kept(id)
	if err != nil || kept == 0 || h.now().Sub(object.ModTime) < kept/2 {
		return err
	}
	if err := h.bucket.Put(ctx, schema.MediaSecret(id), bytes.NewReader(secret), objstore.PutOptions{}); err != nil {
		return ingester.Away(err)
	}
	return nil
}
