package langfuse

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/failure"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/schema"
)

// mediaRoutes are the paths of media: a client says what it has, is given a link to put
// it to, and says how that went. Links need no key, they are signed.
func (h *Handler) mediaRoutes() []ingester.Route {
	return []ingester.Route{
		{Pattern: "POST " + prefix + "media", Scope: project.ScopeIngest, Refuse: failure.TellLangfuse, Handler: h.receiver.Adapt(h.announce)},
		{Pattern: "PATCH " + prefix + "media/{id}", Scope: project.ScopeIngest, Refuse: failure.TellLangfuse, Handler: http.HandlerFunc(uploaded)},
		{Pattern: "GET " + prefix + "media/{id}", Scope: project.ScopeQuery, Refuse: failure.TellLangfuse, Handler: h.receiver.Adapt(h.describe)},
		{Pattern: "PUT " + linkPrefix + "{project}/{hash}", Handler: http.HandlerFunc(h.upload)},
		{Pattern: "GET " + linkPrefix + "{project}/{hash}", Handler: http.HandlerFunc(h.download)},
	}
}

// announcement is what a client says about media before it sends them.
type announcement struct {
	ContentType   string `json:"contentType"`
	ContentLength int64  `json:"contentLength"`
	SHA256Hash    string `json:"sha256Hash"`
}

// announce answers where to put media, or that they are held already.
func (h *Handler) announce(req *ingester.Request) (int, any, error) {
	var a announcement
	if err := json.Unmarshal(req.Body, &a); err != nil {
		return badRequest(err)
	}
	hash, err := base64.StdEncoding.DecodeString(a.SHA256Hash)
	if err != nil || len(hash) != sha256.Size {
		return badRequest(errors.New("sha256Hash: want the SHA-256 of the content in base64"))
	}
	if a.ContentLength <= 0 {
		return badRequest(errors.New("contentLength: want the bytes of the content"))
	}
	if a.ContentType, err = ingester.MediaType(a.ContentType); err != nil {
		return badRequest(err)
	}
	name := schema.MediaName{Project: req.Project, SHA256: [sha256.Size]byte(hash)}
	held, err := h.media.Held(req.Context(), name, a.ContentLength)
	if err != nil {
		return 0, nil, err
	}
	reply := struct {
		MediaID   string  `json:"mediaId"`
		UploadURL *string `json:"uploadUrl"`
	}{MediaID: name.ID()}
	if !held {
		l := link{http.MethodPut, name, a.ContentType, a.ContentLength, h.now().Add(linkAge).Unix()}
		url, err := h.sign(req.Request, l)
		if err != nil {
			return 0, nil, err
		}
		reply.UploadURL = &url
	}
	return http.StatusCreated, reply, nil
}

// uploaded takes how an upload went, which the upload has said.
func uploaded(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

// describe answers what media are and where to get them.
func (h *Handler) describe(req *ingester.Request) (int, any, error) {
	object, name, err := h.find(req.Context(), req.Project, req.PathValue("id"))
	if errors.Is(err, errNoMedia) {
		return http.StatusNotFound, failure.OfLangfuse(http.StatusNotFound, err.Error()), nil
	}
	if err != nil {
		return 0, nil, err
	}
	contentType, err := h.typeOf(req.Context(), name)
	if err != nil {
		return 0, nil, err
	}
	ends := h.now().Add(linkAge)
	url, err := h.sign(req.Request, link{http.MethodGet, name, contentType, object.Size, ends.Unix()})
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, map[string]any{
		"mediaId": name.ID(), "contentType": contentType, "contentLength": object.Size, "url": url,
		"uploadedAt": object.ModTime.UTC().Format(time.RFC3339Nano), "urlExpiry": ends.UTC().Format(time.RFC3339),
	}, nil
}

var errNoMedia = errors.New("media not found")

// find looks for media by their id.
func (h *Handler) find(ctx context.Context, id schema.ProjectID, mediaID string) (objstore.Object, schema.MediaName, error) {
	kept, err := h.media.Kept(id)
	if err != nil {
		return objstore.Object{}, schema.MediaName{}, err
	}
	keys, err := schema.MediaIDPrefix(id, mediaID)
	if err != nil {
		return objstore.Object{}, schema.MediaName{}, fmt.Errorf("%w: %w", errNoMedia, err)
	}
	for object, err := range h.bucket.List(ctx, objstore.ListOptions{Prefix: keys}) {
		if err != nil {
			return object, schema.MediaName{}, ingester.Away(err)
		}
		name, err := schema.ParseMediaName(object.Key)
		if err == nil && name.ID() == mediaID && (kept == 0 || h.now().Sub(object.ModTime) < kept) {
			return object, name, nil
		}
	}
	return objstore.Object{}, schema.MediaName{}, errNoMedia
}

func (h *Handler) typeOf(ctx context.Context, name schema.MediaName) (string, error) {
	contentType, _, err := h.bucket.Get(ctx, name.TypeKey(), objstore.GetOptions{})
	if errors.Is(err, objstore.ErrNotExist) {
		return "application/octet-stream", nil
	}
	if err != nil {
		return "", ingester.Away(err)
	}
	return string(contentType), nil
}

// upload takes media from whoever has the link.
func (h *Handler) upload(w http.ResponseWriter, req *http.Request) {
	l, err := h.verify(req)
	if err == nil {
		err = h.take(req, l)
	}
	if err != nil {
		h.fail(w, err)
		return
	}
	w.WriteHeader(http.StatusOK)
}

var errContent = errors.New("the content is not the one that was announced")

func (h *Handler) take(req *http.Request, l link) error {
	content, release, err := h.receiver.ReadBody(req)
	if err != nil {
		return err
	}
	defer release()
	if int64(len(content)) != l.length || sha256.Sum256(content) != l.name.SHA256 {
		return errContent
	}
	if err := h.receiver.Permit(l.name.Project, len(content)); err != nil {
		return err
	}
	return h.media.Put(req.Context(), l.name, l.contentType, content)
}

// download gives media to whoever has the link, as what no browser runs.
func (h *Handler) download(w http.ResponseWriter, req *http.Request) {
	l, err := h.verify(req)
	if err != nil {
		h.fail(w, err)
		return
	}
	content, _, err := h.bucket.Get(req.Context(), l.name.Key(), objstore.GetOptions{})
	if errors.Is(err, objstore.ErrNotExist) {
		h.fail(w, errNoMedia)
		return
	}
	if err != nil {
		h.fail(w, ingester.Away(err))
		return
	}
	w.Header().Set("Content-Type", l.contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Security-Policy", "sandbox; default-src 'none'")
	_, _ = w.Write(content) // the client is gone
}

// fail answers who followed a link.
func (h *Handler) fail(w http.ResponseWriter, err error) {
	status := http.StatusBadRequest
	switch {
	case errors.Is(err, errLink):
		status = http.StatusForbidden
	case errors.Is(err, errNoMedia):
		status = http.StatusNotFound
	case !errors.Is(err, errContent):
		status = ingester.StatusOf(w.Header(), err)
	}
	ingester.WriteJSON(w, status, failure.OfLangfuse(status, err.Error()))
}
