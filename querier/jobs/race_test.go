package jobs_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/wire"
	"github.com/spanlake/spanlake/querier/jobs"
)

var errFinal = errors.New("the query is too large")

// asked is what becomes of one who is asked: an answer or an error after a time.
type asked struct {
	after time.Duration
	err   error
}

func TestRace(t *testing.T) {
	const never = time.Hour
	for _, test := range []struct {
		name        string
		asked       []asked
		here        asked
		want        string
		err         error
		took        time.Duration
		again, lost int
	}{
		{"the first answers", []asked{{after: time.Second}}, asked{}, "0", nil, time.Second, 0, 0},
		{"the second is faster", []asked{{after: never}, {after: time.Second}}, asked{}, "1", nil, 3 * time.Second, 1, 0},
		{"the first comes after all", []asked{{after: 3 * time.Second}, {after: never}}, asked{}, "0", nil, 3 * time.Second, 1, 0},
		{"nobody gets on", []asked{{after: never}, {after: never}, {after: never}}, asked{after: time.Second}, "here", nil, 7 * time.Second, 3, 0},
		{"one is lost", []asked{{time.Second, wire.ErrLost}, {after: time.Second / 2}}, asked{}, "1", nil, 1500 * time.Millisecond, 0, 1},
		{"all are lost", []asked{{0, wire.ErrLost}, {0, wire.ErrLost}, {0, wire.ErrLost}}, asked{after: time.Second}, "here", nil, time.Second, 0, 3},
		{"there is nobody", []asked{{0, wire.ErrNobody}}, asked{after: time.Second}, "here", nil, time.Second, 0, 1},
		{"one fails", []asked{{0, errors.New("its disk is full")}}, asked{after: time.Second}, "here", nil, time.Second, 0, 1},
		{"one fails while another works", []asked{{3 * time.Second, errors.New("no")}, {after: 1500 * time.Millisecond}}, asked{}, "1", nil, 3500 * time.Millisecond, 1, 1},
		{"it is refused", []asked{{time.Second, errFinal}}, asked{}, "", errFinal, time.Second, 0, 0},
		{"here it fails, too", []asked{{0, wire.ErrNobody}}, asked{time.Second, errFinal}, "", errFinal, time.Second, 0, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls atomic.Int32
				again, lost := 0, 0
				do := func(ctx context.Context, a asked, name string) (string, error) {
					select {
					case <-time.After(a.after):
						return name, a.err
					case <-ctx.Done():
						return "", ctx.Err()
					}
				}
				race := jobs.Race[string]{
					Ask: func(ctx context.Context) (string, error) {
						i := calls.Add(1) - 1
						return do(ctx, test.asked[i], string('0'+i))
					},
					Do:    func(ctx context.Context) (string, error) { return do(ctx, test.here, "here") },
					Final: func(err error) bool { return errors.Is(err, errFinal) },
					Pace:  jobs.NewPace(2 * time.Second), Again: func() { again++ }, Lost: func() { lost++ },
				}
				begun := time.Now()
				got, err := race.Run(t.Context())
				require.ErrorIs(t, err, test.err)
				if test.err == nil {
					require.Equal(t, test.want, got)
				}
				require.Equal(t, test.took, time.Since(begun))
				require.Equal(t, []int{len(test.asked), test.again, test.lost}, []int{int(calls.Load()), again, lost})
			})
		})
	}
}

func TestRaceEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		wait := func(ctx context.Context) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		}
		race := jobs.Race[int]{
			Ask: wait, Do: wait, Final: func(error) bool { return false },
			Pace: jobs.NewPace(time.Second), Again: func() {}, Lost: func() {},
		}
		_, err := race.Run(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestPace(t *testing.T) {
	p := jobs.NewPace(time.Second)
	require.Equal(t, time.Second, p.Patience())
	for i := range 100 {
		p.Done(time.Duration(100-i) * 100 * time.Millisecond)
	}
	require.Equal(t, 19*time.Second, p.Patience(), "one of twenty may take longer")
	for range 10_000 {
		p.Done(time.Millisecond)
	}
	require.Equal(t, time.Second, p.Patience())
}
