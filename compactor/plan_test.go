package compactor_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/compactor"
	"github.com/spanlake/spanlake/schema"
)

var rewrite = flag.Bool("rewrite", false, "write the planner's answers into testdata/plan")

// TestPlan runs the scripts of testdata/plan. A script is cases, each of lines
// that set the scene, a line "plan", and what the planner answers up to an empty
// line. What a case sets stays for the next ones, except for its blocks. Times are
// those of 2026-01-15, or have a day of January before them ("16T10:00").
//
//	windows 10m 1h 24h
//	retention 30d | 0
//	limits bytes=512MB inputs=16 most=200 grace=2m delete=30m
//	now 12:30
//	floor p0 100 [next=12:29] [read=12:29:59]
//	block p0 1-10 10:00 1MB [L1] [g1] [e2] [stored=11:00]
//	batches p0 1 10:00 every=1m count=60 1MB
func TestPlan(t *testing.T) {
	files, err := filepath.Glob("testdata/plan/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			answered := runScript(t, string(text))
			if *rewrite {
				require.NoError(t, os.WriteFile(file, []byte(answered), 0o600))
			}
			require.Equal(t, string(text), answered)
		})
	}
}

// script is the scene that lines set.
type script struct {
	policy compactor.Policy
	floors []compactor.Floor
	blocks []compactor.Listed
	now    time.Time
}

func runScript(t *testing.T, text string) string {
	t.Helper()
	s := script{policy: defaultPolicy()}
	var out []string
	answering := false
	for line := range strings.SplitSeq(text, "\n") {
		if answering && line != "" {
			continue // the old answer
		}
		answering = false
		out = append(out, line)
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || words[0] == "#":
		case words[0] == "plan":
			for i := range s.floors {
				if s.floors[i].Read.IsZero() {
					s.floors[i].Read = s.now
				}
			}
			out = append(out, describe(compactor.NewPlan(s.policy, s.floors, s.blocks, s.now))...)
			s.blocks, s.floors = nil, nil
			answering = true
		default:
			require.NoError(t, s.line(words), line)
		}
	}
	return strings.Join(out, "\n")
}

func defaultPolicy() compactor.Policy {
	return compactor.Policy{
		Windows:  []time.Duration{10 * time.Minute, time.Hour, 24 * time.Hour},
		MaxBytes: 512 << 20, MinInputs: 16, MaxInputs: 200, Grace: 2 * time.Minute, DeleteAfter: 30 * time.Minute,
	}
}

func (s *script) line(words []string) (err error) {
	switch words[0] {
	case "windows":
		s.policy.Windows = nil
		for _, w := range words[1:] {
			d, err := time.ParseDuration(w)
			if err != nil {
				return err
			}
			s.policy.Windows = append(s.policy.Windows, d)
		}
	case "retention":
		days, ok := strings.CutSuffix(words[1], "d")
		if ok {
			days += "h"
		}
		s.policy.Retention, err = time.ParseDuration(days)
		if ok {
			s.policy.Retention *= 24
		}
	case "limits":
		return s.limits(words[1:])
	case "now":
		s.now, err = clock(words[1])
	case "floor":
		return s.floor(words[1:])
	case "block":
		return s.block(words[1:])
	case "batches":
		return s.batches(words[1:])
	default:
		return fmt.Errorf("what is %q?", words[0])
	}
	return err
}

func (s *script) limits(words []string) (err error) {
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		switch key {
		case "bytes":
			s.policy.MaxBytes, err = size(value)
		case "inputs":
			s.policy.MinInputs, err = strconv.Atoi(value)
		case "most":
			s.policy.MaxInputs, err = strconv.Atoi(value)
		case "grace":
			s.policy.Grace, err = time.ParseDuration(value)
		case "delete":
			s.policy.DeleteAfter, err = time.ParseDuration(value)
		default:
			err = fmt.Errorf("what is %q?", key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *script) floor(words []string) (err error) {
	f := compactor.Floor{Partitions: 4, Epoch: 1}
	if _, err = fmt.Sscanf(words[0], "p%d", &f.Partition); err != nil {
		return err
	}
	if f.Position, err = strconv.ParseUint(words[1], 10, 64); err != nil {
		return err
	}
	for _, w := range words[2:] {
		key, value, _ := strings.Cut(w, "=")
		switch key {
		case "next":
			f.Next, err = clock(value)
		case "read":
			f.Read, err = clock(value)
		default:
			err = fmt.Errorf("what is %q?", w)
		}
		if err != nil {
			return err
		}
	}
	s.floors = append(s.floors, f)
	return nil
}

func (s *script) block(words []string) error {
	b := compactor.Listed{BlockName: schema.BlockName{Project: "shop", Partitions: 4, Epoch: 1}}
	if _, err := fmt.Sscanf(strings.Join(words[:2], " "), "p%d %d-%d", &b.Partition, &b.First, &b.Last); err != nil {
		return err
	}
	at, err := clock(words[2])
	if err != nil {
		return err
	}
	b.LogNanos, b.Stored = uint64(at.UnixNano()), at.Add(time.Minute)
	if b.Bytes, err = size(words[3]); err != nil {
		return err
	}
	for _, w := range words[4:] {
		switch {
		case strings.HasPrefix(w, "stored="):
			b.Stored, err = clock(strings.TrimPrefix(w, "stored="))
		case w[0] == 'L':
			b.Level, err = strconv.Atoi(w[1:])
		case w[0] == 'g':
			b.Generation, err = strconv.Atoi(w[1:])
		case w[0] == 'e':
			b.Epoch, err = strconv.ParseUint(w[1:], 10, 64)
		default:
			err = fmt.Errorf("what is %q?", w)
		}
		if err != nil {
			return err
		}
	}
	s.blocks = append(s.blocks, b)
	return nil
}

func (s *script) batches(words []string) error {
	first, err := strconv.Atoi(words[1])
	if err != nil {
		return err
	}
	at, err := clock(words[2])
	if err != nil {
		return err
	}
	every, err := time.ParseDuration(strings.TrimPrefix(words[3], "every="))
	if err != nil {
		return err
	}
	count, err := strconv.Atoi(strings.TrimPrefix(words[4], "count="))
	if err != nil {
		return err
	}
	for i := range count {
		from := first + 10*i
		moment := at.Add(time.Duration(i) * every).Format(clockLayout)
		if err := s.block([]string{words[0], fmt.Sprintf("%d-%d", from, from+9), moment, words[5]}); err != nil {
			return err
		}
	}
	return nil
}

const clockLayout = "02T15:04:05"

// clock is a time of the script.
func clock(s string) (time.Time, error) {
	if !strings.Contains(s, "T") {
		s = "15T" + s
	}
	if strings.Count(s, ":") == 1 {
		s += ":00"
	}
	return time.Parse("2006-01-"+clockLayout, "2026-01-"+s)
}

func size(s string) (int64, error) {
	n, err := strconv.Atoi(strings.TrimSuffix(s, "MB"))
	return int64(n) << 20, err
}

// describe writes a plan down.
func describe(p compactor.Plan) (lines []string) {
	for _, j := range p.Merges {
		line := fmt.Sprintf("merge %d blocks of %d MB into p%d %s", len(j.Inputs), j.Bytes>>20, j.Output.Partition, label(j.Output))
		if j.Settle {
			line += " to stay"
		}
		lines = append(lines, line)
	}
	for _, d := range p.Deletions {
		reason := "covered"
		if d.Expired {
			reason = "expired"
		}
		lines = append(lines, fmt.Sprintf("delete p%d %s %s", d.Partition, label(d.BlockName), reason))
	}
	if p.Strangers > 0 {
		lines = append(lines, fmt.Sprintf("strangers in %d", p.Strangers))
	}
	if p.TooLarge > 0 {
		lines = append(lines, fmt.Sprintf("too large: %d", p.TooLarge))
	}
	if len(lines) == 0 {
		return []string{"nothing"}
	}
	return lines
}

func label(n schema.BlockName) string {
	s := fmt.Sprintf("%d-%d L%d", n.First, n.Last, n.Level)
	if n.Generation > 0 {
		s += fmt.Sprintf(" g%d", n.Generation)
	}
	if n.Epoch > 1 {
		s += fmt.Sprintf(" e%d", n.Epoch)
	}
	return s + " " + time.Unix(0, int64(n.LogNanos)).UTC().Format(clockLayout)
}
