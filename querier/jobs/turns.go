package jobs

import (
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// halfLife is how fast it is forgotten what a project has used.
	halfLife = 10 * time.Second
	// quantum is how long a turn lasts at least before it is given to others: long
	// beside the cost of that.
	quantum = 100 * time.Microsecond
	// maxIdle is of how many projects without turns it is remembered.
	maxIdle = 100
)

// Turns share processors between projects. Of those that want a turn the one goes
// first that has used the least lately: a project that asks for little now and
// then hardly notices one that asks for all there is. Safe for concurrent use.
type Turns struct {
	count     int         // that there are
	contended atomic.Bool // somebody waits, or there are more turns than that
	onShared  func(shared bool)

	mu       sync.Mutex
	running  int
	projects map[string]*user
	shared   bool      // by several projects lately
	looked   time.Time // at that
}

// user is a project that takes turns.
type user struct {
	used    float64   // processor time, seconds, as of at
	at      time.Time // of used
	running int
	waiting []chan struct{} // closed once it is their turn
}

// NewTurns returns so many turns.
func NewTurns(count int) *Turns { return &Turns{count: count, projects: make(map[string]*user)} }

// OnShared lets f know when several projects take turns, and when it is one only
// again. It must be called before the first turn.
func (t *Turns) OnShared(f func(shared bool)) { t.onShared = f }

// turn is one that somebody has.
type turn struct {
	turns   *Turns
	project string
	user    *user
	since   time.Time

	// Guarded by turns.mu.
	held   bool // not while it waits, nor after it gave up waiting
	away   int  // goroutines that wait for something else
	coming bool // one of them waits for the turn
}

type turnKey struct{}

// Take waits for a turn. Who has one, as ctx says, must be away meanwhile.
func (t *Turns) Take(ctx context.Context, project string) (_ context.Context, leave func(), err error) {
	own := &turn{turns: t, project: project}
	if err := own.begin(ctx); err != nil {
		return ctx, nil, err
	}
	return context.WithValue(ctx, turnKey{}, own), own.end, nil
}

// Yield lets others have the turn of ctx if they have used less lately, and waits
// for another one. Returns the error of ctx. REQUIRES: one goroutine does for each turn.
func Yield(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	own, _ := ctx.Value(turnKey{}).(*turn)
	if own == nil || !own.turns.contended.Load() || time.Since(own.since) < quantum || !own.turns.isLast(own.user) {
		return nil
	}
	own.end()
	return own.begin(ctx)
}

// Away gives the turn of ctx to others while it waits for something else than a
// processor, and back waits for another one. Several goroutines of a turn may be
// away at once.
func Away(ctx context.Context) (back func()) {
	own, _ := ctx.Value(turnKey{}).(*turn)
	if own == nil {
		return func() {}
	}
	t := own.turns
	t.mu.Lock()
	defer t.mu.Unlock()
	own.away++
	own.release()
	return func() { own.comeBack(ctx) }
}

// comeBack waits for a turn unless others who share it are still away, or one of
// them does.
func (own *turn) comeBack(ctx context.Context) {
	t := own.turns
	t.mu.Lock()
	own.away--
	waits := own.away == 0 && !own.held && !own.coming
	own.coming = own.coming || waits
	t.mu.Unlock()
	if !waits {
		return
	}
	_ = own.begin(context.WithoutCancel(ctx)) // which does not fail
	t.mu.Lock()
	defer t.mu.Unlock()
	own.coming = false
}

// userOf finds a project. What was used of those that are idle is forgotten when
// there are many. REQUIRES: t.mu.
func (t *Turns) userOf(project string) *user {
	u := t.projects[project]
	if u == nil {
		for name, other := range t.projects {
			if len(t.projects) < maxIdle {
				break
			}
			if other.running == 0 && len(other.waiting) == 0 {
				delete(t.projects, name)
			}
		}
		u = &user{at: time.Now()}
		t.projects[project] = u
	}
	return u
}

// lately is what the project has used at a time, seconds.
func (u *user) lately(now time.Time) float64 {
	past := now.Sub(u.at).Seconds()
	return u.used*math.Exp2(-past/halfLife.Seconds()) + past*float64(u.running)
}

// settle brings what was used up to date, before running changes.
func (u *user) settle(now time.Time) { u.used, u.at = u.lately(now), now }

// begin waits for a turn.
func (own *turn) begin(ctx context.Context) error {
	t := own.turns
	t.mu.Lock()
	ready := make(chan struct{})
	own.user = t.userOf(own.project)
	own.user.waiting = append(own.user.waiting, ready)
	t.dispatch()
	changed, shared := t.look()
	t.mu.Unlock()
	if changed {
		t.onShared(shared)
	}
	select {
	case <-ready:
	case <-ctx.Done():
		t.mu.Lock()
		defer t.mu.Unlock()
		i := slices.Index(own.user.waiting, ready)
		if i < 0 { // just now
			t.stop(own.user)
		} else {
			own.user.waiting = slices.Delete(own.user.waiting, i, i+1)
		}
		t.dispatch()
		return ctx.Err()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	own.since, own.held = time.Now(), true
	return nil
}

func (own *turn) end() {
	t := own.turns
	t.mu.Lock()
	defer t.mu.Unlock()
	own.release()
}

// release ends the turn if it is held. REQUIRES: t.mu.
func (own *turn) release() {
	if own.held {
		own.held = false
		own.turns.stop(own.user)
		own.turns.dispatch()
	}
}

// stop ends a turn. REQUIRES: t.mu.
func (t *Turns) stop(u *user) {
	u.settle(time.Now())
	u.running--
	t.running--
}

// dispatch gives turns to those who wait. Who has none, and has used less than all
// who have, gets one more than there are rather than wait for the end of another
// one's, which then ends soon. REQUIRES: t.mu.
func (t *Turns) dispatch() {
	now := time.Now()
	for {
		var next *user
		least, leastRunning := 0.0, math.Inf(1)
		for _, u := range t.projects {
			used := u.lately(now)
			if u.running > 0 {
				leastRunning = min(leastRunning, used)
			}
			if len(u.waiting) > 0 && (next == nil || used < least) {
				next, least = u, used
			}
		}
		light := next != nil && next.running == 0 && least < leastRunning && t.running < 2*t.count
		if next == nil || t.running >= t.count && !light {
			t.contended.Store(next != nil || t.running > t.count)
			return
		}
		next.settle(now)
		next.running++
		t.running++
		close(next.waiting[0])
		next.waiting = next.waiting[1:]
	}
}

const (
	// lookEvery is how often it is looked whether turns are shared.
	lookEvery = 10 * time.Millisecond
	// sharedFor is how long a project shares after its last turn.
	sharedFor = 10 * time.Second
)

// look reports whether it has changed that several projects take turns. REQUIRES: t.mu.
func (t *Turns) look() (changed, shared bool) {
	now := time.Now()
	if t.onShared == nil || now.Sub(t.looked) < lookEvery {
		return false, false
	}
	t.looked = now
	projects := 0
	for _, u := range t.projects {
		if u.running > 0 || now.Sub(u.at) < sharedFor {
			projects++
		}
	}
	changed = t.shared != (projects > 1)
	t.shared = projects > 1
	return changed, t.shared
}

// isLast reports whether a project has used more than another one that waits, or
// than all others that run when there are more turns than processors.
func (t *Turns) isLast(u *user) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	own := u.lately(now)
	crowded := t.running > t.count
	most := true
	for _, other := range t.projects {
		if other == u {
			continue
		}
		used := other.lately(now)
		if len(other.waiting) > 0 && used < own {
			return true
		}
		most = most && (other.running == 0 || used <= own)
	}
	return crowded && most
}
