package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/spanlake/spanlake/compactor"
	"github.com/spanlake/spanlake/internal/access"
	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/llm/price"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/schema"
)

// The states of pricing anew.
const (
	repriceNone       = "none"       // nobody has asked for it
	repricePending    = "pending"    // the compactor has blocks to write
	repriceDone       = "done"       // every block in the range is as asked for
	repriceSuperseded = "superseded" // other prices count by now: ask again
)

// RepriceReply is what became of pricing anew as the API shows it.
type RepriceReply struct {
	Project schema.ProjectID `json:"project"`
	State   string           `json:"state"`
	AskedAt time.Time        `json:"asked_at,omitzero"`
	From    time.Time        `json:"from,omitzero"`
	To      time.Time        `json:"to,omitzero"`
	Table   string           `json:"table,omitempty"` // that counted when it was asked
	Blocks  int              `json:"blocks"`          // in the range
	Left    int              `json:"left"`            // of them, to be written
}

// derivedBlocks remembers of blocks, which never change, what they were asked.
type derivedBlocks struct {
	mu    sync.Mutex
	known map[derivedBlock]bool // current
}

// derivedBlock is a block beside a table of prices.
type derivedBlock struct {
	schema.BlockName

	table string
}

// maxDerivedBlocks bounds what is remembered: some 30 MB.
const maxDerivedBlocks = 100_000

func (p *projectsAPI) reprice(ctx context.Context, id schema.ProjectID, req *http.Request) (any, error) {
	var body project.RepriceRange
	if err := decodeJSON(req, &body, maxAdminBytes); err != nil {
		return nil, err
	}
	if _, err := p.registry.Update(ctx, id, ofAll(access.KeyOf(ctx), id), apply(&project.Patch{Reprice: &body})); err != nil {
		return nil, err
	}
	return p.repriced(ctx, id, req)
}

func (p *projectsAPI) repriced(ctx context.Context, id schema.ProjectID, _ *http.Request) (any, error) {
	s, err := p.registry.Settings(ctx, id)
	if err != nil {
		return nil, err
	}
	reply := RepriceReply{Project: id, State: repriceNone}
	r := s.Reprice
	if r == nil || s.Deleted() {
		return reply, nil
	}
	reply.AskedAt, reply.From, reply.To, reply.Table = r.AskedAt, r.From, r.To, r.Table
	if r.Table != price.Shipped().With(s.Prices).Version() {
		reply.State = repriceSuperseded
		return reply, nil
	}
	if reply.Blocks, reply.Left, err = p.countDerived(ctx, id, r); err != nil {
		return nil, err
	}
	if reply.State = repricePending; reply.Left == 0 {
		reply.State = repriceDone
	}
	return reply, nil
}

// repriceReads is how many blocks are asked at once.
const repriceReads = 16

// countDerived counts the visible blocks that are asked for, and those that were
// derived by something else.
func (p *projectsAPI) countDerived(ctx context.Context, id schema.ProjectID, r *project.Reprice) (blocks, left int, err error) {
	var names []schema.BlockName
	for object, err := range p.bucket.List(ctx, objstore.ListOptions{Prefix: schema.ProjectPrefix(id)}) {
		if err != nil {
			return 0, 0, fmt.Errorf("list the blocks of project %s: %w", id, err)
		}
		if name, err := schema.ParseBlockName(object.Key); err == nil {
			names = append(names, name)
		}
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(repriceReads)
	var mu sync.Mutex
	for _, name := range schema.Visible(names) {
		if name.Spans == 0 || !r.Reaches(name.MinStart, name.MaxEnd) {
			continue
		}
		blocks++
		group.Go(func() error {
			current, err := p.isCurrent(groupCtx, derivedBlock{name, r.Table})
			mu.Lock()
			defer mu.Unlock()
			if !current {
				left++
			}
			return err
		})
	}
	err = group.Wait()
	return blocks, left, err
}

// isCurrent asks a block, once. One that is gone was just covered by another one,
// which the next count sees.
func (p *projectsAPI) isCurrent(ctx context.Context, b derivedBlock) (bool, error) {
	d := &p.derived
	d.mu.Lock()
	current, ok := d.known[b]
	d.mu.Unlock()
	if ok {
		return current, nil
	}
	reader, err := block.Open(ctx, p.bucket, b.Key())
	if err == nil {
		current, err = compactor.Current(ctx, reader, b.table)
	}
	if errors.Is(err, objstore.ErrNotExist) || errors.Is(err, objstore.ErrChanged) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("ask %s by what it was derived: %w", b.Key(), err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known == nil || len(d.known) >= maxDerivedBlocks {
		d.known = make(map[derivedBlock]bool)
	}
	d.known[b] = current
	return current, nil
}
