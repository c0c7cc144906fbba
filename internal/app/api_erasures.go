package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/spanlake/spanlake/internal/access"
	"github.com/spanlake/spanlake/internal/erasure"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
)

// eraser finds what an erasure is about. A *querier.Querier is one.
type eraser interface {
	TracesWhere(ctx context.Context, id schema.ProjectID, query string) ([]schema.TraceID, error)
	LeftOf(ctx context.Context, r *erasure.Request) (querier.Left, error)
}

// erasures serves the erasures of projects.
type erasures struct {
	store  *erasure.Store
	watch  *erasure.Watch // of this process, nil if it answers no queries
	log    partitionLog   // nil: the bucket alone is known
	find   func() eraser  // nil while nothing answers queries here
	logger *slog.Logger
}

// maxErasureBytes bounds the body of a request: erasure.MaxTraces ids.
const maxErasureBytes = 4 << 20

// NewErasure is what an erasure is asked for with: traces, or a query that finds
// them.
type NewErasure struct {
	Traces []string `json:"traces,omitempty"`
	Where  string   `json:"where,omitempty"`
	DryRun bool     `json:"dry_run,omitempty"`
}

// The states of an erasure.
const (
	erasureDryRun  = "dry run" // nothing was changed
	erasurePending = "pending" // hidden everywhere within two seconds, and still to be removed
	erasureDone    = "done"    // gone
)

// ErasureReply is an erasure as the API shows it.
type ErasureReply struct {
	ID         string             `json:"id,omitempty"`
	Project    schema.ProjectID   `json:"project"`
	State      string             `json:"state"`
	By         string             `json:"by,omitempty"`
	AcceptedAt time.Time          `json:"accepted_at,omitzero"`
	Where      string             `json:"where,omitempty"`        // of one that is pending
	Digest     string             `json:"where_sha256,omitempty"` // of one that is done
	Traces     int                `json:"traces"`
	Spans      int                `json:"spans"` // of a dry run those that queries show, else those that are gone so far
	Replaced   []erasure.Replaced `json:"replaced,omitempty"`
	Versions   int                `json:"versions,omitempty"`
	Media      int                `json:"media,omitempty"` // images and documents that are gone with them
	GoneAt     time.Time          `json:"gone_at,omitzero"`
}

var (
	errErasureNoLog = errors.New("an erasure needs the log, which only a running server knows: ask it with -url")
	errNoQueries    = errors.New("this process answers no queries: ask one that does, with -target=all or querier")
	errErasure      = errors.New("not an erasure that can be")
)

func (e *erasures) accept(ctx context.Context, id schema.ProjectID, req *http.Request) (any, error) {
	var body NewErasure
	if err := decodeJSON(req, &body, maxErasureBytes); err != nil {
		return nil, err
	}
	reply, err := e.ask(ctx, id, &body)
	if err != nil {
		return nil, err
	}
	return reply, nil
}

// ask accepts an erasure.
func (e *erasures) ask(ctx context.Context, id schema.ProjectID, body *NewErasure) (reply ErasureReply, err error) {
	r := &erasure.Request{ID: erasure.NewID(time.Now()), Project: id, Where: body.Where, AcceptedAt: time.Now().UTC().Truncate(time.Millisecond)}
	if key := access.KeyOf(ctx); key != nil {
		r.By = key.Public()
	}
	// The marks first: what the query finds reaches at least as far.
	if r.Marks, err = e.marks(ctx); err != nil {
		return reply, err
	}
	if r.Traces, err = e.traces(ctx, id, body); err != nil {
		return reply, err
	}
	if body.DryRun {
		return e.dryRun(ctx, r)
	}
	if len(r.Traces) == 0 {
		return reply, fmt.Errorf("%w: no trace matches, so there is nothing to erase", errErasure)
	}
	if err := e.store.Accept(ctx, r); err != nil {
		return reply, err
	}
	// Who has asked is told in the object; the query may name a person.
	e.logger.Info("erasure accepted", slog.String("project", string(id)), slog.String("erasure", r.ID), slog.Int("traces", len(r.Traces)))
	if e.watch != nil {
		if err := e.watch.Refresh(ctx, id); err != nil {
			return reply, err
		}
	}
	return pendingReply(r, new(erasure.Progress)), nil
}

// marks are the ends of the log now.
func (e *erasures) marks(ctx context.Context) ([]erasure.Mark, error) {
	if e.log == nil {
		return nil, errErasureNoLog
	}
	marks := make([]erasure.Mark, e.log.Partitions())
	for p := range marks {
		stream := e.log.Stream(p)
		state, err := stream.State(ctx)
		if err != nil {
			return nil, err
		}
		marks[p] = erasure.Mark{Epoch: stream.Epoch(), Position: state.Last}
	}
	return marks, nil
}

// traces are those that a request names or finds.
func (e *erasures) traces(ctx context.Context, id schema.ProjectID, body *NewErasure) ([]schema.TraceID, error) {
	switch {
	case (len(body.Traces) == 0) == (body.Where == ""):
		return nil, fmt.Errorf("%w: want traces, or a query in where, and not both", errErasure)
	case len(body.Traces) > erasure.MaxTraces:
		return nil, fmt.Errorf("%w: it names %d traces, at most %d may be named at once: ask in parts", errErasure, len(body.Traces), erasure.MaxTraces)
	case body.Where != "":
		q := e.find()
		if q == nil {
			return nil, errNoQueries
		}
		ids, err := q.TracesWhere(ctx, id, body.Where)
		if querier.IsRequestError(err) {
			err = fmt.Errorf("%w: %w", errErasure, err)
		}
		return ids, err
	}
	ids := make([]schema.TraceID, len(body.Traces))
	for i, text := range body.Traces {
		var err error
		if ids[i], err = schema.ParseTraceID(text); err != nil {
			return nil, fmt.Errorf("%w: %w", errErasure, err)
		}
		if ids[i].IsZero() {
			return nil, fmt.Errorf("%w: no trace has the id %s", errErasure, ids[i])
		}
	}
	return erasure.Sorted(ids), nil
}

func (e *erasures) dryRun(ctx context.Context, r *erasure.Request) (ErasureReply, error) {
	q := e.find()
	if q == nil {
		return ErasureReply{}, errNoQueries
	}
	left, err := q.LeftOf(ctx, r)
	return ErasureReply{Project: r.Project, State: erasureDryRun, By: r.By, Where: r.Where, Traces: left.Traces, Spans: left.Spans}, err
}

func pendingReply(r *erasure.Request, p *erasure.Progress) ErasureReply {
	return ErasureReply{
		ID: r.ID, Project: r.Project, State: erasurePending, By: r.By, AcceptedAt: r.AcceptedAt, Where: r.Where,
		Traces: len(r.Traces), Spans: p.Spans(), Replaced: p.Replaced,
	}
}

func doneReply(r *erasure.Receipt) ErasureReply {
	return ErasureReply{
		ID: r.ID, Project: r.Project, State: erasureDone, By: r.By, AcceptedAt: r.AcceptedAt, Digest: r.WhereDigest,
		Traces: len(r.Traces), Spans: r.Spans, Replaced: r.Replaced, Versions: r.Versions, Media: r.Media, GoneAt: r.GoneAt,
	}
}

// maxDone is how many of the erasures that are done a list shows, the latest.
const maxDone = 100

func (e *erasures) list(ctx context.Context, id schema.ProjectID, _ *http.Request) (any, error) {
	replies := []ErasureReply{}
	pending, err := e.store.Pending(ctx, id, nil)
	if err != nil {
		return nil, err
	}
	done, err := e.store.Done(ctx, id)
	if err != nil {
		return nil, err
	}
	ids := done[max(len(done)-maxDone, 0):]
	for _, r := range pending.Requests() {
		ids = append(ids, r.ID)
	}
	for _, one := range ids {
		reply, err := e.reply(ctx, id, one)
		if errors.Is(err, erasure.ErrNotFound) {
			continue // it has become one that is done
		}
		if err != nil {
			return nil, err
		}
		reply.Replaced = nil
		replies = append(replies, reply)
	}
	return map[string]any{"erasures": replies}, nil
}

func (e *erasures) reply(ctx context.Context, id schema.ProjectID, name string) (ErasureReply, error) {
	request, progress, receipt, err := e.store.Find(ctx, id, name)
	switch {
	case err != nil:
		return ErasureReply{}, err
	case receipt != nil:
		return doneReply(receipt), nil
	}
	return pendingReply(request, progress), nil
}

func (e *erasures) show(ctx context.Context, id schema.ProjectID, req *http.Request) (any, error) {
	return e.reply(ctx, id, req.PathValue("erasure"))
}

// left looks for what is left of the traces, by the way of queries and beside it.
func (e *erasures) left(ctx context.Context, id schema.ProjectID, req *http.Request) (any, error) {
	q := e.find()
	if q == nil {
		return nil, errNoQueries
	}
	request, _, receipt, err := e.store.Find(ctx, id, req.PathValue("erasure"))
	if err == nil && receipt != nil {
		request, err = receipt.Request()
	}
	if err != nil {
		return nil, err
	}
	return q.LeftOf(ctx, request)
}

// newErasures makes what knows which erasures there are.
func (a *App) newErasures() {
	a.erasures.store = erasure.NewStore(a.bucket)
	a.erasures.log, a.erasures.logger = a.log, a.logger.With(slog.String("component", "erasures"))
	a.erasures.find = func() eraser {
		if q := a.eraser.Load(); q != nil {
			return q
		}
		return nil
	}
	if a.cfg.answers() {
		a.erasures.watch = erasure.NewWatch(a.erasures.store)
	}
}
