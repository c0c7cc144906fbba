package app

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grafana/dskit/services"
	"github.com/stretchr/testify/require"
)

// However the phases before it went, none ends later than its share of the
// whole, and all of them end within it.
func TestPhasesShareTheTime(t *testing.T) {
	phases := []phase{phaseReceive, phasePublish, phaseStore, phaseAnswer, phaseClose}
	for _, tc := range []struct {
		name string
		used map[phase]time.Duration // by a phase that ends early
		ends [5]int                  // seconds since the first one began
	}{
		{"all take what they can", nil, [5]int{20, 40, 80, 90, 96}},
		{"nothing on its way", map[phase]time.Duration{phaseReceive: 0, phasePublish: 0}, [5]int{0, 0, 80, 90, 96}},
		{"nothing to do", map[phase]time.Duration{phaseReceive: 0, phasePublish: 0, phaseStore: time.Second, phaseAnswer: 0, phaseClose: 0}, [5]int{0, 0, 1, 1, 1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Hour) // the process ran before
				begun := time.Now()
				s := shutdown{total: 100 * time.Second}
				for i, p := range phases {
					ctx, cancel := s.until(t.Context(), p)
					if used, early := tc.used[p]; early {
						time.Sleep(used)
						require.NoError(t, ctx.Err())
					} else {
						<-ctx.Done()
					}
					cancel()
					require.InDelta(t, tc.ends[i], time.Since(begun).Seconds(), 0)
				}
			})
		})
	}
}

// slowService takes a time to stop, or until it is aborted.
type slowService struct {
	services.Service

	aborted chan struct{}
}

func newSlowService(stops time.Duration, failure error) *slowService {
	s := &slowService{aborted: make(chan struct{})}
	s.Service = services.NewBasicService(nil, func(ctx context.Context) error {
		if failure != nil {
			return failure
		}
		<-ctx.Done()
		select {
		case <-time.After(stops):
		case <-s.aborted:
		}
		return nil
	}, nil)
	return s
}

// Abort implements abortable.
func (s *slowService) Abort() { close(s.aborted) }

func (s *slowService) wasAborted() bool {
	select {
	case <-s.aborted:
		return true
	default:
		return false
	}
}

func TestBoundedService(t *testing.T) {
	broken := errors.New("broken")
	for _, tc := range []struct {
		name    string
		stops   time.Duration
		failure error
		aborted bool
		took    time.Duration
	}{
		{"stops in time", 39 * time.Second, nil, false, 39 * time.Second},
		{"takes too long", time.Hour, nil, true, 40 * time.Second},
		{"fails by itself", 0, broken, false, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := shutdown{total: 100 * time.Second}
				inner := newSlowService(tc.stops, tc.failure)
				outer := s.bounded(phasePublish, inner)
				require.NoError(t, outer.StartAsync(t.Context()))
				synctest.Wait()
				begun := time.Now()
				outer.StopAsync()
				_ = outer.AwaitTerminated(t.Context())
				require.ErrorIs(t, outer.FailureCase(), tc.failure)
				require.Equal(t, tc.took, time.Since(begun))
				require.Equal(t, tc.aborted, inner.wasAborted())
			})
		})
	}
}
