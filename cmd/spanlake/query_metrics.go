package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// registerMetricsFlags registers what only a metrics query has.
func (c *queryConfig) registerMetricsFlags(f *flag.FlagSet) {
	f.BoolVar(&c.instant, "instant", false, "Show one value for the whole range, instead of one for each step.")
	f.DurationVar(&c.step, "step", 0, "Time between two values of a series. 0 leaves it to the server, which makes about 240.")
}

// errNoSeries makes the exit code tell it.
var errNoSeries = errors.New("no series in this time range: -since or -start look further back")

// foundSeries is the part of a reply that the table shows.
type foundSeries struct {
	Series []struct {
		Labels []struct {
			Key   string                     `json:"key"`
			Value map[string]json.RawMessage `json:"value"`
		} `json:"labels"`
		Samples []struct {
			Value float64 `json:"value"`
		} `json:"samples"`
		Value float64 `json:"value"` // of an instant query
	} `json:"series"`
	Message string `json:"message"` // why there are not more
}

// queryMetrics prints the series that text makes.
func queryMetrics(ctx context.Context, r *traceReader, cfg *queryConfig, text string, w io.Writer) error {
	switch {
	case cfg.step < 0:
		return &usageError{errors.New("step must not be negative")}
	case cfg.instant && cfg.step > 0:
		return &usageError{errors.New("give either instant or step")}
	}
	since := cfg.since
	if since == 0 {
		since = defaultSince
	}
	u := r.base.JoinPath("api/metrics/query_range")
	if cfg.instant {
		u = r.base.JoinPath("api/metrics/query")
	}
	values := cfg.within(time.Now(), since)
	values.Set("q", text)
	if cfg.step > 0 {
		values.Set("step", cfg.step.String())
	}
	u.RawQuery = values.Encode()
	body, err := r.get(ctx, u, "application/json")
	if err != nil {
		return err
	}
	var found foundSeries
	if err := json.Unmarshal(body, &found); err != nil {
		return fmt.Errorf("reply of %s: %w", r.base, err)
	}
	if cfg.output == outputJSON {
		if _, err := fmt.Fprintf(w, "%s\n", body); err != nil {
			return err
		}
	}
	if len(found.Series) == 0 {
		return errNoSeries
	}
	if cfg.output == outputJSON {
		return nil
	}
	return found.print(w, cfg.instant)
}

func (f *foundSeries) print(w io.Writer, instant bool) error {
	rows := [][]string{{"LAST", "LEAST", "MOST", "GRAPH", "SERIES"}}
	if instant {
		rows = [][]string{{"VALUE", "SERIES"}}
	}
	for _, s := range f.Series {
		var labels []string
		for _, l := range s.Labels {
			for _, value := range l.Value { // there is one
				labels = append(labels, printable(l.Key)+"="+printable(strings.Trim(string(value), `"`)))
			}
		}
		name := strings.Join(labels, " ")
		if instant {
			rows = append(rows, []string{number(s.Value), name})
			continue
		}
		points := make([]float64, len(s.Samples))
		for i := range s.Samples {
			points[i] = s.Samples[i].Value
		}
		least, most := extremes(points)
		rows = append(rows, []string{number(points[len(points)-1]), number(least), number(most), sparkline(points), name})
	}
	if err := printTable(w, rows); err != nil {
		return err
	}
	if f.Message != "" {
		if _, err := fmt.Fprintf(w, "\n%s\n", printable(f.Message)); err != nil {
			return err
		}
	}
	return nil
}

// number is a value with as many digits as tell something.
func number(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }

func extremes(points []float64) (least, most float64) {
	least, most = math.Inf(1), math.Inf(-1)
	for _, v := range points {
		least, most = min(least, v), max(most, v)
	}
	return least, most
}

// sparkWidth is how many columns a graph has at most.
const sparkWidth = 40

// sparkline draws points between 0, or the least if that is less, and the most.
// Of several points in one column it draws the highest.
func sparkline(points []float64) string {
	const bars = "▁▂▃▄▅▆▇█"
	heights := []rune(bars)
	least, most := extremes(points)
	least = min(least, 0)
	width := min(len(points), sparkWidth)
	var line strings.Builder
	for i := range width {
		_, v := extremes(points[i*len(points)/width : (i+1)*len(points)/width])
		height := 0
		if most > least {
			height = int((v - least) / (most - least) * float64(len(heights)-1))
		}
		line.WriteRune(heights[height])
	}
	return line.String()
}
