// Command benchtable makes tables of what go test prints about benchmarks: one
// for each package, a line for each benchmark, a column for each unit. It reads
// the standard input; "make bench" runs it.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "benchtable:", err)
		os.Exit(1)
	}
}

// errFailed stands for the exit code of go test, which a pipe loses.
var errFailed = errors.New("a benchmark or a package failed")

// run prints a package's table when its results are complete, and everything
// that is neither a result nor go test's usual remarks as it is.
func run(in io.Reader, out io.Writer) error {
	var p printer
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		p.line(lines.Text())
		if _, err := p.out.WriteTo(out); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if p.failed {
		return errFailed
	}
	return nil
}

// printer keeps what it knows from the lines before.
type printer struct {
	out       bytes.Buffer
	table     table // of the current package
	processor string
	failed    bool
}

func (p *printer) line(line string) {
	word, rest, _ := strings.Cut(strings.ReplaceAll(line, "\t", " "), " ")
	switch word {
	case "pkg:":
		p.table = table{name: rest}
	case "goos:", "goarch:", "PASS":
	case "cpu:":
		if rest != p.processor {
			p.processor = rest
			fmt.Fprintln(&p.out, rest)
		}
	case "ok", "FAIL", "?":
		p.table.appendTo(&p.out)
		p.table = table{}
		if word == "FAIL" {
			p.failed = true
			fmt.Fprintln(&p.out, line)
		}
	default:
		if p.table.add(line) {
			return
		}
		p.failed = p.failed || strings.HasPrefix(strings.TrimSpace(line), "--- FAIL")
		fmt.Fprintln(&p.out, line)
	}
}

// table holds the results of a package.
type table struct {
	name  string
	units []string // in the order of the columns
	rows  []row
}

// row is the result of a benchmark.
type row struct {
	name   string
	values map[string]float64 // by unit
}

// add takes a line with a result and reports whether it is one.
func (t *table) add(line string) bool {
	fields := strings.Fields(line)
	if len(fields) < 4 || len(fields)%2 != 0 || !strings.HasPrefix(fields[0], "Benchmark") {
		return false
	}
	if _, err := strconv.Atoi(fields[1]); err != nil {
		return false
	}
	r := row{name: benchmarkName(fields[0]), values: map[string]float64{}}
	for i := 2; i < len(fields); i += 2 {
		value, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return false
		}
		r.values[fields[i+1]] = value
		if !slices.Contains(t.units, fields[i+1]) {
			t.units = append(t.units, fields[i+1])
		}
	}
	t.rows = append(t.rows, r)
	return true
}

// benchmarkName cuts off what all names have: the prefix and the number of
// processors.
func benchmarkName(s string) string {
	s = strings.TrimPrefix(s, "Benchmark")
	if i := strings.LastIndexByte(s, '-'); i > 0 {
		if _, err := strconv.Atoi(s[i+1:]); err == nil {
			return s[:i]
		}
	}
	return s
}

// appendTo writes the table, nothing if it has no rows.
func (t *table) appendTo(out *bytes.Buffer) {
	if len(t.rows) == 0 {
		return
	}
	// What every benchmark has comes first, and the rest as it appeared.
	usual := []string{"ns/op", "MB/s", "B/op", "allocs/op"}
	slices.SortStableFunc(t.units, func(a, b string) int { return place(usual, a) - place(usual, b) })
	lines := [][]string{{"benchmark"}}
	for _, unit := range t.units {
		lines[0] = append(lines[0], strings.Replace(unit, "ns/op", "time/op", 1))
	}
	for _, r := range t.rows {
		line := []string{r.name}
		for _, unit := range t.units {
			line = append(line, r.cell(unit))
		}
		lines = append(lines, line)
	}
	fmt.Fprintf(out, "\n%s\n", t.name)
	align(out, lines)
}

func (r *row) cell(unit string) string {
	value, ok := r.values[unit]
	switch {
	case !ok:
		return ""
	case unit == "ns/op":
		return duration(value)
	default:
		return short(value)
	}
}

// align writes columns of equal width: the first to the left, the others to
// the right.
func align(out *bytes.Buffer, lines [][]string) {
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, line := range lines {
		fmt.Fprintf(out, "  %-*s", widths[0], line[0])
		for i, cell := range line[1:] {
			fmt.Fprintf(out, "  %*s", widths[i+1], cell)
		}
		out.WriteByte('\n')
	}
}

// place is where a unit stands in the list, behind it if it is not there.
func place(list []string, unit string) int {
	if i := slices.Index(list, unit); i >= 0 {
		return i
	}
	return len(list)
}

// duration writes nanoseconds with three digits.
func duration(nanos float64) string {
	for _, unit := range []string{"ns", "µs", "ms"} {
		if nanos < 999.5 {
			return digits(nanos) + " " + unit
		}
		nanos /= 1000
	}
	return digits(nanos) + " s"
}

// short writes a number with three digits, thousands as k, M or G.
func short(value float64) string {
	for _, unit := range []string{"", "k", "M"} {
		if value < 999.5 {
			return digits(value) + unit
		}
		value /= 1000
	}
	return digits(value) + "G"
}

func digits(value float64) string {
	switch {
	case value >= 99.95 || value == float64(int64(value)):
		return strconv.FormatFloat(value, 'f', 0, 64)
	case value >= 9.995:
		return strconv.FormatFloat(value, 'f', 1, 64)
	default:
		return strconv.FormatFloat(value, 'f', 2, 64)
	}
}
